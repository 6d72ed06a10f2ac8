"""Pages that write: every form, deletion and bulk deletion is one service call for each object."""

from typing import Any, cast

from django.contrib import messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.admin.pages import AtalayaModelAdmin
from systemadmin.foundation.admin.refusals import REFUSALS, add_refusal, refusal_text
from systemadmin.foundation.errors import NotFound


class ServiceModelAdmin(AtalayaModelAdmin):
    """A subclass says by `create`, `update` and `remove` which services write.

    What it does not say is not offered. Refusals of the service stand in the form beside the
    fields they name, and nothing that was typed is lost.
    """

    editable = True

    def create(self, actor: Any, values: dict[str, Any]) -> Model:
        """Call the service that creates; return the new object."""
        raise NotImplementedError

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> Model:
        """Call the service that changes, with the changed fields; return the saved object."""
        raise NotImplementedError

    def remove(self, actor: Any, obj: Any) -> None:
        """Call the service that deletes."""
        raise NotImplementedError

    # -- who may -----------------------------------------------------------------

    def _offers(self, name: str) -> bool:
        return getattr(type(self), name) is not getattr(ServiceModelAdmin, name)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether there is a service that creates, and the user has the permission."""
        return self._offers("create") and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether there is a service that changes, and the user has the permission."""
        return self._offers("update") and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether there is a service that deletes, and the user has the permission."""
        return self._offers("remove") and super().has_delete_permission(request, obj)

    # -- forms -------------------------------------------------------------------

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show or save the form; one that the service refused is shown again with the reasons."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except REFUSALS as refusal:
            # Its transaction is rolled back; the second pass is invalid and so saves nothing.
            _Refused.of(request).refusal = refusal
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return Django's form, which knows what the service refused a moment ago."""
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal = _Refused.of(request).refusal
        return form if refusal is None else _refused_form(form, refusal)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Return the page; of a refused form it says which files have to be chosen again."""
        _ask_for_files_again(context["adminform"].form)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:
        """Hand what was entered to the service; the form's own instance is not saved."""
        if change and not form.changed_data:
            return
        names = form.changed_data if change else list(form.cleaned_data)
        values = {
            name: _plain(form.cleaned_data[name]) for name in names if name in form.cleaned_data
        }
        if change:
            # The form has written its values into `obj`; the service compares with the stored row.
            stored = type(obj)._base_manager.filter(pk=obj.pk).first()
            if stored is None:
                raise NotFound
            saved = self.update(request.user, stored, values)
        else:
            saved = self.create(request.user, values)
        obj.__dict__.update(saved.__dict__)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save nothing: the service has saved the relations too; inlines only look."""
        for formset in formsets:
            formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []

    # -- deletion ----------------------------------------------------------------

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask, then delete by the service; a refusal is a message on the object's page."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except REFUSALS as refusal:
            self.message_user(request, refusal_text(refusal), messages.ERROR)
            name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
            return HttpResponseRedirect(reverse(name, args=[object_id]))

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        """Delete the row by its service."""
        self.remove(request.user, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        """By the service, one by one."""
        for obj in queryset:
            self.delete_one(request, obj)

    @transaction.atomic
    def delete_one(self, request: HttpRequest, obj: Model) -> None:
        """Delete one of several selected rows by the service."""
        self.log_deletions(request, cast(Any, [obj]))
        self.remove(request.user, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Leave it to the service what may go, and why not."""
        return [str(obj) for obj in objs], {}, set(), []


class _Refused:
    """What the service refused in this request, between the two passes of its form."""

    refusal: Exception | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> "_Refused":
        found = getattr(request, "_atalaya_refused", None)
        if found is None:
            found = cls()
            request._atalaya_refused = found
        return found


def _refused_form(form: Any, refusal: Exception) -> Any:
    class RefusedForm(form):
        def clean(self) -> Any:
            cleaned = super().clean()
            add_refusal(self, refusal)
            return cleaned

    return RefusedForm


def _ask_for_files_again(form: Any) -> None:
    """Browsers send no file that was chosen for an earlier page, and show an empty field."""
    if not form.is_bound or not form.errors:
        return
    for name in form.fields:
        if form.add_prefix(name) in form.files and name not in form.errors:
            form.add_error(name, _("Choose the file again: the browser does not keep it."))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, QuerySet) else value
