"""`manage.py recompute_risk`: what it scores, tells and leaves alone."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from riskops.models import AccountFacts, RecomputeRun, RiskRuleset, RiskScore, RiskScoreHistory
from riskops.scores.outcomes import record_outcome
from riskops.scores.recompute import claim_chunk, start_run
from riskops.scores.rulesets import draft_ruleset, publish_ruleset
from riskops.tests.factories import event, record
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def run(*args, **options):
    """Output and exit code."""
    out = io.StringIO()
    try:
        call_command("recompute_risk", *args, stdout=out, stderr=io.StringIO(), **options)
    except SystemExit as stop:
        return out.getvalue(), stop.code
    return out.getvalue(), 0


def fail_logins(account, number, ago=timedelta(minutes=5)):
    moment = timezone.now() - ago
    record(*(event(account, "login_failed", occurred_at=moment) for _ in range(number)))


@pytest.fixture
def people(db):
    people = [UserFactory() for _ in range(6)]
    for number, person in enumerate(people):
        if number:
            fail_logins(person, number)
    return people


def scores():
    return dict(RiskScore.objects.values_list("account_id", "score"))


def test_the_touched_ones(people):
    out, code = run()
    assert code == 0
    assert "5 accounts scored, 5 written" in out
    assert people[0].pk not in scores()
    out, _code = run()
    assert "0 accounts scored" in out


def test_everyone_and_a_summary_by_level(people):
    out, _code = run("--all", "--chunk=2")
    assert "6 accounts scored, 6 written" in out
    assert RecomputeRun.objects.get().chunks.count() == 3
    summary = json.loads(run("--all", "--json")[0])
    assert summary["written"] == 0
    assert summary["by_level"]["low"] == 5
    assert summary["by_level"]["moderate"] == 1


def test_some(people):
    run(str(people[2].pk), str(people[0].pk))
    assert scores() == {people[2].pk: 10, people[0].pk: 0}


def test_rebuild_corrects_facts_first(people):
    AccountFacts.objects.update(events=1000, failed_logins=77)
    run("--rebuild")
    assert set(AccountFacts.objects.values_list("failed_logins", flat=True)) == {1, 2, 3, 4, 5}
    AccountFacts.objects.update(failed_logins=77)
    run(str(people[1].pk), "--rebuild")
    assert AccountFacts.objects.get(pk=people[1].pk).failed_logins == 1


def test_a_dry_run_writes_nothing_and_says_what_would_change(people):
    run("--all")
    fail_logins(people[4], 4)
    before = scores()
    out, code = run("--all", "--dry-run", "--diff")
    assert code == 1
    assert f"{people[4].pk}: 20 low -> 25 moderate" in out
    assert "1 would cross" in out
    assert scores() == before
    run()
    assert run("--all", "--dry-run", "--diff")[1] == 0


def test_the_diff_of_rules_names_exactly_those_who_cross(people):
    run("--all")
    definition = {
        "factors": [{"code": "failed_logins", "points": 20, "cap": 80}],
        "family_caps": {"velocity": 100},
    }
    draft = draft_ruleset(actor=None, definition=definition)
    before = dict(RiskScore.objects.values_list("account_id", "level"))
    history = RiskScoreHistory.objects.count()
    out, code = run("--ruleset", f"-{draft.pk}", dry_run=True, diff=True)
    assert code == 1
    assert RiskScoreHistory.objects.count() == history
    named = {int(line.split(":")[0]) for line in out.splitlines() if "->" in line and ":" in line}
    publish_ruleset(actor=None, ruleset=draft)
    run("--all")
    after = dict(RiskScore.objects.values_list("account_id", "level"))
    assert named == {pk for pk in after if after[pk] != before[pk]}
    assert len(named) == 4
    assert RiskRuleset.objects.get(pk=draft.pk).number == 2


def test_rules_are_judged_by_outcomes(people, superuser):
    run("--all")
    for person, verdict in ((people[5], "confirmed_fraud"), (people[4], "legitimate")):
        record_outcome(actor=superuser, account=person, verdict=verdict)
    definition = {"factors": [{"code": "failed_logins", "points": 20}], "alert_threshold": 25}
    draft = draft_ruleset(actor=None, definition=definition)
    out, _code = run("--ruleset", f"-{draft.pk}", "--dry-run", "--json")
    judged = json.loads(out)["against_outcomes"]
    assert judged["before"] == {"precision": None, "recall": 0}
    assert judged["after"] == {"precision": 0.5, "recall": 1}


def test_as_of_a_past_moment(people):
    fail_logins(people[0], 5, ago=timedelta(days=40))
    people[0].date_joined = timezone.now() - timedelta(days=60)
    people[0].save()
    moment = (timezone.now() - timedelta(days=39, hours=20)).isoformat()
    out, code = run("--all", as_of=moment, json=True)
    assert code == 0
    summary = json.loads(out)
    assert summary["scored"] == 1
    assert {row["level"]: row["after"] for row in summary["levels"]}["moderate"] == 1
    assert not RiskScore.objects.exists()


def test_the_riskiest_of_a_past_moment_are_listed(people):
    people[3].external_id = "third"
    people[3].save()
    fail_logins(people[3], 4, ago=timedelta(days=40))
    fail_logins(people[1], 2, ago=timedelta(days=40))
    for person in people:
        person.date_joined = timezone.now() - timedelta(days=60)
        person.save()
    moment = (timezone.now() - timedelta(days=39, hours=20)).isoformat()
    out, _code = run("--all", "--chunk=2", as_of=moment, json=True, top=3)
    riskiest = json.loads(out)["riskiest"]
    assert [one["account"] for one in riskiest[:2]] == [people[3].pk, people[1].pk]
    assert riskiest[0]["external_id"] == "third"
    assert (riskiest[0]["raw"], len(riskiest)) == (20, 3)
    out, _code = run("--all", as_of=moment, top=1)
    assert f"{people[3].pk} third: 20 (20 points)" in out


def test_a_killed_run_is_gone_on_with(people):
    run_ = start_run(cause="manual", chunk_size=2)
    chunk = claim_chunk(run_)
    # A process that is no more: the numbers of processes end before this one.
    host = chunk.claimed_by.rpartition(":")[0]
    run_.chunks.filter(pk=chunk.pk).update(claimed_by=f"{host}:99999999")
    out, _code = run("--all")
    assert "6 accounts scored" in out
    assert RecomputeRun.objects.count() == 1
    assert RecomputeRun.objects.get().finished_at is not None


@pytest.mark.parametrize(
    "args",
    [
        ("--all", "1"),
        ("--ruleset=1",),
        ("--ruleset=99", "--dry-run"),
        ("--as-of=tomorrow",),
        ("--as-of=2999-01-01",),
        ("--chunk=0",),
        ("--top=-1",),
        ("999999",),
    ],
)
def test_wrong_options_say_so(db, args):
    with pytest.raises(CommandError) as wrong:
        run(*args)
    assert wrong.value.returncode == 2
