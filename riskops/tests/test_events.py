"""The door for facts: what it refuses, what it keeps, and that a replay changes nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from riskops.models import (
    AccountCountry,
    AccountEvent,
    AccountFacts,
    Identifier,
    PendingScore,
    Sighting,
)
from riskops.services import EventInput, record_events
from riskops.tests.factories import NOW, event, record
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import AuditEntry

pytestmark = pytest.mark.django_db

TABLES = (AccountEvent, AccountFacts, Identifier, Sighting, AccountCountry, PendingScore)


def tables():
    """Everything an ingest may touch."""
    return {model: list(model.objects.order_by("pk").values()) for model in TABLES}


def test_an_event_leaves_identifiers_sightings_facts_and_a_pending_score(member):
    record(
        event(member, ip="203.0.113.7", device="phone-1", country="ES", ago=timedelta(hours=2)),
        event(member, ip="203.0.113.7", ago=timedelta(hours=1)),
        event(member, "purchase", wallet="0xABC", amount=1250, currency="EUR"),
    )
    ip = Identifier.objects.get(kind="ip")
    assert (ip.value, ip.subnet, ip.accounts) == ("203.0.113.7", "203.0.113.0/24", 1)
    assert Identifier.objects.get(kind="wallet").value == "0xabc"
    sighting = Sighting.objects.get(identifier=ip, account=member)
    assert (sighting.hits, sighting.last_seen - sighting.first_seen) == (2, timedelta(hours=1))
    facts = AccountFacts.objects.get(account=member)
    assert (facts.events, facts.logins, facts.purchases) == (3, 2, 1)
    assert facts.last_login_at == NOW - timedelta(hours=1)
    assert AccountCountry.objects.get(account=member).logins == 1
    assert PendingScore.objects.filter(account=member).exists()


def test_a_replayed_batch_changes_nothing(member, other_member):
    events = [
        event(member, ip="203.0.113.7", country="ES"),
        event(other_member, ip="203.0.113.7", device="tablet"),
        event(member, "transfer", wallet="w1", counterparty_wallet="w2"),
    ]
    first = record(*events)
    before = tables()
    second = record(*events)
    assert (first.accepted, second.accepted, second.duplicates) == (3, 0, [0, 1, 2])
    assert tables() == before


def test_a_replay_with_other_content_changes_nothing_either(member):
    record(event(member, external_id="x", ip="203.0.113.7"))
    before = tables()
    record(event(member, external_id="x", ip="198.51.100.1", device="other"))
    assert tables() == before


def test_the_same_event_twice_in_a_batch_counts_once(member):
    result = record(event(member, external_id="x"), event(member, external_id="x"))
    assert (result.accepted, result.duplicates) == (1, [1])
    assert AccountFacts.objects.get(account=member).events == 1


def test_the_same_id_from_another_source_is_another_event(member):
    record(event(member, external_id="x"), source="shop")
    assert record(event(member, external_id="x"), source="forum").accepted == 1


def test_bad_rows_are_refused_one_by_one_and_good_ones_kept(member):
    now = timezone.now()
    good = {"kind": "login_ok", "account_id": member.pk, "occurred_at": now}
    bad = [
        ({"kind": "teleport"}, "kind", "unknown_kind"),
        ({"account_id": 10**9}, "account", "unknown_account"),
        ({"account_id": "1"}, "account", "unknown_account"),
        ({"occurred_at": now + timedelta(hours=1)}, "occurred_at", "in_the_future"),
        ({"occurred_at": datetime(1999, 1, 1, tzinfo=UTC)}, "occurred_at", "too_old"),
        ({"occurred_at": datetime(2025, 1, 1)}, "occurred_at", "not_a_moment"),
        ({"occurred_at": "yesterday"}, "occurred_at", "not_a_moment"),
        ({"external_id": "  "}, "external_id", "missing"),
        ({"external_id": "x" * 129}, "external_id", "too_long"),
        ({"ip": "999.1.1.1"}, "ip", "not_an_ip"),
        ({"device": "a\x00b"}, "device", "not_text"),
        ({"wallet": 5}, "wallet", "not_text"),
        ({"amount": 1.5, "currency": "EUR"}, "amount", "not_a_number"),
        ({"amount": 2**63, "currency": "EUR"}, "amount", "not_a_number"),
        ({"amount": 5}, "currency", "currency_missing"),
        ({"currency": "euro"}, "currency", "not_a_currency"),
        ({"country": "Spain"}, "country", "not_a_country"),
        ({"data": [1]}, "data", "not_an_object"),
        ({"data": {"text": "x" * 9000}}, "data", "not_an_object"),
        ({"data": {"text": "\ud800"}}, "data", "not_an_object"),
        ({"data": {"text": float("nan")}}, "data", "not_an_object"),
    ]
    rows = [EventInput(**{**good, "external_id": f"b{i}", **b[0]}) for i, b in enumerate(bad)]
    rows.insert(3, EventInput(**good, external_id="good"))
    result = record_events(rows, source="test")
    assert result.accepted == 1
    expected = [(i + (i >= 3), field, code) for i, (_, field, code) in enumerate(bad)]
    assert [(r.index, r.field, r.code) for r in result.refused] == expected
    assert all(refusal.detail for refusal in result.refused)


def test_a_source_needs_a_name(member):
    for source in ("", "  ", "x" * 33, "a\nb"):
        with pytest.raises(InvalidInput):
            record_events([event(member)], source=source)


def test_addresses_have_one_spelling(member):
    record(
        event(member, ip="::ffff:203.0.113.7"),
        event(member, ip="203.0.113.7"),
        event(member, ip="2001:DB8:0::1"),
        event(member, ip="2001:db8::1"),
    )
    assert sorted(Identifier.objects.values_list("value", flat=True)) == [
        "2001:db8::1",
        "203.0.113.7",
    ]


def test_what_others_do_to_an_account_is_not_its_own_address(member):
    record(
        event(member, "login_failed", ip="198.51.100.66"),
        event(member, "content_reported", device="reporter"),
    )
    assert not Sighting.objects.exists()
    assert set(Identifier.objects.values_list("accounts", flat=True)) == {0}
    assert AccountEvent.objects.filter(ip__value="198.51.100.66").count() == 1


def test_late_events_are_normal_and_order_does_not_matter(member, other_member):
    moments = [timedelta(days=d) for d in (3, 1, 2)]
    for number, ago in enumerate(moments):
        record(event(member, ip="203.0.113.7", ago=ago, external_id=f"m{number}"))
    for number, ago in enumerate(sorted(moments)):
        record(event(other_member, ip="203.0.113.7", ago=ago, external_id=f"o{number}"))
    ours, theirs = AccountFacts.objects.order_by("pk").values()
    assert {**ours, "account_id": 0} == {**theirs, "account_id": 0}
    spans = Sighting.objects.values_list("first_seen", "last_seen", "hits")
    assert len(set(spans)) == 1


def test_a_batch_takes_a_fixed_number_of_queries(member, other_member):
    def batch(size):
        return [
            event(
                (member, other_member)[i % 2],
                ip=f"10.0.{i // 250}.{i % 250}",
                device=f"d{i}",
                country="ES",
            )
            for i in range(size)
        ]

    record(*batch(2))
    with CaptureQueriesContext(connection) as small:
        record(*batch(20))
    with CaptureQueriesContext(connection) as large:
        record(*batch(400))
    assert len(large) == len(small)
    # PostgreSQL takes its locks by statements of their own; SQLite's transaction is the lock.
    assert len(large) <= 16 + 2 * (connection.vendor == "postgresql")


def test_a_batch_of_a_person_or_service_is_audited(member, superuser):
    record(event(member), event(member), source="shop", actor=superuser)
    entry = AuditEntry.objects.get(action="riskops.events.recorded")
    assert entry.actor == superuser
    assert entry.metadata == {"source": "shop", "accepted": 2, "duplicates": 0, "refused": 0}
