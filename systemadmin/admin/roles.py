"""Roles in the admin: those of the release to look at, one's own to change."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import prefetch_related_objects
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.admin import ServiceModelAdmin
from systemadmin.foundation.admin.permissions import PermissionChoiceField
from systemadmin.foundation.plugins import role_permissions
from systemadmin.services.roles import delete_role, save_role


@admin.register(Group)
class RoleAdmin(ServiceModelAdmin):
    """What each role may do."""

    list_display = ["name", "is_shipped"]
    search_fields = ["name__icontains"]
    ordering = ["name"]
    fields = ["name", "permissions"]
    filter_horizontal = ["permissions"]

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Return a role with its permissions, whose names need what they are about."""
        role = super().get_object(request, object_id, from_field)
        if role is not None:
            prefetch_related_objects([role], "permissions__content_type")
        return role

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the permissions in the reader's language."""
        if db_field.name == "permissions":
            kwargs["form_class"] = PermissionChoiceField
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    @admin.display(description=_("of the release"), boolean=True)
    def is_shipped(self, role: Group) -> bool:
        """Return whether the release defines it."""
        return role.name in role_permissions()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the role may be changed: those of the release may not."""
        return not _is_shipped(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the role may be deleted: those of the release may not."""
        return not _is_shipped(obj) and super().has_delete_permission(request, obj)

    def create(self, actor: Any, values: dict[str, Any]) -> Group:
        """Add one of one's own."""
        return save_role(actor=actor, **values)

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> Group:
        """Change the role by its service."""
        return save_role(actor=actor, role=obj, **values)

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete one that nobody has."""
        delete_role(actor=actor, role=obj)


def _is_shipped(role: Group | None) -> bool:
    return role is not None and role.name in role_permissions()
