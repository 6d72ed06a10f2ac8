"""How fast retention removes a million rows, beside a bare DELETE of the same rows in the same run.

    DATABASE_URL=postgres://… python bench/retention.py --rows 1000000

Needs an empty database of its own. The rows are notices to accounts and account events: the first
are only deleted, the second are added to sums before.
"""

import argparse
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DJANGO_DEBUG", "1")
import django

django.setup()

from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from riskops.models import AccountEvent, Identifier
from systemadmin.models import Notification, User
from systemadmin.services.retention import nightly, prune_rules

BATCH = 10_000
ACCOUNTS = 2_000


def main() -> None:
    """Fill, remove by DELETE, fill again, remove by rule; print both rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    call_command("migrate", verbosity=0)
    # What a backup costs is measured by bench/backup.py.
    nightly.backup_since = lambda *_args: None
    users = make_accounts()
    for name, fill, model in (
        ("notices", fill_notices, Notification),
        ("events", fill_events, AccountEvent),
    ):
        fill(users, rows)
        bare = timed(lambda model=model: delete_all(model))
        fill(users, rows)
        pruned = timed(lambda name=name: prune_rules([name]))
        assert not model.objects.exists()
        print(
            f"{name}: {rows:,} rows, bare DELETE {rows / bare:,.0f}/s, rule "
            f"{rows / pruned:,.0f}/s ({pruned / bare:.1f} times the time)"
        )


def make_accounts() -> list[int]:
    """Return accounts that the rows belong to."""
    User.objects.bulk_create(
        [User(username=f"bench{n}") for n in range(ACCOUNTS)], ignore_conflicts=True
    )
    named = User.objects.filter(username__startswith="bench")
    return list(named.order_by("pk").values_list("pk", flat=True))


def fill_notices(users: list[int], rows: int) -> None:
    """Sent notices from two years ago."""
    old = timezone.now() - timedelta(days=730)
    for start in range(0, rows, BATCH):
        Notification.objects.bulk_create(
            [
                Notification(
                    user_id=users[n % len(users)],
                    channel="email",
                    kind="bench",
                    key=f"bench-{n}",
                    subject="A notice",
                    body="A text of some length. " * 5,
                    status="sent",
                )
                for n in range(start, min(start + BATCH, rows))
            ]
        )
    Notification.objects.update(created_at=old)
    settle()


def fill_events(users: list[int], rows: int) -> None:
    """Sign-ins from two years ago, from ten addresses per account."""
    old = timezone.now() - timedelta(days=730)
    Identifier.objects.bulk_create(
        [Identifier(kind="ip", value=f"10.0.{n // 250}.{n % 250}") for n in range(20_000)],
        ignore_conflicts=True,
    )
    ips = list(Identifier.objects.order_by("pk").values_list("pk", flat=True)[:20_000])
    for start in range(0, rows, BATCH):
        AccountEvent.objects.bulk_create(
            [
                AccountEvent(
                    account_id=users[n % len(users)],
                    kind=2,
                    occurred_at=old + timedelta(seconds=n),
                    source="bench",
                    external_id=str(n),
                    ip_id=ips[(n * 7) % len(ips)],
                    country="ES",
                )
                for n in range(start, min(start + BATCH, rows))
            ]
        )
    settle()


def settle() -> None:
    """Leave no work of the fill to what is measured."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def delete_all(model: type) -> None:
    """One statement without conditions, in one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {model._meta.db_table}")  # type: ignore[attr-defined]


def timed(work: object) -> float:
    """Return the seconds that it takes."""
    started = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
