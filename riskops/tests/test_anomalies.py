"""Anomalies: found once, opened once, resolved once."""

import random
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone

from riskops.account_sets import Accounts
from riskops.anomalies import detection, log
from riskops.anomalies.candidates import events_known, events_of, may_be_struck
from riskops.anomalies.detection import detect_history, detect_new, detect_since
from riskops.anomalies.handling import (
    change_rule,
    create_rule,
    delete_rule,
    exempt_account,
    resolve_anomaly,
    ship_default_rules,
)
from riskops.anomalies.rules import DETECTORS
from riskops.anomalies.windows import EventTable
from riskops.errors import AnomalyAlreadyResolved, EndsInThePast, RuleInUse
from riskops.models import (
    Anomaly,
    AnomalyHit,
    AnomalyRule,
    DetectionMark,
    Identifier,
    IdentifierKind,
)
from riskops.scores.neighbours import open_anomalies
from riskops.tests.factories import NOW, event, record
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import Alert, AuditEntry
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@pytest.fixture
def analyst(staff):
    return staff("risk_analyst")


@pytest.fixture
def marta(member):
    return member


def burst(account, kind, count, *, ago=timedelta(hours=2), gap=timedelta(seconds=20), **fields):
    return [event(account, kind, ago=ago - gap * i, **fields) for i in range(count)]


def found(account):
    return dict(Anomaly.objects.filter(account=account).values_list("rule__code", "hits"))


def rows():
    return sorted(
        Anomaly.objects.values_list(
            "rule__code", "account", "status", "hits", "first_hit_at", "last_hit_at"
        )
    ) + sorted(AnomalyHit.objects.values_list("rule__code", "account", "key", "at"))


def busy_life(rng, account, size):
    """A few months of everything the rules watch, by habit and now and then out of it."""
    hour, usual = rng.randrange(24), rng.randrange(2_000, 9_000)
    kinds = ["login_ok"] * 6 + ["login_failed", "transfer", "purchase", "follow"]
    return [
        event(
            account,
            rng.choice([*kinds, "content_posted", "message_sent"]),
            occurred_at=NOW
            - timedelta(days=rng.randrange(1, 90))
            + timedelta(hours=rng.choice([hour] * 9 + list(range(24))), minutes=rng.randrange(90)),
            ip=f"81.2.{rng.choice([1, 1, 1, 2])}.{rng.choice([1, 1, 1, rng.randrange(9)])}",
            device=rng.choice(["phone"] * 5 + ["laptop", f"new-{rng.randrange(9)}", ""]),
            country=rng.choice(["ES"] * 9 + ["FR", "JP", ""]),
            amount=usual * rng.choice([9, 10, 11, 10, 200]),
            currency=rng.choice(["EUR", "EUR", "USD"]),
            data=rng.choice([None, {"text": f"offer {rng.randrange(12)}"}]),
        )
        for _ in range(size)
    ]


def quiet_life(account, days=60, **fields):
    """Ordinary logins, a little irregular, always from one place."""
    fields = {"ip": "81.2.3.4", "device": "phone", "country": "ES", **fields}
    return [
        event(account, ago=timedelta(days=d, minutes=(d * 37) % 170), **fields)
        for d in range(2, days)
    ]


# -- each rule, struck and left alone ------------------------------------------

STRIKES = {
    "transaction_velocity": lambda a: burst(a, "transfer", 10),
    "transaction_total": lambda a: burst(
        a, "transfer", 3, gap=timedelta(hours=1), amount=400_000, currency="EUR"
    ),
    "structuring": lambda a: burst(
        a, "transfer", 4, ago=DAY * 2, gap=timedelta(hours=9), amount=-950_000, currency="EUR"
    ),
    "unusual_hour": lambda a: [
        *quiet_life(a),
        event(a, occurred_at=NOW.replace(hour=2), ip="81.2.3.4", device="phone", country="ES"),
    ],
    "new_country": lambda a: [
        *quiet_life(a),
        event(a, ip="81.2.3.4", device="phone", country="PT"),
    ],
    "many_devices": lambda a: [event(a, ago=MINUTE * i, device=f"d{i}") for i in range(4)],
    "far_sessions": lambda a: [
        event(a, ago=MINUTE * 20, country="ES"),
        event(a, ago=MINUTE * 5, country="JP"),
    ],
    "impossible_travel": lambda a: [
        event(a, ago=timedelta(hours=5), country="ES"),
        event(a, ago=MINUTE * 5, country="JP"),
    ],
    "posting_burst": lambda a: burst(a, "content_posted", 20),
    "repeated_content": lambda a: burst(
        a, "message_sent", 5, gap=timedelta(minutes=40), data={"text": "Buy  NOW"}
    ),
    "follow_burst": lambda a: burst(a, "follow", 50, gap=timedelta(seconds=5)),
    "failed_login_burst": lambda a: burst(a, "login_failed", 10),
    "volume_outlier": lambda a: [
        *[event(a, "purchase", ago=DAY * d, amount=2_000, currency="EUR") for d in range(2, 14)],
        event(a, "purchase", amount=90_000, currency="EUR"),
    ],
    "unusual_login": lambda a: [
        *quiet_life(a, 40),
        event(a, ip="203.0.113.9", device="strange", country="VN"),
    ],
}


