"""Who may decide a request: people with the act's permission whom nothing ties to who asked."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth.models import Group
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from systemadmin.errors import CannotDecideRequest, OwnInterest
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import NotFound
from systemadmin.models import ApprovalRequest, AuditEntry, User
from systemadmin.services.approval_arguments import decode_all, encode_all
from systemadmin.services.duties import (
    accounts_of,
    check_no_own_interest,
    concerned_by,
    key_owners,
)
from systemadmin.services.second_person import GuardedAct, is_single_person_place

DECIDE: Final = "systemadmin.decide_approvalrequest"
_MADE_COLLEAGUES: Final = (
    "systemadmin.user.created",
    "systemadmin.user.rights_changed",
    "systemadmin.user.role_rights_changed",
)


def who_may(act: GuardedAct, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the permission, the roles that hold it, and the same in words.

    `arguments` are those of a call, as a request keeps them.
    """
    roles = [] if act.is_for_superusers(arguments) else _roles_with(act.permission)
    words = ", ".join([*roles, _("a superuser")])
    return {"permission": act.permission, "roles": roles, "text": words}


def _roles_with(permission: str) -> list[str]:
    found = Group.objects.filter(_holds(permission, "")).filter(_holds(DECIDE, ""))
    return list(found.order_by("name").values_list("name", flat=True).distinct())


def _holds(permission: str, prefix: str) -> Q:
    app, codename = permission.split(".")
    return Q(
        **{
            f"{prefix}permissions__content_type__app_label": app,
            f"{prefix}permissions__codename": codename,
        }
    )


def eligible(asker: User | None, act: GuardedAct, arguments: Mapping[str, Any]) -> list[User]:
    """Return the colleagues who may decide what `asker` asks for, by name."""
    people = User.objects.staff()
    if act.is_for_superusers(encode_all(arguments) if act.superusers_only else {}):
        people = people.filter(is_superuser=True)
    else:
        people = people.filter(Q(is_superuser=True) | _holds(act.permission, "groups__")).filter(
            Q(is_superuser=True) | _holds(DECIDE, "groups__")
        )
    if asker is None:
        people = people.filter(is_demo=False)
    else:
        people = people.exclude(pk__in=_tied_to(asker) | _made_by(asker))
        people = people if asker.is_demo else people.filter(is_demo=False)
    found = list(people.distinct().order_by("username"))
    tied = act.excluded_approvers(**arguments) if act.excluded_approvers else set()
    return [one for one in found if one.pk not in tied and not _is_concerned(one, act, arguments)]


def _is_concerned(person: User, act: GuardedAct, arguments: Mapping[str, Any]) -> bool:
    try:
        check_no_interest(actor=person, act=act, arguments=arguments)
    except OwnInterest:
        return True
    return False


def check_may_decide(*, actor: User, request: ApprovalRequest, act: GuardedAct) -> None:
    """Raise `CannotDecideRequest`, which says who may."""
    why = obstacle(actor, request, act)
    if why:
        raise CannotDecideRequest(why, who_may(act, request.arguments))


def check_no_interest(*, actor: User, act: GuardedAct, arguments: Mapping[str, Any]) -> None:
    """Raise `OwnInterest` where the act concerns whoever decides."""
    # Whoever decides is asked as if they did it themselves.
    concerns = concerned_by(act.name, {**arguments, "actor": actor})
    check_no_own_interest(actor=actor, concerns=concerns, act=act.name)


def obstacle(actor: User, request: ApprovalRequest, act: GuardedAct) -> str:
    """Return why somebody is not the second person, or nothing."""
    asker = request.asked_by
    if actor.is_service:
        return _("A service key decides nothing.")
    if not _has_rights(actor, request, act):
        return _("You lack the permission of this act.")
    if actor.is_demo and (asker is None or not asker.is_demo):
        return _("A demo account does not decide for real ones.")
    if actor.pk in _tied(request, act):
        return _("You changed what this is about a short while ago.")
    return "" if asker is None else _closeness(actor, asker)


def _has_rights(actor: User, request: ApprovalRequest, act: GuardedAct) -> bool:
    if not (actor.has_perm(DECIDE) and actor.has_perm(act.permission)):
        return False
    if act.approver is not None and not act.approver(actor):
        return False
    return actor.holds_all_rights or not act.is_for_superusers(request.arguments)


def _closeness(actor: User, asker: User) -> str:
    """Return why somebody is too close to who asked, or nothing."""
    if actor.pk == asker.pk:
        return _("You asked for this yourself.")
    if actor.pk in _tied_to(asker):
        return _("Your account is confirmed to be related to that of who asked.")
    if actor.pk in _made_by(asker):
        return _("Who asked made your account, or gave you your rights, a short while ago.")
    return ""


def _tied(request: ApprovalRequest, act: GuardedAct) -> set[int]:
    if act.excluded_approvers is None or request.standing != ApprovalRequest.State.WAITING:
        return set()
    try:
        return act.excluded_approvers(**decode_all(request.arguments))
    except NotFound:
        return set()


def _tied_to(asker: User) -> set[int]:
    """Return the accounts that are no second person for who asked.

    Where one person works alone, they decide what their own keys ask for: a key never acts alone.
    """
    tied = accounts_of(asker.pk)
    if asker.is_service and is_single_person_place():
        tied -= set(key_owners([asker.pk]).values())
    return tied


def _made_by(asker: User) -> set[int]:
    """Return the accounts that somebody, or a key's owner, gave rights within the last hours."""
    since = timezone.now() - timedelta(hours=setting("duties.new_colleague_hours"))
    rows = AuditEntry.objects.filter(
        actor__in=accounts_of(asker.pk),
        action__in=_MADE_COLLEAGUES,
        occurred_at__gt=since,
        target_type="systemadmin.user",
    )
    return {int(pk) for pk in rows.values_list("target_id", flat=True)}
