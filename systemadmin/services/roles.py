"""Roles that an installation makes for itself; those of the release stay as they are."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from systemadmin import audit
from systemadmin.errors import RoleInUse, RoleIsShipped
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.plugins import role_permissions
from systemadmin.models import User
from systemadmin.services import rights
from systemadmin.services.second_person import Attempt, needs_second_person


def _held_by_role(*, role: Group | None = None, **_rest: Any) -> list[str]:
    return [] if role is None else rights.names_of(role.permissions.all())


def _gives_more(attempt: Attempt) -> bool:
    """Return whether holders of the role get a permission; a new role has no holders."""
    if attempt.arguments.get("role") is None:
        return False
    return not set(rights.names_of(attempt.result.permissions.all())) <= set(attempt.before)


def _shown_change(*, role: Group, permissions: Any = None, **_rest: Any) -> list[tuple[Any, Any]]:
    wanted = sorted(f"{one.content_type.app_label}.{one.codename}" for one in permissions or [])
    return [
        (_("role"), role.name),
        (_("holders"), User.objects.filter(groups=role).count()),
        (_("gives now"), ", ".join(_held_by_role(role=role))),
        (_("would give"), ", ".join(wanted)),
    ]


@needs_second_person(
    "systemadmin.save_role",
    kind="rights",
    title=_("Give a role more permissions"),
    permission="auth.change_group",
    rule=_("when a role that exists gets a permission"),
    needs=_gives_more,
    subject=lambda attempt: attempt.arguments["role"],
    before=_held_by_role,
    state=_held_by_role,
    shown=_shown_change,
    approver=lambda person: person.holds_all_rights,
)
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
        rights.set_role_permissions(actor=actor, role=kept, permissions=permissions)
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
    rights.check_hands_out_rights(actor)
    rights.check_demo(actor)


def _own(actor: User, role: Group) -> Group:
    _must_be_superuser(actor)
    locked = lock_row(Group.objects.all(), pk=role.pk)
    if locked.name in role_permissions():
        raise RoleIsShipped
    return locked


def _shown(role: Group) -> dict[str, Any]:
    return {"name": role.name, "permissions": rights.names_of(role.permissions.all())}


def ship_roles(roles: Mapping[str, set[str]]) -> None:
    """Give each shipped role exactly these permissions, by name; those that nobody has are left.

    Permissions that staff granted to a role by hand are taken away again: a role means the same on
    every installation. Roles that staff made themselves are left alone.
    """
    held = Permission.objects.select_related("content_type")
    by_name = {f"{row.content_type.app_label}.{row.codename}": row for row in held}
    for name, wanted in roles.items():
        role, _created = Group.objects.get_or_create(name=name)
        found = [by_name[one] for one in wanted if one in by_name]
        rights.set_role_permissions(actor=None, role=role, permissions=found)