def test_every_shipped_rule_has_an_example():
    assert set(STRIKES) == {detector.code for detector in DETECTORS}
    assert set(AnomalyRule.objects.values_list("code", flat=True)) == set(STRIKES)


@pytest.fixture(params=[0.0, 1.0], ids=["end-to-end", "by-account"])
def way(request, monkeypatch):
    """Both ways to look at the whole log."""
    monkeypatch.setattr(detection, "FEW_EVENTS", request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("code", STRIKES)
def test_rule_strikes_once_and_never_twice(code, marta, other_member):
    strangers = [UserFactory() for _ in range(4)]
    record(*[e for person in strangers for e in quiet_life(person, 10)])
    record(*STRIKES[code](marta), *quiet_life(other_member, 30, ip="95.1.1.1", device="tablet"))
    detect_history()
    assert found(marta).get(code) == 1, found(marta)
    assert found(other_member) == {}
    before = rows()
    detect_history()
    detect_new()
    detect_since(NOW - DAY * 3)
    assert rows() == before


@pytest.mark.parametrize("code", STRIKES)
def test_piece_by_piece_finds_what_one_run_finds(code, marta):
    events = sorted(STRIKES[code](marta), key=lambda e: e.occurred_at)
    strangers = [UserFactory() for _ in range(4)]
    record(*[e for person in strangers for e in quiet_life(person, 10)])
    for start in range(0, len(events), 7):
        record(*events[start : start + 7])
        detect_new()
    assert code in found(marta)


# Low enough for a random history to be struck by each rule, and to be spared by it.
EASY = {
    "transaction_velocity": {"count": 3, "minutes": 2000},
    "transaction_total": {"amount": 1_500_000, "minutes": 3 * 1440},
    "structuring": {"threshold": 70_000, "percent": 60, "count": 3, "minutes": 10_000},
    "unusual_hour": {"logins": 20, "permille": 30, "days": 90},
    "new_country": {"days": 7},
    "many_devices": {"count": 3, "minutes": 3000},
    "far_sessions": {"km": 500, "minutes": 600},
    "impossible_travel": {"km": 500, "kmh": 200},
    "posting_burst": {"count": 3, "minutes": 5000},
    "repeated_content": {"count": 2, "minutes": 10_000},
    "follow_burst": {"count": 4, "minutes": 10_000},
    "failed_login_burst": {"count": 4, "minutes": 10_000},
    "volume_outlier": {"tenths": 35, "amount": 500_000, "days": 90},
    "unusual_login": {"bits": 7, "logins": 10},
}


@pytest.mark.parametrize(("share", "slice_events"), [(1.0, 7), (1.0, 400_000), (0.5, 100)])
def test_the_accounts_left_out_would_not_have_been_struck(share, slice_events, monkeypatch):
    for code, parameters in EASY.items():
        AnomalyRule.objects.filter(code=code).update(parameters=parameters)
    rng = random.Random(4)
    for _ in range(12):
        record(*busy_life(rng, UserFactory(), rng.randrange(2, 150)))
    monkeypatch.setattr(detection, "FEW_EVENTS", 0.0)
    detect_history()
    expected = rows()
    struck = {code for code, *_ in expected}
    assert struck == set(EASY) == set(STRIKES)
    Anomaly.objects.all().delete()
    AnomalyHit.objects.all().delete()
    monkeypatch.setattr(detection, "FEW_EVENTS", share)
    monkeypatch.setattr(detection, "SLICE_EVENTS", slice_events)
    told = []
    detect_history(progress=lambda done, hits: told.append((done, hits)))
    assert rows() == expected
    assert told == sorted(told)
    assert told[-1] == (1.0, sum(1 for row in expected if len(row) == 4))


def test_only_accounts_that_may_be_struck_are_read(marta, other_member, monkeypatch):
    record(*burst(marta, "login_failed", 10), *burst(other_member, "login_failed", 9))
    rules = [("failed_login_burst", {"count": 10}), ("failed_login_burst", {"count": 9})]
    nobody = np.empty(0, dtype=np.int64)
    strict, lax = may_be_struck(rules, [nobody, nobody])
    assert strict.tolist() == [marta.pk]
    assert set(lax.tolist()) == {marta.pk, other_member.pk}
    assert events_of(strict).tolist() == [10]
    assert events_known() == 19
    read = []
    monkeypatch.setattr(detection, "FEW_EVENTS", 0.9)
    monkeypatch.setattr(log, "read_events", lambda *asked: read.append(asked[2]) or empty())
    AnomalyRule.objects.exclude(code="failed_login_burst").update(is_enabled=False)
    detect_history()
    assert read == [Accounts.listed([marta.pk])]


def empty():
    return EventTable(*[np.empty(0, dtype=np.int64)] * 9)


@pytest.mark.parametrize("bits", [1, 3, 6, 9])
def test_logins_left_out_before_they_are_read_would_not_have_surprised(bits, monkeypatch):
    rng = random.Random(bits)
    AnomalyRule.objects.exclude(code="unusual_login").update(is_enabled=False)
    AnomalyRule.objects.update(parameters={"bits": bits, "logins": 4})
    for person in [UserFactory() for _ in range(6)]:
        record(
            *[
                event(
                    person,
                    rng.choice(["login_ok", "login_ok", "content_posted"]),
                    timedelta(hours=hour + 1),
                    ip=f"81.2.{rng.randrange(3)}.{rng.randrange(4)}",
                    device=rng.choice(["phone", "phone", "laptop", f"new-{hour}", ""]),
                    country=rng.choice(["ES", "ES", "FR", ""]),
                )
                for hour in range(30)
            ]
        )
    Identifier.objects.filter(value__endswith=".1").update(listing="proxy")
    monkeypatch.setattr(detection, "FEW_EVENTS", 0.0)
    detect_history()
    narrowed = rows()
    Anomaly.objects.all().delete()
    AnomalyHit.objects.all().delete()
    monkeypatch.setattr(log, "_may_surprise", lambda bits: "1 = 1")
    detect_history()
    assert narrowed == rows() != []


def test_late_events_complete_a_burst(marta):
    events = burst(marta, "transfer", 10)
    record(*events[:4], *events[5:])
    detect_new()
    assert found(marta) == {}
    record(events[4])
    detect_new()
    assert found(marta) == {"transaction_velocity": 1}


def test_further_hits_raise_the_counter(marta):
    record(*burst(marta, "transfer", 10, ago=timedelta(hours=8)))
    detect_new()
    record(*burst(marta, "transfer", 12, ago=timedelta(hours=4)))
    detect_new()
    anomaly = Anomaly.objects.get()
    assert anomaly.hits == 2
    assert anomaly.last_hit_at > anomaly.first_hit_at
    assert anomaly.evidence["count"] == 10


def test_the_mark_advances_only_past_what_is_settled(marta):
    record(*burst(marta, "transfer", 3))
    detect_new()
    assert DetectionMark.objects.get().event_id == 0
    from riskops.models import AccountEvent

    AccountEvent.objects.update(received_at=timezone.now() - timedelta(hours=1))
    detect_new()
    assert DetectionMark.objects.get().event_id == AccountEvent.objects.latest("id").pk


# -- resolving -----------------------------------------------------------------


@pytest.fixture
def anomaly(marta):
    record(*burst(marta, "transfer", 10))
    detect_new()
    return Anomaly.objects.get()


def test_a_resolved_anomaly_does_not_come_back_for_the_same_hit(anomaly, analyst):
    resolve_anomaly(actor=analyst, anomaly=anomaly, outcome="false_positive", note="a sale")
    detect_history()
    assert Anomaly.objects.count() == 1
    record(*burst(anomaly.account, "transfer", 10, ago=timedelta(hours=5)))
    detect_new()
    assert Anomaly.objects.open().count() == 1
    assert Anomaly.objects.count() == 2


def test_resolving_twice_is_refused(anomaly, analyst):
    resolve_anomaly(actor=analyst, anomaly=anomaly, outcome="confirmed")
    with pytest.raises(AnomalyAlreadyResolved):
        resolve_anomaly(actor=analyst, anomaly=anomaly, outcome="expected")
    assert AuditEntry.objects.filter(action="riskops.anomaly.resolved").count() == 1


def test_open_and_confirmed_transaction_anomalies_count_in_the_score(anomaly, analyst):
    accounts = Accounts.listed([anomaly.account_id])
    assert open_anomalies(accounts)["anomalies"].tolist() == [1]
    resolve_anomaly(actor=analyst, anomaly=anomaly, outcome="confirmed")
    assert open_anomalies(accounts)["anomalies"].tolist() == [1]
    Anomaly.objects.update(outcome="false_positive")
    assert open_anomalies(accounts)["account"].tolist() == []


def test_outcomes_give_each_rule_its_precision(anomaly, analyst):
    resolve_anomaly(actor=analyst, anomaly=anomaly, outcome="valuable")
    rule = AnomalyRule.objects.with_precision().get(pk=anomaly.rule_id)
    assert (rule.open_count, rule.resolved_count, rule.right_count) == (0, 1, 1)


# -- exemptions and actions ----------------------------------------------------


def test_an_exempt_account_is_left_alone_until_the_exemption_ends(marta, analyst):
    rule = AnomalyRule.objects.get(code="transaction_velocity")
    with pytest.raises(EndsInThePast):
        exempt_account(
            actor=analyst, rule=rule, account=marta, reason="bot", expires_at=timezone.now()
        )
    exemption = exempt_account(
        actor=analyst,
        rule=rule,
        account=marta,
        reason="a market maker",
        expires_at=timezone.now() + DAY,
    )
    record(*burst(marta, "transfer", 10))
    detect_new()
    assert found(marta) == {}
    exemption.expires_at = timezone.now() - DAY
    exemption.save()
    detect_new()
    assert found(marta) == {"transaction_velocity": 1}


def test_an_alert_is_raised_once(marta, analyst):
    rule = AnomalyRule.objects.get(code="transaction_velocity")
    change_rule(actor=analyst, rule=rule, values={"action": "alert"})
    record(*burst(marta, "transfer", 10))
    detect_new()
    detect_history()
    assert Alert.objects.filter(rule="riskops.anomaly.transaction_velocity").count() == 1


def test_a_suspension_spares_staff(marta, analyst):
    rule = AnomalyRule.objects.get(code="transaction_velocity")
    change_rule(actor=analyst, rule=rule, values={"action": "suspend"})
    record(*burst(marta, "transfer", 10), *burst(analyst, "transfer", 10))
    detect_new()
    marta.refresh_from_db()
    analyst.refresh_from_db()
    assert marta.is_suspended
    assert not analyst.is_suspended


# -- rules ---------------------------------------------------------------------


def test_a_rule_is_checked_against_the_bounds_of_its_detector(analyst):
    values = {"code": "fast", "detector": "follow_burst", "parameters": {"count": 1, "x": 2}}
    with pytest.raises(InvalidInput) as refused:
        create_rule(actor=analyst, values=values)
    assert {e["field"] for e in refused.value.errors} == {"parameters.count", "parameters.x"}
    rule = create_rule(actor=analyst, values={**values, "parameters": {"count": 5}})
    assert rule.parameters == {"count": 5, "minutes": 10}


def test_a_rule_with_findings_is_not_deleted(anomaly, analyst):
    with pytest.raises(RuleInUse):
        delete_rule(actor=analyst, rule=anomaly.rule)
    unused = create_rule(actor=analyst, values={"code": "x", "detector": "follow_burst"})
    delete_rule(actor=analyst, rule=unused)
    assert not AnomalyRule.objects.filter(code="x").exists()


def test_a_rule_that_is_off_finds_nothing(marta):
    AnomalyRule.objects.update(is_enabled=False)
    record(*burst(marta, "transfer", 10))
    assert detect_new().hits == 0


def test_shipping_leaves_changed_rules_alone():
    AnomalyRule.objects.filter(code="follow_burst").update(severity="critical")
    AnomalyRule.objects.filter(code="structuring").delete()
    ship_default_rules()
    assert AnomalyRule.objects.get(code="follow_burst").severity == "critical"
    assert not AnomalyRule.objects.filter(code="structuring").exists()


def test_the_command_tells_what_it_found(marta, capsys):
    record(*burst(marta, "transfer", 10))
    call_command("detect_anomalies", "--quiet")
    assert "1 new hits, 1 anomalies opened" in capsys.readouterr().out
    call_command("detect_anomalies", "--since", "3650d")
    assert "0 new hits" in capsys.readouterr().out
    assert IdentifierKind.IP == "ip"
