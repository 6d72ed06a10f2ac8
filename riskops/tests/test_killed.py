"""kill -9 in the middle, and again from the start: the same tables as if nothing happened.

Real processes on a real database: the test database on PostgreSQL, a file on SQLite.
"""

import csv
import json
import random
from pathlib import Path

import pytest
from django.utils import timezone

from systemadmin.tests.installation import COMMAND_SECONDS, Installation

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ACCOUNTS = 400
ROWS = 3_000

DIGEST = """
import json
from riskops.models import *
from riskops.models import Dealing
def rows(model, *fields):
    return sorted(map(list, model.objects.values_list(*fields)), key=repr)
who = "account__external_id"
print("DIGEST" + json.dumps({
    "events": rows(AccountEvent, who, "kind", "source", "external_id", "ip__value",
                   "device__value", "wallet__value", "counterparty_wallet__value"),
    "identifiers": rows(Identifier, "kind", "value", "accounts", "dealers", "first_seen",
                        "last_seen"),
    "sightings": rows(Sighting, who, "identifier__value", "first_seen", "last_seen", "hits"),
    "dealings": rows(Dealing, who, "identifier__value", "hits"),
    "facts": rows(AccountFacts, who, "events", "logins", "failed_logins", "transfers",
                  "first_event_at", "last_event_at"),
    "scores": rows(RiskScore, who, "raw", "score", "level", "breakdown"),
    "history": rows(RiskScoreHistory, who, "score", "previous_score", "level"),
    "pending": rows(PendingScore, who),
    "open_runs": RecomputeRun.objects.filter(finished_at=None).count(),
    "checkpoints": rows(IngestCheckpoint, "rows_done", "accepted", "duplicates", "refused",
                        "strangers"),
}, default=str))
"""


class Site(Installation):
    """An installation whose tables can be compared and emptied."""

    def digest(self):
        output = self.run("shell", "-c", DIGEST)
        return json.loads(output.split("DIGEST", 1)[1])

    def empty(self):
        # The audit trail refuses to be emptied; the patch is that of the test databases.
        self.run(
            "shell",
            "-c",
            "from systemadmin.tests.migrated import flush_past_triggers; flush_past_triggers()\n"
            "from django.core.management import call_command\n"
            "call_command('flush', interactive=False)",
        )


@pytest.fixture
def site(tmp_path, transactional_db):
    return Site(tmp_path)


@pytest.fixture
def events_file(tmp_path):
    rng = random.Random(7)
    path = tmp_path / "events.csv"
    # Ages count in whole days since the events: none may become full while a test runs.
    minute = (timezone.now().minute + 30) % 60
    fields = ("kind", "account_external_id", "occurred_at", "external_id", "ip", "device", "wallet")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(fields)
        for number in range(ROWS):
            bad = number % 100 == 50
            kind = "dance" if bad else rng.choice(("login_ok", "login_failed", "transfer"))
            writer.writerow(
                (
                    kind,
                    f"u{rng.randrange(ACCOUNTS)}",
                    f"2026-01-{rng.randrange(1, 29):02}T{rng.randrange(24):02}:{minute:02}:00Z",
                    f"e{number}",
                    f"10.0.{rng.randrange(4)}.{rng.randrange(60)}",
                    f"d{rng.randrange(200)}",
                    f"w{rng.randrange(300)}" if kind == "transfer" else "",
                )
            )
    return path


def ingest_args(events_file, tmp_path, batch):
    refused = Path(tmp_path) / "refused.csv"
    options = ("--create-accounts", f"--batch={batch}", f"--refused={refused}")
    return ("ingest_events", str(events_file), *options)


def test_a_load_killed_midway_ends_with_the_same_tables(site, events_file, tmp_path):
    args = ingest_args(events_file, tmp_path, 20)
    site.run(*args, codes=(1,))
    expected = site.digest()
    refused = (tmp_path / "refused.csv").read_text()
    assert expected["checkpoints"] == [[ROWS, ROWS - 30, 0, 30, 0]]
    site.empty()
    (tmp_path / "refused.csv").unlink()

    progress = "SELECT SUM(rows_done) FROM riskops_ingestcheckpoint"
    killed = [site.kill_midway(progress, enough, *args) for enough in (20, 600)]
    assert all(killed)
    assert 0 < site.ask(progress) < ROWS
    site.run(*args, codes=(1,))
    assert site.digest() == expected
    assert (tmp_path / "refused.csv").read_text() == refused
    site.run(*args, codes=(1,))
    assert site.digest() == expected


def test_a_recompute_killed_midway_ends_with_the_same_scores(site, events_file, tmp_path):
    site.run(*ingest_args(events_file, tmp_path, 1000), codes=(1,))
    args = ("recompute_risk", "--all", "--chunk=5")
    site.run(*args)
    expected = site.digest()
    assert len(expected["scores"]) == len(expected["history"]) == len(expected["facts"])
    site.empty()
    (tmp_path / "refused.csv").unlink()
    site.run(*ingest_args(events_file, tmp_path, 1000), codes=(1,))

    progress = "SELECT COUNT(*) FROM riskops_recomputechunk WHERE done_at IS NOT NULL"
    killed = [site.kill_midway(progress, enough, *args) for enough in (1, 10)]
    assert all(killed)
    assert 0 < site.ask(progress) < site.ask("SELECT COUNT(*) FROM riskops_recomputechunk")
    # Two workers take up together what the dead one left.
    workers = [site.start(*args) for _ in range(2)]
    for worker in workers:
        output, _ = worker.communicate(timeout=COMMAND_SECONDS)
        assert worker.returncode == 0, output
    assert site.ask("SELECT COUNT(*) FROM riskops_recomputerun") >= 1
    digest = site.digest()
    assert digest["open_runs"] == 0
    assert digest["scores"] == expected["scores"]
    assert digest["history"] == expected["history"]
    assert digest["pending"] == []
