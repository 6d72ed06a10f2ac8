"""The command line: acts that need a second person wait there too, unless it is an emergency."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.utils.translation import gettext_lazy, gettext_noop

from systemadmin import audit
from systemadmin.foundation.context import context
from systemadmin.models import ApprovalRequest
from systemadmin.services import approvals
from systemadmin.services.alerts import raise_alert
from systemadmin.services.notifications import notify_superusers
from systemadmin.services.second_person import (
    Attempt,
    RequestDraft,
    acts,
    is_single_person_place,
    title_of,
)

R = TypeVar("R")
EMERGENCY = "systemadmin.duties.emergency"


def run_or_ask(
    *,
    act: str,
    arguments: Mapping[str, Any],
    run: Callable[[], R],
    is_emergency: bool,
    reason: str,
) -> R | ApprovalRequest:
    """Run an act of the command line in an emergency, or keep a request for it.

    A place with one person of staff needs no flag. What runs is audited and alerted. Raises
    `InvalidInput` when a request is kept without a reason.
    """
    attempt = Attempt(actor=None, arguments=arguments, before=None)
    if not (is_emergency or is_single_person_place()):
        return approvals.ask(actor=None, wish=RequestDraft.of(acts()[act], attempt), reason=reason)
    with context(audit_details={"emergency": is_emergency}):
        audit.record(EMERGENCY, metadata={"act": act, "single_person": True}, reason=reason)
        result = run()
    report_emergency(act=act, reason=reason)
    return result


def report_emergency(*, act: str, reason: str) -> None:
    """Alert and write to every superuser that somebody with a shell did this alone."""
    alert = raise_alert(
        rule="duties.emergency",
        key=act,
        severity="critical",
        summary=gettext_noop("Done on the command line without a second person: %(act_text)s"),
        facts={"act_text": title_of(act)},
        detail=reason,
    )
    notify_superusers(
        kind="duties.emergency",
        subject=gettext_lazy("Done on the command line without a second person: %(act)s"),
        body="%(reason)s",
        values={"act": gettext_lazy(title_of(act)), "reason": reason or "-"},
        key=f"emergency-{alert.pk}-{alert.count}",
    )
