"""Events and accounts for tests."""

import itertools
from datetime import UTC, datetime, timedelta

from riskops.models import RelatedAccount
from riskops.services import EventInput, record_events

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_numbers = itertools.count(1)


def event(account, kind="login_ok", ago=None, **fields):
    """An event of an account, `ago` before NOW unless `occurred_at` is given."""
    occurred_at = fields.pop("occurred_at", NOW - (ago or timedelta(hours=1)))
    return EventInput(
        kind=kind,
        account_id=getattr(account, "pk", account),
        occurred_at=occurred_at,
        external_id=fields.pop("external_id", f"e{next(_numbers)}"),
        **fields,
    )


def record(*events, source="test", **kwargs):
    """Records events and fails the test when one is refused."""
    result = record_events(list(events), source=source, **kwargs)
    assert not result.refused, result.refused
    return result


def confirmed(first, second):
    """State that two accounts have one owner, and return the second."""
    low, high = sorted((first.pk, second.pk))
    RelatedAccount.objects.create(
        low_id=low, high_id=high, status="confirmed", decided_at="2026-01-01T00:00:00Z"
    )
    return second
