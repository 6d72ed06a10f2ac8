"""Orders of a platform, imported from a file, beside bare inserts of the same rows.

    python bench/order_imports.py postgres://postgres@127.0.0.1:5432/postgres 100000

A database of its own is made beside the one that the URL names, and dropped at the end. First the
orders are imported by the service that the command calls. Then the rows that this wrote are read,
and copies of them with other keys are inserted by plain statements of 1,000 rows, table by table,
in one transaction per 1,000 orders as the import has it. In between as many orders again are
imported from a file by the command, which is killed (SIGKILL) after a third and started again: each
order is there once.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DJANGO_DEBUG", "1")

import django
from databases import empty_database

database = ExitStack()
os.environ["DATABASE_URL"] = database.enter_context(empty_database(sys.argv[1], "bench_orders"))
django.setup()

from django.core.management import call_command
from django.db import connection, transaction

from marketplace.models import (
    Category,
    CommissionCharge,
    CommissionLine,
    LedgerEntry,
    LedgerTransaction,
    Order,
    OrderLine,
    Product,
)
from marketplace.services.order_imports import import_orders
from riskops.models import AccountEvent
from systemadmin.models import User

CHUNK = 1000
PEOPLE = 500
# Entries before their transaction: its trigger adds them up.
TABLES: list[tuple[type[Any], dict[str, type[Any]]]] = [
    (Order, {}),
    (OrderLine, {"order_id": Order}),
    (CommissionLine, {"line_id": OrderLine}),
    (CommissionCharge, {"line_id": OrderLine}),
    (LedgerEntry, {"transaction_id": LedgerTransaction, "line_id": OrderLine}),
    (LedgerTransaction, {"order_id": Order}),
    (AccountEvent, {}),
]
UNIQUE = {"external_id", "payment_reference", "key", "external_key", "external_id_hash"}


def prepare() -> list[Product]:
    """Make members and listings, once."""
    if not Product.objects.filter(external_id="bench-0").exists():
        category = Category.objects.create(name="Bench", slug="bench")
        User.objects.bulk_create(
            [User(username=f"bench-{n}", external_id=f"bench-{n}") for n in range(PEOPLE)]
        )
        sellers = list(User.objects.filter(username__startswith="bench-").order_by("pk")[:50])
        Product.objects.bulk_create(
            [
                Product(
                    external_id=f"bench-{n}",
                    seller=seller,
                    category=category,
                    title=f"Listing {n}",
                    price=1000,
                    currency="EUR",
                    status="approved",
                    approved_at=datetime(2026, 1, 1, tzinfo=UTC),
                )
                for n, seller in enumerate(sellers)
            ]
        )
    return list(Product.objects.filter(external_id__startswith="bench-").order_by("pk"))


def rows(start: int, count: int) -> list[dict[str, Any]]:
    """Return orders as a file has them."""
    first = datetime(2026, 1, 1, tzinfo=UTC)
    made = []
    for number in range(start, start + count):
        at = first + timedelta(seconds=number)
        made.append(
            {
                "external_id": f"bench-order-{number}",
                "buyer": f"ext:bench-{50 + number % (PEOPLE - 50)}",
                "currency": "EUR",
                "ordered_at": at.isoformat(),
                "lines": [
                    {
                        "product": f"ext:bench-{number % 50}",
                        "quantity": 1 + number % 3,
                        "unit_price": 1000,
                        "shipping": 300,
                    }
                ],
                "payment": {"reference": f"bench-pi-{number}", "paid_at": at.isoformat()},
            }
        )
    return made


def newest(model: type[Any]) -> int:
    """Return the largest key of a table."""
    return model._base_manager.order_by("-pk").values_list("pk", flat=True).first() or 0


def bare(before: dict[type[Any], int], after: dict[type[Any], int], count: int) -> float:
    """Insert copies of the rows written between `before` and `after`; return the seconds."""
    shift = {model: newest(model) + 10 for model, _refs in TABLES}
    found = [copies_of(model, refs, before, after, shift) for model, refs in TABLES]
    started = time.monotonic()
    for chunk in range(0, count, CHUNK):
        with transaction.atomic():
            for table, names, copies in found:
                per = -(-len(copies) * CHUNK // count)
                insert(table, names, copies[chunk // CHUNK * per : (chunk // CHUNK + 1) * per])
    return time.monotonic() - started


def copies_of(
    model: type[Any],
    refs: Any,
    before: dict[type[Any], int],
    after: dict[type[Any], int],
    shift: dict[type[Any], int],
) -> tuple[str, str, list[list[Any]]]:
    """Return a table, the names of its columns and copies of its new rows, keys shifted."""
    columns = [field.column for field in model._meta.concrete_fields]
    names = ", ".join(map(connection.ops.quote_name, columns))
    table = connection.ops.quote_name(model._meta.db_table)
    keys = [model._meta.pk.column, *refs]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {names} FROM {table} WHERE "
            f"{model._meta.pk.column} > %s AND {model._meta.pk.column} <= %s "
            f"ORDER BY {model._meta.pk.column}",
            [before[model], after[model]],
        )
        rows = cursor.fetchall()
    copies = [
        [
            changed(model, refs, keys, name, value, shift, before)
            for name, value in zip(columns, row, strict=True)
        ]
        for row in rows
    ]
    return table, names, copies


def insert(table: str, names: str, rows: list[list[Any]]) -> None:
    """Insert rows with one statement."""
    if not rows:
        return
    cell = "(" + ", ".join(["%s"] * len(rows[0])) + ")"
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) VALUES " + ", ".join([cell] * len(rows)),
            [value for row in rows for value in row],
        )


def changed(model, refs, keys, name, value, shift, before):
    """Return a value for the copy of a row: keys moved on, unique texts made new."""
    from psycopg.types.json import Jsonb

    if name == keys[0] and isinstance(value, int):
        return value - before[model] + shift[model]
    if name in refs and value is not None:
        return value - before[refs[name]] + shift[refs[name]]
    if name in UNIQUE and isinstance(value, str) and value:
        return f"copy-{value}"
    return Jsonb(value) if isinstance(value, dict | list) else value


def killed_and_started_again(start: int, count: int) -> bool:
    """Import a file by the command, kill it on the way, start it again, and count."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.jsonl"
        with path.open("w") as file:
            for chunk in range(start, start + count, CHUNK):
                size = min(CHUNK, start + count - chunk)
                file.writelines(f"{json.dumps(row)}\n" for row in rows(chunk, size))
        command = [sys.executable, "manage.py", "import_orders", str(path)]
        made = Order.objects.filter(external_id__startswith="bench-order-")
        there = made.count()
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        while process.poll() is None and made.count() < there + count // 3:
            time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = made.count() - there
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    after, ids = made.count() - there, made.values("external_id").distinct().count() - there
    print(f"killed at {before:,}; afterwards {after:,} orders, {ids:,} ids, of {count:,}")
    return after == ids == count


def main() -> None:
    """Import, insert, compare."""
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    call_command("migrate", verbosity=0)
    prepare()
    done = Order.objects.filter(external_id__startswith="bench-order-").count()
    before = {model: newest(model) for model, _refs in TABLES}
    created, seconds = 0, 0.0
    for start in range(done, done + count, CHUNK):
        part = rows(start, CHUNK)
        started = time.monotonic()
        results = import_orders(actor=None, rows=part, is_published=False)
        seconds += time.monotonic() - started
        created += sum(one.is_new for one in results)
    assert created == count, results[0].refusal
    # Before the copies: those bring keys of their own, which the sequences do not know of.
    after = {model: newest(model) for model, _refs in TABLES}
    is_whole = killed_and_started_again(done + count, count)
    plain = bare(before, after, count)
    print(f"imported {count / seconds:,.0f} orders/s, bare inserts {count / plain:,.0f} orders/s")
    print(f"ratio {plain / seconds:.2f}")
    sys.exit(0 if plain / seconds >= 1 / 3 and is_whole else 1)


if __name__ == "__main__":
    with database:
        main()
