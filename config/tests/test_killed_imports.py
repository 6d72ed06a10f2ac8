"""Imports killed by kill -9 on the way and started again: no double, none missing.

Real processes on a real database: the test database on PostgreSQL, a file on SQLite.
"""

import csv
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from marketplace.tests import factories
from systemadmin.tests.factories import UserFactory
from systemadmin.tests.installation import Installation

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
SUM = "SELECT SUM({column}) FROM systemadmin_fileimport"


def lines_of(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_members_killed_midway_are_each_there_once(tmp_path):
    site, path, rows = Installation(tmp_path), tmp_path / "members.csv", 600
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["external_id", "email"])
        for number in range(rows):
            writer.writerow([f"k-{number}", f"k-{number}@example.test"])
    command = ("import_members", str(path), "--batch=20")
    done = SUM.format(column="rows_done")
    assert all(site.kill_midway(done, enough, *command) for enough in (20, 200))
    assert 220 <= site.ask(done) < rows
    site.run(*command)
    made = "FROM systemadmin_user WHERE external_id LIKE 'k-%'"
    assert site.ask(f"SELECT COUNT(*) {made}") == rows
    assert site.ask(f"SELECT COUNT(DISTINCT external_id) {made}") == rows
    assert site.ask(SUM.format(column="created")) == rows


def ticket(number, folder):
    """Return a ticket with an answer, a note and a file."""
    (folder / f"{number}.txt").write_text(f"receipt {number}")
    at = datetime(2024, 3, 1, tzinfo=UTC) + timedelta(minutes=number)
    said = [
        ("customer", False, "It is late.", [{"path": f"{number}.txt", "name": "receipt.txt"}]),
        ("agent", False, "It came.", []),
        ("agent", True, "Carrier knows.", []),
    ]
    return {
        "external_id": str(number),
        "subject": f"Where is order {number}?",
        "status": "closed",
        "created_at": at.isoformat(),
        "requester": {"email": f"guest-{number}@example.test", "name": "Guest"},
        "messages": [
            {
                "external_id": f"{number}-{place}",
                "from": who,
                "is_internal": is_internal,
                "body": body,
                "at": (at + timedelta(seconds=place)).isoformat(),
                "files": files,
            }
            for place, (who, is_internal, body, files) in enumerate(said)
        ],
    }


def test_tickets_killed_midway_are_each_there_once_with_all_that_was_said(tmp_path):
    files, path, rows = tmp_path / "files", tmp_path / "tickets.jsonl", 200
    files.mkdir()
    path.write_text(lines_of(ticket(number, files) for number in range(rows)))
    site = Installation(tmp_path)
    command = ("import_tickets", str(path), "--files", str(files), "--batch=5")
    done = SUM.format(column="rows_done")
    assert all(site.kill_midway(done, enough, *command) for enough in (5, 50))
    assert 55 <= site.ask(done) < rows
    output = site.run(*command)
    assert "0 refused" in output
    for column, table, factor in (
        ("external_id", "support_ticket", 1),
        ("number", "support_ticket", 1),
        ("id", "support_reply", 3),
        ("ticket_id", "support_reply", 1),
        ("reply_id", "support_attachment", 1),
        ("id", "support_attachment", 1),
    ):
        found = site.ask(f"SELECT COUNT(DISTINCT {column}) FROM {table}")
        assert found == rows * factor, (table, column)
    site.run(*command, "--restart")
    assert site.ask("SELECT COUNT(*) FROM support_ticket") == rows
    assert site.ask("SELECT COUNT(*) FROM support_reply") == 3 * rows


def test_orders_killed_midway_are_each_there_once_and_the_books_are_sound(tmp_path):
    factories.rule(ppm=100_000)
    call_command("setup", verbosity=0)
    product = factories.approved(UserFactory(external_id="s-1"), price=40_00, stock=None)
    product.external_id = "listing-1"
    product.save()
    UserFactory(external_id="b-1")
    path, rows = tmp_path / "orders.jsonl", 2300
    path.write_text(
        lines_of(
            {
                "external_id": f"o-{number}",
                "buyer": "ext:b-1",
                "currency": "EUR",
                "ordered_at": "2026-01-02T10:00:00Z",
                "lines": [{"product": "ext:listing-1", "quantity": 1, "unit_price": 40_00}],
                "payment": {"reference": f"pi_{number}", "paid_at": "2026-01-02T10:05:00Z"},
            }
            for number in range(rows)
        )
    )
    site = Installation(tmp_path)
    # A transaction of the command is a thousand orders.
    made = "SELECT COUNT(*) FROM marketplace_order"
    assert all(site.kill_midway(made, 1000, "import_orders", str(path)) for _ in range(2))
    assert site.ask(made) == 2000
    assert "300 created, 2000 known already, 0 refused" in site.run("import_orders", str(path))
    for column, table in (
        ("external_id", "marketplace_order"),
        ("order_id", "marketplace_orderline"),
        ("order_id", "marketplace_ledgertransaction"),
        ("id", "marketplace_ledgertransaction"),
        ("id", "riskops_accountevent"),
    ):
        found = site.ask(f"SELECT COUNT(DISTINCT {column}) FROM {table}")
        assert found == rows, (table, column)
    site.run("check_ledger")
