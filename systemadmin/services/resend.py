"""Sending again what an outbox has given up."""

from typing import Any

from django.db import transaction

from systemadmin import audit
from systemadmin.foundation.errors import RuleViolation
from systemadmin.foundation.outbox import Outbox, OutboxModel, OutboxStatus


@transaction.atomic
def resend(
    outbox: Outbox,
    row: OutboxModel,
    *,
    actor: Any,
    action: str,
    refusal: type[RuleViolation],
    of: tuple[str, ...] = (OutboxStatus.FAILED,),
) -> None:
    """Give a row another round of attempts and write the audit row `action`.

    Raises `refusal` unless the row's status is one of `of`.
    """
    if not outbox.revive(row.pk, of=of):
        raise refusal
    audit.record(action, actor=actor, target=row)
