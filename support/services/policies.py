"""Keeping calendars and policies: every change makes a version, no version ever changes."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from support import lifecycle
from support.business_hours import hours_from_json
from support.errors import InUse
from support.models import BusinessCalendar, SlaPolicy, SlaPolicyVersion, Ticket, TicketEvent
from support.services.history import note
from support.services.tickets import finish, lock_ticket
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.queue import enqueue
from systemadmin.models import User

MINUTES = ("first_response_minutes", "next_response_minutes", "resolution_minutes")
POLICY_FIELDS = (
    "name",
    "position",
    "is_active",
    "priority",
    "category",
    "calendar",
    *MINUTES,
    "escalate_to",
)
CALENDAR_FIELDS = ("name", "timezone", "windows", "holidays")
REAPPLY = "support.tasks.reapply_policy"


@transaction.atomic
def save_calendar(
    *,
    actor: User | None,
    calendar: BusinessCalendar | None = None,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> BusinessCalendar:
    """Create or change a calendar; its policies get a new version of their promise."""
    if calendar is None:
        kept = BusinessCalendar()
    else:
        kept = lock_row(
            BusinessCalendar.objects.all(), expected_version=expected_version, pk=calendar.pk
        )
        kept.bump()
    for name in CALENDAR_FIELDS:
        if name in values:
            setattr(kept, name, values[name])
    kept.holidays = sorted(str(day) for day in kept.holidays)
    _check_calendar(kept)
    kept.full_clean()
    kept.save()
    for policy in kept.policies.all():
        _new_version(policy, actor)
    audit.record("support.calendar.saved", actor=actor, target=kept, after=_terms_of(kept))
    return kept


def _check_calendar(calendar: BusinessCalendar) -> None:
    try:
        hours_from_json(_terms_of(calendar))
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        raise InvalidInput("windows", _("Not a timetable: %(why)s") % {"why": error}) from error


def _terms_of(calendar: BusinessCalendar) -> dict[str, Any]:
    return {
        "timezone": calendar.timezone,
        "windows": calendar.windows,
        "holidays": list(calendar.holidays),
    }


@transaction.atomic
def save_policy(
    *,
    actor: User | None,
    policy: SlaPolicy | None = None,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> SlaPolicy:
    """Create or change a policy; what was promised before stays promised."""
    if policy is None:
        kept = SlaPolicy()
    else:
        kept = lock_row(SlaPolicy.objects.all(), expected_version=expected_version, pk=policy.pk)
        kept.bump()
    for name in POLICY_FIELDS:
        if name in values:
            setattr(kept, name, values[name])
    if not any(getattr(kept, name) for name in MINUTES):
        raise InvalidInput("", _("A policy promises something."), code="empty_policy")
    kept.full_clean()
    kept.save()
    _new_version(kept, actor)
    audit.record("support.policy.saved", actor=actor, target=kept, after=dict(values))
    return kept


def _new_version(policy: SlaPolicy, actor: User | None) -> None:
    terms = {
        "name": policy.name,
        **{name: getattr(policy, name) for name in MINUTES},
        "calendar": _terms_of(policy.calendar),
    }
    if policy.current is not None and policy.current.terms == terms:
        return
    number = policy.versions.aggregate(last=Max("number"))["last"] or 0
    policy.current = SlaPolicyVersion.objects.create(
        policy=policy, number=number + 1, terms=terms, created_by=actor
    )
    policy.save(update_fields=["current", "updated_at"])


@transaction.atomic
def delete_policy(*, actor: User, policy: SlaPolicy) -> None:
    """Remove a policy that promised nobody anything yet."""
    locked = lock_row(SlaPolicy.objects.all(), pk=policy.pk)
    if (
        Ticket.objects.filter(sla_version__policy=locked).exists()
        or TicketEvent.objects.filter(
            kind=TicketEvent.Kind.TARGETS,
            data__version__in=list(locked.versions.values_list("pk", flat=True)),
        ).exists()
    ):
        raise InUse(_("Tickets were promised something by this policy. Deactivate it instead."))
    audit.record("support.policy.deleted", actor=actor, target=locked)
    locked.delete()


def apply_to_open(*, actor: User, policy: SlaPolicy) -> str:
    """Queue giving the policy's present version to the open tickets under it."""
    audit.record("support.policy.reapplied", actor=actor, target=policy)
    return enqueue(REAPPLY, policy.pk)


def reapply(policy_pk: int) -> int:
    """Give open tickets of a policy its present version; time used so far stays used."""
    policy = SlaPolicy.objects.select_related("current").get(pk=policy_pk)
    pks = list(
        Ticket.objects.filter(sla_version__policy=policy, status__in=lifecycle.OPEN_STATUSES)
        .exclude(sla_version=policy.current)
        .values_list("pk", flat=True)
    )
    return sum(_reapply_one(pk, policy) for pk in pks)


@transaction.atomic
def _reapply_one(pk: int, policy: SlaPolicy) -> int:
    ticket = lock_ticket(Ticket(pk=pk))
    if ticket.sla_version_id == policy.current_id or ticket.is_done:
        return 0
    now = timezone.now()
    ticket.sla_version = policy.current
    note(
        ticket,
        TicketEvent.Kind.TARGETS,
        actor=None,
        at=now,
        version=policy.current_id,
        policy=policy.name,
    )
    finish(ticket, now=now)
    return 1
