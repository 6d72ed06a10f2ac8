"""Random histories of a handful of accounts: every kind of event, late, crowded, repeated."""

from datetime import timedelta

from riskops.models import EventKind
from riskops.services import EventInput
from riskops.tests.factories import NOW

COUNTRIES = ("ES", "FR", "KP", "")


def history(rng, accounts, size, now=NOW):
    """Events of the given accounts before `now`, in no order."""
    events = []
    while len(events) < size:
        account = rng.choice(accounts)
        if rng.random() < 0.1:
            events += machine(rng, account, now, len(events))
        else:
            events.append(one(rng, account, now, len(events)))
    rng.shuffle(events)
    return events


def one(rng, account, now, number):
    span = rng.choice((3600, 86_400, 7 * 86_400, 90 * 86_400, 800 * 86_400))
    kind = rng.choice(list(EventKind))
    has_ip = kind in (EventKind.LOGIN_OK, EventKind.LOGIN_FAILED) or rng.random() < 0.3
    return EventInput(
        kind=kind,
        account_id=account.pk,
        occurred_at=now - timedelta(seconds=rng.randrange(span), microseconds=rng.randrange(10**6)),
        external_id=f"h{number}",
        ip=f"203.0.{rng.randrange(2)}.{rng.randrange(9)}" if has_ip else None,
        device=f"device-{rng.randrange(6)}" if rng.random() < 0.3 else None,
        wallet=f"0xW{rng.randrange(8)}" if rng.random() < 0.3 else None,
        counterparty_wallet=f"0xC{rng.randrange(8)}" if kind == EventKind.TRANSFER else None,
        amount=rng.randrange(10**6) if kind == EventKind.TRANSFER else None,
        currency="EUR" if kind == EventKind.TRANSFER else "",
        country=rng.choice(COUNTRIES),
    )


def machine(rng, account, now, number):
    """Posts in equal steps, now and then faster than hands."""
    step = rng.choice((1, 60, 600))
    start = now - timedelta(seconds=rng.randrange(step * 45, step * 45 + 40_000))
    return [
        EventInput(
            kind=EventKind.CONTENT_POSTED,
            account_id=account.pk,
            occurred_at=start + timedelta(seconds=step * i),
            external_id=f"h{number + i}",
        )
        for i in range(rng.randrange(5, 45))
    ]
