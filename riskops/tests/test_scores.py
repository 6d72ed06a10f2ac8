"""Writing scores: only what changed, with history, cool-down, override and reactions."""

from datetime import timedelta

import pytest

from riskops.account_sets import Accounts
from riskops.errors import NoOverrideInForce
from riskops.models import PendingScore, RiskOverride, RiskScore, RiskScoreHistory
from riskops.models.scores import Cause, Level
from riskops.scores.calculate import calculate_score, score_accounts
from riskops.scores.outcomes import record_outcome
from riskops.scores.overrides import override_score, remove_override
from riskops.scores.recompute import (
    claim_chunk,
    recompute_accounts,
    recompute_touched,
    start_run,
    total_of,
    unfinished_run,
    work_on,
    work_on_chunk,
)
from riskops.scores.rulesets import current_ruleset, draft_ruleset, publish_ruleset
from riskops.tests.factories import NOW, event, record
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import Alert, AuditEntry
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def account(db):
    return UserFactory(date_joined=NOW - 10 * DAY)


def fail_logins(account, number, ago=HOUR):
    record(*(event(account, "login_failed", ago=ago) for _ in range(number)))


def history(account):
    return list(RiskScoreHistory.objects.filter(account=account).order_by("pk"))


def publish(**definition):
    return publish_ruleset(actor=None, ruleset=draft_ruleset(actor=None, definition=definition))


def test_a_score_explains_itself(account):
    fail_logins(account, 3)
    score = calculate_score(account=account, at=NOW)
    assert (score.raw, score.score, score.level) == (15, 15, Level.LOW)
    code, given, full, counted, since = score.breakdown[0]
    assert (code, given, full, counted) == ("failed_logins", 15, 15, 3)
    assert since == int((NOW - HOUR).timestamp() * 10**6)


def test_a_score_that_did_not_change_is_not_written(account):
    fail_logins(account, 3)
    first = calculate_score(account=account, at=NOW)
    again = calculate_score(account=account, at=NOW + timedelta(minutes=1))
    assert again.version == first.version
    assert len(history(account)) == 1


def test_a_score_rises_at_once_and_falls_after_the_cool_down(account):
    fail_logins(account, 5)
    assert calculate_score(account=account, at=NOW).score == 25
    later = NOW + 24 * HOUR
    held = calculate_score(account=account, at=later)
    assert (held.computed, held.score, held.hold_until) == (0, 25, later + DAY)
    fallen = calculate_score(account=account, at=later + DAY)
    assert (fallen.score, fallen.hold_until) == (0, None)
    assert [row.score for row in history(account)] == [25, 0]


def test_new_rules_count_at_once(account):
    fail_logins(account, 5)
    calculate_score(account=account, at=NOW)
    publish(factors=[{"code": "failed_logins", "points": 1}])
    score = calculate_score(account=account, at=NOW)
    assert score.score == 5
    assert [row.cause for row in history(account)] == ["manual", "ruleset"]


def test_history_keeps_every_change_with_cause_and_breakdown(account, superuser):
    calculate_score(account=account, at=NOW)
    fail_logins(account, 2)
    recompute_touched(at=NOW)
    override_score(actor=superuser, account=account, score=90, reason="Seen it before")
    remove_override(actor=superuser, account=account)
    rows = history(account)
    assert [(r.cause, r.previous_score) for r in rows[:3]] == [
        ("manual", None),
        ("event", 0),
        ("override", 10),
    ]
    assert [r.actor for r in rows] == [None, None, superuser, superuser]
    assert rows[1].breakdown[0][:2] == ["failed_logins", 10]
    assert [r.score for r in rows[:3]] == [0, 10, 90]


def test_an_override_shows_beside_the_computed_score(account, superuser):
    score = override_score(actor=superuser, account=account, score=70, reason="Known fraud")
    assert (score.score, score.computed, score.level) == (70, 0, Level.HIGH)
    assert score.override.reason == "Known fraud"
    assert AuditEntry.objects.filter(action="riskops.score.overridden").exists()


def test_an_override_ends_by_itself(account, superuser):
    score = override_score(actor=superuser, account=account, score=70, reason="Check")
    end = score.calculated_at + DAY
    RiskOverride.objects.update(expires_at=end)
    recompute_accounts([account.pk], at=score.calculated_at + HOUR)
    assert RiskScore.objects.get(pk=account.pk).changes_at == end
    recompute_touched(at=end)
    score.refresh_from_db()
    assert (score.score, score.override) == (0, None)
    assert RiskOverride.objects.get().ended_at == end
    assert history(account)[-1].cause == "override"


def test_a_second_override_ends_the_first(account, superuser):
    override_score(actor=superuser, account=account, score=70, reason="One")
    override_score(actor=superuser, account=account, score=30, reason="Two")
    assert RiskOverride.objects.filter(ended_at=None).get().score == 30
    assert RiskScore.objects.get(pk=account.pk).score == 30


@pytest.mark.parametrize(
    "fields",
    [{"reason": " "}, {"score": 101}, {"score": -1}, {"expires_at": NOW}],
)
def test_an_override_needs_sense(account, superuser, fields):
    from django.core.exceptions import ValidationError

    given = {"score": 50, "reason": "x", "expires_at": None, **fields}
    with pytest.raises((InvalidInput, ValidationError)):
        override_score(actor=superuser, account=account, **given)
    assert not RiskOverride.objects.exists()


