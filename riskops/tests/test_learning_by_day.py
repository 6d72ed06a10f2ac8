"""Points learned from days: what was known at the end of each, and lists of whom to look at."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from riskops.models import EventOutcome, RiskRuleset
from riskops.scores.account_days import found_out, read_days
from riskops.scores.rules import Ruleset
from riskops.tests.factories import NOW, event, record
from systemadmin.models import AuditEntry, User

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
PEOPLE, DAYS = 96, 24


@pytest.fixture
def payments(tmp_path):
    """One small payment a person and day; in the last days one in eight is five times as large.

    Those were fraud. The files are those of a card processor.
    """
    begun = NOW.replace(hour=9) - (DAYS + 12) * DAY
    rows = []
    for number in range(DAYS * PEOPLE):
        day, person = divmod(number, PEOPLE)
        fraud = day >= 10 and (person + 3 * day) % 8 == 0
        rows.append(
            {
                "id": f"p{number}",
                "card": f"card{person}",
                "at": (begun + day * DAY + timedelta(seconds=person)).isoformat(),
                "amount": 5_000 if fraud else 1_000 + person,
                "counterparty": f"shop-{person % 7}",
                "fraud": int(fraud),
            }
        )
    path = tmp_path / "payments.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    call_command(
        "ingest_events", str(path), source="cards", kind="purchase", create_accounts=True,
        map="external_id=id,account_external_id=card,occurred_at=at,"
        "counterparty_wallet=counterparty,amount=amount",
        set="currency=EUR", stdout=io.StringIO(),
    )  # fmt: skip
    return path


def run(*arguments):
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def load(path, *arguments):
    return run("ingest_outcomes", str(path), "--source", "cards", "--map", "event=id", *arguments)


def test_outcomes_of_a_file_are_known_days_after_their_events(payments, tmp_path):
    told = load(payments, "--known-after", "7")
    assert f"{DAYS * PEOPLE} outcomes recorded, 0 rows refused" in told
    one = EventOutcome.objects.filter(is_fraud=True).first()
    assert one.known_at - one.occurred_at == 7 * DAY
    assert one.counterparty is not None
    assert load(payments, "--known-after", "7") == told, "again it changes nothing"
    assert AuditEntry.objects.filter(action="riskops.event_outcomes.recorded").exists()
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"event": "p1", "fraud": "perhaps"}\nno json\n{"event": "p9", "fraud": 1}\n')
    refused = tmp_path / "refused.csv"
    with pytest.raises(SystemExit) as ended:
        run("ingest_outcomes", str(bad), "--source", "cards", "--refused", str(refused))
    assert ended.value.code == 1
    lines = list(csv.DictReader(refused.open()))
    assert [(one["row"], one["code"]) for one in lines] == [
        ("1", "not_a_truth"), ("2", "unreadable_row")]  # fmt: skip


@pytest.mark.parametrize(
    "wrong", [("--known-after", "-1"), ("--map", "kind=x"), ("--map", "event"), ("--batch", "0")]
)
def test_wrong_options_are_refused(payments, wrong):
    with pytest.raises(CommandError) as refused:
        run("ingest_outcomes", str(payments), "--source", "cards", *wrong)
    assert refused.value.returncode == 2


def test_an_example_knows_only_what_was_known_that_day(payments):
    load(payments, "--known-after", "7")
    rules = Ruleset()
    found = read_days(rules, as_of=NOW, days=10)
    assert found.fraud.sum() > 60
    share = found.counts[:, rules.codes.index("counterparty_fraud")]
    last = read_days(rules, as_of=NOW, days=1).counts[:, rules.codes.index("counterparty_fraud")]
    assert (last > 0).any()
    assert (share > 0).sum() < (found.counts[:, rules.codes.index("largest_amount")] > 0).sum()
    # Before the first outcome was known no counterparty was bad.
    early = read_days(rules, as_of=NOW - 17 * DAY, days=1)
    assert not early.counts[:, rules.codes.index("counterparty_fraud")].any()


def test_points_learned_from_days_find_tomorrows_fraud(payments):
    load(payments, "--known-after", "7")
    told = run("learn_rules", "--as-of", (NOW - 7 * DAY).isoformat(), "--days", "20")
    assert "days of accounts with an outcome" in told
    draft = RiskRuleset.objects.drafts().get()
    habit = draft.rules.factor("amount_habit").steps
    amount = draft.rules.factor("largest_amount").steps
    assert max(points for _count, points in (*habit, *amount)) > 20
    day = NOW.replace(hour=0, minute=0, second=0, microsecond=0) - 13 * DAY
    listed = json.loads(
        run("recompute_risk", "--as-of", day.isoformat(), "--dry-run", "--json", "--top", "12",
            "--ruleset", str(-draft.pk))
    )["riskiest"]  # fmt: skip
    bad = set(
        EventOutcome.objects.filter(
            is_fraud=True, occurred_at__gt=day - DAY, occurred_at__lte=day
        ).values_list("account_id", flat=True)
    )
    assert len(bad) == 12
    assert len({one["account"] for one in listed} & bad) >= 10


def test_a_list_leaves_out_whom_everybody_knows(payments, member):
    load(payments, "--known-after", "7")
    record(event(member, "confirmed_fraud", occurred_at=NOW - DAY))
    known = found_out(NOW, 30)
    assert member.pk in known
    assert len(known) > 20
    arguments = ("recompute_risk", "--as-of", NOW.isoformat(), "--json", "--top", "1000")
    listed = json.loads(run(*arguments, "--leave-out-known", "30"))["riskiest"]
    everyone = json.loads(run(*arguments))["riskiest"]
    assert {one["account"] for one in listed} == {one["account"] for one in everyone} - set(
        known.tolist()
    )
    with pytest.raises(CommandError, match="with --top"):
        run("recompute_risk", "--all", "--leave-out-known", "3")


def test_nothing_to_learn_from_is_said(member):
    User.objects.filter(pk=member.pk).update(date_joined=NOW - 90 * DAY)
    for arguments, text in (
        ((), "100 outcomes"),
        (("--by", "account"), "100 outcomes"),
        (("--by", "account", "--as-of", "2026-01-01"), "by day"),
        (("--days", "0"), "1 to 92"),
        (("--as-of", "2999-01-01"), "future"),
    ):
        with pytest.raises(CommandError, match=text) as refused:
            run("learn_rules", *arguments)
        assert refused.value.returncode == 2
