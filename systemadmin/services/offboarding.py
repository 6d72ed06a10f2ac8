"""Off-boarding: one act that takes everything of staff's from an account, and what is left.

Apps add what they hold by a module `offboarding.py` with `HOLDINGS`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from systemadmin import audit
from systemadmin.errors import SuccessorIsNotStaff
from systemadmin.foundation import plugins
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.plugins import Holding
from systemadmin.models import (
    ApiToken,
    EncryptedTotpDevice,
    RecoveryCode,
    ServiceKey,
    User,
    UserSession,
)
from systemadmin.services import rights, sessions, two_factor
from systemadmin.services.duties import check_no_own_interest
from systemadmin.services.service_keys import release_keys
from systemadmin.services.webhooks import count_endpoints, leave_endpoints

_NO_RIGHTS: Final = {"is_staff": False, "is_superuser": False}


@dataclass(frozen=True, slots=True)
class RemainingHolding:
    """One kind of thing of staff's, and how much of it an account still has."""

    code: str
    title: Any
    count: int


def what_is_left(user: User) -> list[RemainingHolding]:
    """Return what makes an account staff and what it holds; all zero when it is off-boarded."""
    return [RemainingHolding(one.code, one.title, one.count(user)) for one in _holdings()]


def _holdings() -> list[Holding]:
    return plugins.collect("offboarding", "HOLDINGS")


def base_holdings() -> list[Holding]:
    """Return what the base app holds; all of it goes with the rights."""
    return [
        Holding(code="staff", title=_("Counts as staff"), count=_flags),
        Holding(code="roles", title=_("Roles"), count=lambda user: user.groups.count()),
        Holding(
            code="permissions",
            title=_("Direct permissions"),
            count=lambda user: user.user_permissions.count(),
        ),
        Holding(
            code="service_keys",
            title=_("Service keys"),
            count=lambda user: ServiceKey.objects.live().filter(owner=user).count(),
            release=release_keys,
        ),
        Holding(
            code="webhook_endpoints",
            title=_("Webhook endpoints that are on"),
            count=count_endpoints,
            release=leave_endpoints,
        ),
        Holding(code="sessions", title=_("Sessions"), count=_number_of(UserSession.objects.all())),
        Holding(code="tokens", title=_("Tokens"), count=_number_of(ApiToken.objects.all())),
        Holding(
            code="second_factors",
            title=_("Authenticator apps"),
            count=_number_of(EncryptedTotpDevice.objects.all()),
        ),
        Holding(
            code="recovery_codes",
            title=_("Recovery codes"),
            count=_number_of(RecoveryCode.objects.all()),
        ),
    ]


def _flags(user: User) -> int:
    return int(user.is_staff) + int(user.is_superuser)


def _number_of(rows: QuerySet[Any]) -> Callable[[User], int]:
    return lambda user: rows.filter(user=user).count()


@transaction.atomic
def offboard(
    *, actor: User | None, user: User, reason: str, successor: User | None = None
) -> list[RemainingHolding]:
    """Take rights, sessions, tokens, second factor and held work from an account of staff.

    Work goes to `successor` or, without one, back to everybody. The account stays as a member's.
    Returns what was left before. Raises `NotAllowed`, `DemoActsOnReal`, `OwnInterest`,
    `SuccessorIsNotStaff` and `InvalidInput` (no reason).
    """
    rights.check_hands_out_rights(actor)
    rights.check_reach(actor, user)
    _check(actor, user, reason, successor)
    rights.lock_superusers(user)
    before = what_is_left(user)
    for holding in _holdings():
        if holding.release is not None:
            holding.release(actor=actor, user=user, successor=successor)
    rights.set_rights(
        actor=actor, user=user, flags=_NO_RIGHTS, roles=[], permissions=[], reason=reason
    )
    sessions.end_all(actor=None, user=user, reason="off-boarded")
    two_factor.remove_all(user)
    audit.record(
        "systemadmin.user.offboarded",
        actor=actor,
        target=user,
        before={one.code: one.count for one in before},
        after={one.code: one.count for one in what_is_left(user)},
        reason=reason,
        metadata={"successor": successor.pk if successor else None},
    )
    return before


def _check(actor: User | None, user: User, reason: str, successor: User | None) -> None:
    if not reason.strip():
        raise InvalidInput("reason", code="required")
    if actor is not None:
        check_no_own_interest(actor=actor, concerns=[user.pk], act="systemadmin.set_rights")
    if successor is not None and (successor.pk == user.pk or not successor.is_acting_staff):
        raise SuccessorIsNotStaff
