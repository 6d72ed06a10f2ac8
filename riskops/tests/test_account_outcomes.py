"""Verdicts on accounts in lists: their doors, which of several counts, and the score by them."""

import csv
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.utils import timezone

from riskops.account_sets import Accounts
from riskops.models import AccountEvent, RiskOutcome
from riskops.scores.calculate import calculate_score
from riskops.scores.outcomes import is_confirmed_fraud
from riskops.scores.replay import verdicts
from riskops.tests.factories import confirmed, event, record
from systemadmin.foundation.testing import problem
from systemadmin.models import AuditEntry
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db
PATH = "/api/risk/outcomes"
DAY = timedelta(days=1)


@pytest.fixture
def analyst():
    return StaffFactory(role="risk_analyst")


@pytest.fixture
def desk(as_user, analyst):
    return as_user(analyst)


def sent(desk, *rows):
    answer = desk.post(PATH, {"source": "shop", "outcomes": list(rows)}, format="json")
    assert answer.status_code == 200, answer.content
    return answer.json()


def of(account, fraud=True, **fields):
    return {"account_external_id": account.external_id, "fraud": fraud, **fields}


def run(*arguments):
    output = StringIO()
    call_command("ingest_outcomes", *arguments, stdout=output, stderr=StringIO())
    return output.getvalue()


@pytest.fixture
def bad():
    return UserFactory(external_id="u-bad")


@pytest.fixture
def good():
    return UserFactory(external_id="u-good")


def test_rows_are_judged_one_by_one_beside_those_of_events(desk, analyst, bad, good):
    record(event(good, "purchase", external_id="p1", amount=100, currency="EUR"), source="shop")
    answer = sent(
        desk,
        of(bad),
        {"event": "p1", "fraud": False},
        {"event": "p2", "fraud": True},
        {"account_external_id": "nobody", "fraud": True},
        {"account_external_id": "u-bad", "event": "p1", "fraud": True},
        of(good, fraud="perhaps"),
        of(good, known_at="2999-01-01T00:00:00Z"),
        of(good, fraud=False),
        {"account_external_id": 7, "fraud": True},
    )
    assert answer["recorded"] == 3
    assert [(one["index"], one["field"], one["code"]) for one in answer["refused"]] == [
        (2, "event", "unknown_event"),
        (3, "account_external_id", "unknown_account"),
        (4, "event", "one_of_two"),
        (5, "fraud", "not_a_truth"),
        (6, "known_at", "in_the_future"),
        (8, "account_external_id", "not_text"),
    ]
    assert verdicts(Accounts.listed([bad.pk, good.pk])) == {bad.pk: True, good.pk: False}
    assert calculate_score(account=bad).get_level_display() == "Critical"
    row = AuditEntry.objects.get(action="riskops.outcome.recorded", target_id=str(bad.pk))
    assert (row.actor_name, row.after["verdict"]) == (analyst.username, "confirmed_fraud")


def test_a_list_sent_again_changes_nothing(desk, bad, good):
    rows = [of(bad, known_at="2026-02-25T10:00:00Z"), of(good, fraud=False)]
    for _time in range(2):
        assert sent(desk, *rows)["recorded"] == 2
    assert RiskOutcome.objects.count() == 2
    assert AccountEvent.objects.filter(source="riskops").count() == 2


def test_the_verdict_that_was_known_last_counts(desk, bad):
    now = timezone.now()
    sent(desk, of(bad, fraud=False, known_at=(now - DAY).isoformat()))
    sent(desk, of(bad, known_at=(now - 9 * DAY).isoformat()))
    assert not is_confirmed_fraud(bad.pk)
    assert calculate_score(account=bad).score == 0
    sent(desk, of(bad))
    assert is_confirmed_fraud(bad.pk)
    assert calculate_score(account=bad).get_level_display() == "Critical"


def test_verdicts_take_the_right_to_record_them(as_user, bad):
    shop = UserFactory()
    shop.user_permissions.add(Permission.objects.get(codename="add_eventoutcome"))
    answer = sent(as_user(shop), of(bad))
    assert answer["recorded"] == 0
    assert [one["code"] for one in answer["refused"]] == ["not_allowed"]
    assert not RiskOutcome.objects.exists()
    problem(as_user(UserFactory()).post(PATH, {"outcomes": [of(bad)]}, format="json"), 403)


def test_nobody_says_it_of_an_account_of_their_own(desk, analyst, bad):
    confirmed(analyst, bad)
    analyst.external_id = "u-analyst"
    analyst.save()
    answer = sent(desk, of(bad, fraud=False), of(analyst, fraud=False))
    assert [one["code"] for one in answer["refused"]] == ["own_interest", "own_interest"]
    assert not RiskOutcome.objects.exists()


def test_a_file_of_accounts_needs_no_source(tmp_path, bad, good):
    path = tmp_path / "judged.csv"
    with path.open("w", newline="") as written:
        csv.writer(written).writerows(
            [("account_external_id", "fraud"), ("u-bad", "1"), ("u-good", "0")]
        )
    assert "2 outcomes recorded, 0 rows refused" in run(str(path))
    assert verdicts(Accounts.listed([bad.pk, good.pk])) == {bad.pk: True, good.pk: False}


def test_a_row_of_an_event_is_about_the_event_whoever_it_names(tmp_path, good):
    record(event(good, "purchase", external_id="p1", amount=100, currency="EUR"), source="shop")
    path = tmp_path / "events.csv"
    path.write_text("event,account_external_id,fraud\np1,u-good,1\n")
    assert "1 outcomes recorded" in run(str(path), "--source", "shop")
    assert not RiskOutcome.objects.exists()
    with pytest.raises(CommandError, match="plain name"):
        run(str(path))
