"""What the engine finds counts in the score: verdicts, shared devices, links, anomalies, trade."""

from datetime import timedelta

import pytest
from django.utils import timezone

from riskops.account_sets import Accounts
from riskops.anomalies.handling import change_rule
from riskops.links.clusters import rebuild_clusters
from riskops.links.detect import detect_all
from riskops.links.verdicts import share_identifier
from riskops.models import Anomaly, AnomalyRule, Identifier, PendingScore, RiskRuleset, RiskScore
from riskops.scores.calculate import calculate_score
from riskops.scores.explanation import explain
from riskops.scores.factors import FIRST_CODES
from riskops.scores.recompute import recompute_touched, start_run, work_on
from riskops.scores.replay import fresh_scores
from riskops.scores.rules import LEVELS, Ruleset
from riskops.scores.rulesets import current_ruleset
from riskops.services import record_outcome
from riskops.tests.factories import NOW, event, record
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def points(account):
    score = calculate_score(account=account, at=NOW)
    return {line[0]: line[1] for line in score.breakdown}


def codes(account):
    return {line[0] for line in RiskScore.objects.get(pk=account.pk).breakdown}


def test_confirmed_fraud_is_critical_whatever_else_is_known():
    member = UserFactory(date_joined=timezone.now() - timedelta(days=2000))
    record(event(member, "two_factor_enabled"), event(member, "account_verified"))
    record(*(event(member, "purchase", ago=timedelta(days=400)) for _ in range(200)))
    assert calculate_score(account=member).score == 0
    record_outcome(actor=None, account=member, verdict="confirmed_fraud")
    score = calculate_score(account=member)
    assert (score.score, LEVELS[score.level]) == (100, "critical")
    record_outcome(actor=None, account=member, verdict="legitimate")
    assert "confirmed_fraud" not in points(member)


def test_disputes_refunds_and_chargebacks_count_for_ninety_days(member):
    record(*(event(member, "dispute_opened") for _ in range(3)))
    record(*(event(member, "refund") for _ in range(4)))
    record(event(member, "chargeback"), event(member, "dispute_opened", ago=timedelta(days=91)))
    found = points(member)
    assert (found["disputes"], found["refunds"], found["chargebacks"]) == (24, 16, 20)


@pytest.mark.parametrize(("seconds", "given"), [(0, 45), (59, 45), (61, 20), (1200, 5), (9000, 0)])
def test_a_purchase_right_after_sign_up_gives_points(seconds, given):
    account, moment = UserFactory(), timezone.now() - timedelta(days=1)
    record(
        event(account, "account_created", occurred_at=moment),
        event(account, "purchase", occurred_at=moment + timedelta(seconds=seconds)),
    )
    assert points(account).get("quick_purchase", 0) == given


def test_an_account_gets_points_when_another_comes_to_its_device(member, other_member):
    record(event(member, device="d"))
    recompute_touched()
    assert "shared_device" not in {
        line[0] for line in RiskScore.objects.get(pk=member.pk).breakdown
    }
    record(event(other_member, device="d"))
    assert PendingScore.objects.filter(pk=member.pk).exists()
    recompute_touched()
    assert "shared_device" in codes(member)
    assert "shared_device" in codes(other_member)


def test_crowds_and_public_places_give_no_points(member, superuser):
    record(*(event(UserFactory(), ip="198.51.100.1") for _ in range(25)))
    record(event(member, ip="198.51.100.1"), event(member, device="kiosk"))
    record(event(UserFactory(), device="kiosk"))
    found = points(member)
    assert "shared_address" not in found
    assert found["shared_device"] == 30
    kiosk = Identifier.objects.get(value="kiosk")
    share_identifier(actor=superuser, identifier=kiosk, reason="library")
    assert "shared_device" not in points(member)


def test_links_clusters_and_their_fraud_count():
    ring = [UserFactory() for _ in range(4)]
    record(*(event(UserFactory(), device=f"own-{i}", ip=f"10.1.{i}.1") for i in range(60)))
    for account in ring:
        record(event(account, device="one", ip="203.0.113.9", wallet="0xAA"))
    detect_all()
    rebuild_clusters()
    before = points(ring[0])
    assert {"link_strength", "linked_accounts", "cluster_size"} <= set(before)
    assert "cluster_fraud" not in before
    recompute_touched()
    record_outcome(actor=None, account=ring[1], verdict="confirmed_fraud")
    recompute_touched()
    score = RiskScore.objects.get(pk=ring[0].pk)
    after = {line[0]: (line[1], line[3]) for line in score.breakdown}
    assert after["cluster_fraud"] == (10, 333)
    assert after["suspected_fraud_link"][0] > 0
    assert sum(line[1] for line in score.breakdown) == score.raw
    assert all(reason.text for reason in explain(score.breakdown, score.ruleset.rules))


def test_an_anomaly_gives_the_points_of_its_rule(member, superuser):
    rule = AnomalyRule.objects.get(code="posting_burst")
    now = timezone.now()
    Anomaly.objects.create(
        rule=rule, account=member, severity="low", hits=1, first_hit_at=now, last_hit_at=now
    )
    assert points(member)["anomalies"] == rule.points
    change_rule(actor=superuser, rule=rule, values={"points": 33})
    assert PendingScore.objects.filter(pk=member.pk).exists()
    assert points(member)["anomalies"] == 33
    Anomaly.objects.update(status="resolved", outcome="expected", resolved_at=now)
    assert "anomalies" not in points(member)


def test_touched_accounts_stay_equal_to_all_while_events_come_in(rng_batches):
    for batch in rng_batches:
        record(*batch)
        recompute_touched()
    touched = dict(RiskScore.objects.values_list("pk", "raw"))
    work_on(start_run(cause="schedule"))
    assert {pk: raw for pk, raw in RiskScore.objects.values_list("pk", "raw") if pk in touched} == (
        touched
    )


@pytest.fixture
def rng_batches():
    people = [UserFactory() for _ in range(8)]
    return [
        [
            event(people[(step * 3 + i) % 8], device=f"d{(step + i) % 4}", ip=f"203.0.113.{i}")
            for i in range(4)
        ]
        for step in range(6)
    ]


def test_a_past_moment_counts_the_accounts_of_then(member, other_member):
    record(event(member, device="d", ago=timedelta(days=9)))
    record(event(other_member, device="d", ago=timedelta(days=2)))
    accounts, rules = Accounts.listed([member.pk]), Ruleset()
    column = rules.codes.index("shared_device")
    member.date_joined = NOW - timedelta(days=30)
    member.save(update_fields=["date_joined"])
    for days, counted in ((5, 0), (1, 1)):
        at = NOW - timedelta(days=days)
        assert fresh_scores(accounts, rules, at=at, from_log=True).counts[0, column] == counted


def test_a_ruleset_of_an_older_release_gives_no_points_for_later_factors():
    definition = current_ruleset().rules.to_dict()
    definition["factors"] = [f for f in definition["factors"] if f["code"] in FIRST_CODES]
    del definition["format"]
    stored = RiskRuleset.objects.create(
        number=7, published_at=timezone.now(), definition=definition
    )
    assert {f.code for f in stored.rules.factors if f.enabled} == FIRST_CODES
