"""Pages that only look: every admin page of ours begins here and changes nothing by itself."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.options import IS_POPUP_VAR, IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import AdminSplitDateTime, RelatedFieldWidgetWrapper
from django.core.exceptions import PermissionDenied
from django.db import DataError, models
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from systemadmin.foundation.admin import object_actions
from systemadmin.foundation.admin.paging import BoundedPaginator
from systemadmin.foundation.admin.shown_links import ShownLinks
from systemadmin.foundation.forms import (
    LineField,
    PlainDecimalField,
    PlainFloatField,
    PlainIntegerField,
)


class WriteWithoutService(TypeError):
    """A page would have written to the database past the services."""


class AtalayaModelAdmin(ShownLinks):
    """Looks, and changes only through services: read-only unless `editable`."""

    editable = False
    formfield_overrides = {
        models.IntegerField: {"form_class": PlainIntegerField},
        models.DecimalField: {"form_class": PlainDecimalField},
        models.FloatField: {"form_class": PlainFloatField},
    }
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each count beside a filter would be a query of its own
    list_per_page = 50
    actions_selection_counter = True

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Return the form field; names and titles are one line, and required texts are visible."""
        # Not its subclasses: addresses of mail and pages have fields of their own.
        if type(db_field) in (models.CharField, models.TextField) and not db_field.choices:
            kwargs.setdefault("form_class", LineField)
        field: Any = super().formfield_for_dbfield(db_field, request, **kwargs)
        widget = getattr(field, "widget", None)
        if isinstance(widget, RelatedFieldWidgetWrapper) and _is_of_accounts(db_field):
            # Nobody makes or changes an account on the way to something else.
            widget.can_add_related = widget.can_change_related = widget.can_delete_related = False
        if isinstance(widget, AdminSplitDateTime):
            # The label of the row names neither of the two boxes.
            for part, name in zip(widget.widgets, (_("Date"), _("Time")), strict=True):
                part.attrs["aria-label"] = f"{capfirst(field.label)}: {name}"
        return field

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the list; Django goes back to the whole list for an address that asks nonsense.

        It catches wrong values of filters only where it reads them itself: a year of 20 digits is
        an overflow, and PostgreSQL refuses some texts when the rows are read.
        """
        try:
            found = super().get_changelist_instance(request)
            # Django asks the full count, which these lists never make.
            found.show_admin_actions = bool(found.result_list)
        except (OverflowError, ValueError, DataError) as error:
            raise IncorrectLookupParameters from error
        return found

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether rows may be added; only pages that save through services allow it."""
        return self.editable and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the row may be changed, by the same rule."""
        return self.editable and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the row may be deleted, by the same rule."""
        return self.editable and super().has_delete_permission(request, obj)

    def save_model(self, request: HttpRequest, obj: Model, form: ModelForm, change: bool) -> None:
        """Refuse to let Django save the row; only `ServiceModelAdmin` saves, by a service."""
        raise WriteWithoutService(type(self).__name__)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        """Refuse to let Django delete the row."""
        raise WriteWithoutService(type(self).__name__)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet) -> None:
        """Refuse to let Django delete the rows."""
        raise WriteWithoutService(type(self).__name__)

    def has_perm_permission(self, request: HttpRequest) -> bool:
        """Django's hook behind `permissions=["perm"]`; each action checks its own permission."""
        return True

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list or run an action; one that is not offered to this user is refused."""
        if request.method == "POST" and self.has_view_or_change_permission(request):
            asked = set(request.POST.getlist("action")) - {""}
            if not asked <= set(self.get_actions(request)):
                raise PermissionDenied
        title = {} if IS_POPUP_VAR in request.GET else {"title": _plural(self.opts)}
        return super().changelist_view(request, {**title, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the object with every action that its list has, or do one of them."""

        def show(shown: HttpRequest, context: dict[str, Any]) -> HttpResponse:
            return super(AtalayaModelAdmin, self).change_view(shown, object_id, form_url, context)

        return object_actions.answer(self, request, object_id, extra_context or {}, show)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Show what the audit trail says of the object; Django's own log holds nothing here."""
        if not request.user.has_perm("systemadmin.view_auditentry"):
            raise PermissionDenied
        about = {
            "target_type__exact": self.model._meta.label_lower,
            "target_id__exact": unquote(object_id),
        }
        trail = reverse("admin:systemadmin_auditentry_changelist")
        return HttpResponseRedirect(f"{trail}?{urlencode(about)}")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer only the actions whose permission this user has."""
        actions = super().get_actions(request)
        return {
            name: entry
            for name, entry in actions.items()
            if entry is not None and _may_run(request, entry[0])
        }


def _plural(opts: Any) -> str:
    """Return what a list is called: by what is in it, not "Select … to change"."""
    return capfirst(str(opts.verbose_name_plural))


def _may_run(request: HttpRequest, action: Any) -> bool:
    perm = getattr(action, "perm", None)
    return perm is None or request.user.has_perm(perm)


class ReadOnlyInline(admin.TabularInline):
    """Rows of another table to look at."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: these rows are not added here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: these rows are not changed here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: these rows are not deleted here."""
        return False


def _is_of_accounts(db_field: Any) -> bool:
    return bool(db_field.related_model._meta.label == settings.AUTH_USER_MODEL)