def test_there_must_be_an_override_to_remove(account, superuser):
    with pytest.raises(NoOverrideInForce):
        remove_override(actor=superuser, account=account)


def test_windows_move_without_events(account):
    fail_logins(account, 5)
    publish(cool_down=0)
    recompute_touched(at=NOW)
    assert RiskScore.objects.get(pk=account.pk).score == 25
    recompute_touched(at=NOW + 22 * HOUR)
    assert RiskScore.objects.get(pk=account.pk).score == 25
    recompute_touched(at=NOW + 23 * HOUR)
    assert RiskScore.objects.get(pk=account.pk).score == 0


def test_crossing_the_threshold_alerts_once_and_falling_resolves(account):
    publish(
        factors=[{"code": "failed_logins", "points": 20, "cap": 80}],
        cool_down=0,
        family_caps={"velocity": 100},
    )
    fail_logins(account, 4)
    recompute_touched(at=NOW)
    recompute_touched(at=NOW)
    alert = Alert.objects.get(rule="riskops.high_score")
    assert (alert.key, alert.count) == (f"account:{account.pk}", 1)
    recompute_touched(at=NOW + DAY)
    alert.refresh_from_db()
    assert alert.status == Alert.Status.RESOLVED


def test_levels_may_flag_and_suspend(account, superuser):
    publish(
        factors=[{"code": "failed_logins", "points": 50, "cap": 100}],
        family_caps={"velocity": 100},
        actions={"critical": ["review", "suspend"]},
    )
    fail_logins(account, 2)
    fail_logins(superuser, 2)
    recompute_touched(at=NOW)
    account.refresh_from_db()
    superuser.refresh_from_db()
    assert account.is_suspended
    assert not superuser.is_suspended
    assert RiskScore.objects.get(pk=account.pk).review_since is not None
    record_outcome(actor=superuser, account=account, verdict="confirmed_fraud")
    assert RiskScore.objects.get(pk=account.pk).review_since is None


def test_an_outcome_is_an_event_and_keeps_the_score_of_its_moment(account, superuser):
    fail_logins(account, 2)
    calculate_score(account=account, at=NOW)
    outcome = record_outcome(
        actor=superuser, account=account, verdict="confirmed_fraud", note="Same phone"
    )
    assert (outcome.score, outcome.breakdown[0][0]) == (10, "failed_logins")
    assert account.risk_facts.confirmed_fraud_at is not None
    assert PendingScore.objects.filter(pk=account.pk).exists()


def test_a_score_written_meanwhile_is_not_overwritten(account, monkeypatch):
    fail_logins(account, 1)
    calculate_score(account=account, at=NOW)
    fail_logins(account, 2)
    from riskops.scores import calculate as scores

    read = scores.read_dossier

    def read_then_rival_writes(*args, **kwargs):
        dossier = read(*args, **kwargs)
        RiskScore.objects.filter(pk=account.pk).update(version=99)
        return dossier

    monkeypatch.setattr(scores, "read_dossier", read_then_rival_writes)
    result = score_accounts(
        Accounts.listed([account.pk]), at=NOW, ruleset=current_ruleset(), cause=Cause.EVENT
    )
    assert result.written == 0
    assert len(history(account)) == 1
    assert PendingScore.objects.filter(pk=account.pk).exists()


def test_scoring_takes_a_fixed_number_of_queries(account, django_assert_max_num_queries):
    accounts = [UserFactory(date_joined=NOW - DAY) for _ in range(40)]
    record(*(event(a, "login_failed", ip=f"10.0.0.{i}") for i, a in enumerate(accounts)))
    current_ruleset()
    with django_assert_max_num_queries(19):
        recompute_accounts([a.pk for a in accounts], at=NOW)
    assert RiskScore.objects.count() == 40


def test_a_run_is_cut_into_chunks_and_finished_once(account):
    others = [UserFactory(date_joined=NOW - DAY) for _ in range(6)]
    run = start_run(cause=Cause.SCHEDULE, at=NOW, chunk_size=3)
    assert run.chunks.count() == 3
    assert unfinished_run(current_ruleset()) == run
    assert work_on(run)
    run.refresh_from_db()
    assert run.finished_at is not None
    assert unfinished_run(current_ruleset()) is None
    assert total_of(run).scored == len(others) + 1
    assert sum(total_of(run).by_level) == len(others) + 1


def test_workers_share_a_run_and_a_dead_ones_chunk_is_taken_again(account, monkeypatch):
    [UserFactory(date_joined=NOW - DAY) for _ in range(5)]
    run = start_run(cause=Cause.SCHEDULE, at=NOW, chunk_size=2)
    monkeypatch.setattr("riskops.scores.recompute.worker_name", lambda: "elsewhere:1")
    dead = claim_chunk(run)
    second = claim_chunk(run)
    assert dead.pk != second.pk
    work_on_chunk(run, second)
    assert not work_on(run)  # the dead worker's chunk is still its own
    assert run.chunks.filter(done_at=None).get() == dead
    assert work_on(run, lease=timedelta(0))
    assert run.chunks.get(pk=dead.pk).attempts == 2
