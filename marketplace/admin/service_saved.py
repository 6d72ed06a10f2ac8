"""Admin forms whose saving is a service call, and whose refusals are messages."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from marketplace.caller import caller
from systemadmin.foundation.admin import AtalayaModelAdmin
from systemadmin.foundation.errors import DomainError


class ServiceSavedAdmin(AtalayaModelAdmin):
    """Subclasses say which service creates, changes and deletes."""

    editable = True
    actions: Any = ()

    def save_by_service(self, actor: Any, obj: Any, values: dict[str, Any], change: bool) -> Any:
        """Call the service and return the saved object."""
        raise NotImplementedError

    def delete_by_service(self, actor: Any, obj: Any) -> None:
        """Call the service that deletes."""
        raise NotImplementedError

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Django's form; a refusal is shown above it instead of being an error page."""
        return self._or_message(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Likewise."""
        return self._or_message(request, super().delete_view, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Hand what was entered to the service; the form's own instance is not saved."""
        fresh = type(obj)._base_manager.get(pk=obj.pk) if change else obj
        names = form.changed_data if change else list(form.cleaned_data)
        values = {name: form.cleaned_data[name] for name in names if name in form.cleaned_data}
        saved = self.save_by_service(caller(request), fresh, values, change)
        obj.__dict__.update(saved.__dict__)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The service has saved the relations too; inlines only look."""
        for formset in formsets:
            formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """By the service."""
        self.delete_by_service(caller(request), obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The service decides what may go; nothing else goes with it."""
        return [str(obj) for obj in objs], {}, set(), []

    def _or_message(self, request: HttpRequest, view: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return view(request, *args, **kwargs)
        except DomainError as refusal:
            messages.error(request, str(refusal))
        except ValidationError as refusal:
            messages.error(request, "; ".join(refusal.messages))
        return HttpResponseRedirect(request.get_full_path())
