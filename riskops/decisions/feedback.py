"""What became of a decision: said by the service that asked, or by staff."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from riskops.models import Decision
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User
from systemadmin.services.duties import decides


def _account_of_decision(*, decision: Decision, **_rest: object) -> list[int]:
    return [decision.account_id]


@decides(
    "riskops.give_decision_feedback",
    permission="riskops.feedback_decision",
    concerns=_account_of_decision,
)
@transaction.atomic
def give_decision_feedback(
    *,
    actor: User | None,
    decision: Decision,
    feedback: str,
    note: str = "",
    known_at: datetime | None = None,
) -> Decision:
    """Write down what became of a decision; what is said later counts."""
    row = lock_row(Decision.objects.all(), pk=decision.pk)
    moment = known_at or timezone.now()
    if not row.decided_at <= moment <= timezone.now():
        text = _("Must lie between the decision and now.")
        raise InvalidInput("known_at", text)
    before = {"feedback": row.feedback, "feedback_at": row.feedback_at}
    row.feedback, row.feedback_at, row.feedback_by = feedback, moment, actor
    row.full_clean(exclude=["account", "rule", "ruleset", "feedback_by", "breakdown", "matched"])
    row.save(update_fields=["feedback", "feedback_at", "feedback_by"])
    audit.record(
        "riskops.decision_feedback.recorded",
        actor=actor,
        target=row,
        before=before,
        after={"feedback": feedback, "feedback_at": moment},
        reason=note,
    )
    return row
