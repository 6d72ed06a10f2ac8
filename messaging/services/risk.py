"""What the risk engine hears from this desk.

Sent messages are reported in batches by a sweep: the message table is its own outbox, so sending
never waits for the engine, and a killed sweep starts again where it committed last.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from messaging.models import Message, MessageKind, Watermark
from riskops.services import EventInput, record_events
from systemadmin.foundation.batches import Batch, State
from systemadmin.models import User

SOURCE = "messaging"
_SWEEP = "risk.message_sent"
REPORTS = Batch("messaging.report_to_risk_engine")
# A transaction that took its id early may commit late; the sweep stays behind by this much.
_SETTLED = timedelta(seconds=30)


def report_to_risk(
    *, kind: str, account: User, occurred_at: datetime, external_id: str, data: dict[str, Any]
) -> None:
    """Record one event of the risk engine, in the caller's transaction."""
    fact = EventInput(
        kind=kind,
        account_id=account.pk,
        occurred_at=occurred_at,
        external_id=external_id,
        data=data,
    )
    record_events([fact], source=SOURCE)


@transaction.atomic
def report_sent_messages(*, limit: int = 1000) -> int:
    """Record the messages sent since the last sweep in the risk engine; return how many."""
    Watermark.objects.get_or_create(name=_SWEEP)
    mark = Watermark.objects.select_for_update().get(name=_SWEEP)
    rows = list(
        Message.objects.filter(
            pk__gt=mark.position, created_at__lt=timezone.now() - _SETTLED
        ).order_by("pk")[:limit]
    )
    if not rows:
        return 0
    # What fails stays on the list of failed rows and is reported from there.
    sent = [row for row in rows if row.kind == MessageKind.MEMBER]
    REPORTS.together(sent, _record, key=lambda row: row.pk)
    mark.position = rows[-1].pk
    mark.save(update_fields=["position", "updated_at"])
    return len(rows)


def report_failed_messages() -> int:
    """Try messages again that could not be reported; returns how many went through."""
    keys = REPORTS.known(State.DUE)
    return len(REPORTS.each(keys, lambda key: _record(Message.objects.filter(pk=int(key)))))


def _record(rows: Iterable[Message]) -> None:
    facts = [
        EventInput(
            kind="message_sent",
            account_id=row.sender_id,
            occurred_at=row.created_at,
            external_id=f"message-{row.pk}",
            # The text itself stays here; its fingerprint is enough to see one text sent to many.
            data={"conversation": row.conversation_id, "content": str(row.fingerprint or "")},
        )
        for row in rows
    ]
    if facts:
        record_events(facts, source=SOURCE)
