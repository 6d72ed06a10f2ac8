"""Roles that an installation makes for itself; those of the release stay as they are."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from systemadmin import audit
from systemadmin.errors import RoleInUse, RoleIsShipped
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import NotAllowed
from systemadmin.foundation.sockets import role_permissions
from systemadmin.models import User


@transaction.atomic
def save_role(
    *,
    actor: User,
    role: Group | None = None,
    name: str | None = None,
    permissions: Iterable[Permission] | None = None,
) -> Group:
    """Create or change a role; superusers only.

    Raises `NotAllowed`, `RoleIsShipped` and Django's `ValidationError`.
    """
    kept = Group() if role is None else _own(actor, role)
    _must_be_superuser(actor)
    before = {} if role is None else _shown(kept)
    if name is not None:
        kept.name = name
    if kept.name in role_permissions():
        raise RoleIsShipped
    kept.full_clean()
    kept.save()
    if permissions is not None:
        kept.permissions.set(permissions)
    audit.record(
        "systemadmin.role.created" if role is None else "systemadmin.role.changed",
        actor=actor,
        target=kept,
        before=before,
        after=_shown(kept),
    )
    return kept


@transaction.atomic
def delete_role(*, actor: User, role: Group) -> None:
    """Delete a role that nobody has; superusers only.

    Raises `NotAllowed`, `RoleIsShipped` and `RoleInUse`.
    """
    kept = _own(actor, role)
    if User.objects.filter(groups=kept).exists():
        raise RoleInUse
    audit.record("systemadmin.role.deleted", actor=actor, target=kept, before=_shown(kept))
    kept.delete()


def _must_be_superuser(actor: User) -> None:
    if not actor.is_superuser:
        raise NotAllowed


def _own(actor: User, role: Group) -> Group:
    _must_be_superuser(actor)
    locked = lock_row(Group.objects.all(), pk=role.pk)
    if locked.name in role_permissions():
        raise RoleIsShipped
    return locked


def _shown(role: Group) -> dict[str, Any]:
    held = role.permissions.values_list("content_type__app_label", "codename")
    return {"name": role.name, "permissions": sorted(f"{app}.{code}" for app, code in held)}
