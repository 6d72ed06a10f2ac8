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
from systemadmin.models import ApprovalRequest, AuditEntry, User
from systemadmin.services.duties import accounts_of, check_no_own_interest, concerned_by
from systemadmin.services.second_person import GuardedAct

DECIDE: Final = "systemadmin.decide_approvalrequest"
_MADE_COLLEAGUES: Final = (
    "systemadmin.user.created",
    "systemadmin.user.rights_changed",
    "systemadmin.user.role_rights_changed",
)


def who_may(act: GuardedAct) -> dict[str, Any]:
    """Return the permission, the roles that hold it, and the same in words."""
    roles = [] if act.approver else _roles_with(act.permission)
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


def eligible(
    asker: User | None, act: GuardedAct, arguments: Mapping[str, Any] | None = None
) -> list[User]:
    """Return the colleagues who may decide what `asker` asks for, by name."""
    people = User.objects.staff()
    if act.approver is not None:
        people = people.filter(is_superuser=True)
    else:
        people = people.filter(Q(is_superuser=True) | _holds(act.permission, "groups__")).filter(
            Q(is_superuser=True) | _holds(DECIDE, "groups__")
        )
    if asker is None:
        people = people.filter(is_demo=False)
    else:
        people = people.exclude(pk__in=accounts_of(asker.pk) | _made_by(asker))
        people = people if asker.is_demo else people.filter(is_demo=False)
    found = list(people.distinct().order_by("username"))
    return [one for one in found if not _is_concerned(one, act, arguments)]


def _is_concerned(person: User, act: GuardedAct, arguments: Mapping[str, Any] | None) -> bool:
    if arguments is None:
        return False
    try:
        check_no_interest(actor=person, act=act, arguments=arguments)
    except OwnInterest:
        return True
    return False


def check_may_decide(*, actor: User, request: ApprovalRequest, act: GuardedAct) -> None:
    """Raise `CannotDecideRequest`, which says who may."""
    why = obstacle(actor, request, act)
    if why:
        raise CannotDecideRequest(why, who_may(act))


def check_no_interest(*, actor: User, act: GuardedAct, arguments: Mapping[str, Any]) -> None:
    """Raise `OwnInterest` where the act concerns whoever decides."""
    check_no_own_interest(actor=actor, concerns=concerned_by(act.name, arguments), act=act.name)


def obstacle(actor: User, request: ApprovalRequest, act: GuardedAct) -> str:
    """Return why somebody is not the second person, or nothing."""
    asker = request.asked_by
    if not (actor.has_perm(DECIDE) and actor.has_perm(act.permission)):
        return _("You lack the permission of this act.")
    if act.approver is not None and not act.approver(actor):
        return _("You lack the permission of this act.")
    if actor.is_demo and (asker is None or not asker.is_demo):
        return _("A demo account does not decide for real ones.")
    if asker is None:
        return ""
    if actor.pk == asker.pk:
        return _("You asked for this yourself.")
    if actor.pk in accounts_of(asker.pk):
        return _("Your account is confirmed to be related to that of who asked.")
    if actor.pk in _made_by(asker):
        return _("Who asked made your account, or gave you your rights, a short while ago.")
    return ""


def _made_by(asker: User) -> set[int]:
    """Return the accounts that somebody made or gave rights within the last hours."""
    since = timezone.now() - timedelta(hours=setting("duties.new_colleague_hours"))
    rows = AuditEntry.objects.filter(
        actor=asker,
        action__in=_MADE_COLLEAGUES,
        occurred_at__gt=since,
        target_type="systemadmin.user",
    )
    return {int(pk) for pk in rows.values_list("target_id", flat=True)}
