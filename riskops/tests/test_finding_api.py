"""Links, clusters, identifiers, anomalies and the what-if over HTTP."""

from datetime import timedelta

import pytest
from django.utils import timezone

from riskops.anomalies.detection import detect_new
from riskops.links.clusters import rebuild_clusters
from riskops.links.detect import detect_all
from riskops.models import (
    AccountCluster,
    Anomaly,
    AnomalyRule,
    Identifier,
    IpRange,
    LinkStatus,
    RelatedAccount,
    RiskRuleset,
)
from riskops.scores.outcomes import record_outcome
from riskops.scores.rulesets import current_ruleset, draft_ruleset, publish_ruleset
from riskops.tests.factories import event, record
from riskops.tests.test_anomalies import burst
from riskops.tests.worlds import Builder
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import User
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def analyst(as_user, staff):
    return as_user(staff("risk_analyst"))


@pytest.fixture
def auditor(as_user, staff):
    return as_user(staff("auditor"))


@pytest.fixture
def ring():
    build = Builder(21)
    build.people(60)
    accounts = build.ring(4)
    build.done()
    detect_all()
    rebuild_clusters()
    return accounts


def related(client, account, **query):
    return client.get(f"/api/admin/users/{account}/related-accounts", query)


# -- related accounts ----------------------------------------------------------


def test_related_accounts_with_evidence(analyst, ring):
    body = related(analyst, ring[0]).json()
    assert body["count"] == len(body["results"]) >= 1
    first = body["results"][0]
    assert first["user"]["id"] in ring
    assert 0 <= first["strength"] <= 100
    assert first["status"] == "suspected"
    line = first["evidence"][0]
    assert set(line) == {"kind", "identifier", "bits", "note"}
    assert line["bits"] > 0
    assert Identifier.objects.get(pk=line["identifier"]["id"]).value == line["identifier"]["value"]
    strengths = [row["strength"] for row in body["results"]]
    assert strengths == sorted(strengths, reverse=True)


def test_filters_of_related_accounts(analyst, ring):
    everything = related(analyst, ring[0]).json()["count"]
    assert related(analyst, ring[0], kind="device").json()["count"] >= 1
    assert related(analyst, ring[0], kind="wallet").json()["count"] == 0
    assert related(analyst, ring[0], status="confirmed").json()["count"] == 0
    assert related(analyst, ring[0], min_strength=0).json()["count"] == everything
    problem(related(analyst, ring[0], kind="shoe"), 400, field="kind")
    problem(related(analyst, ring[0], strengh=3), 400, field="strengh")
    problem(related(analyst, 999_999), 404)


def test_identifiers_are_masked_without_the_right_to_personal_data(as_user, staff, ring):
    from django.contrib.auth.models import Permission

    person = staff("support_agent")
    person.user_permissions.add(Permission.objects.get(codename="view_relatedaccount"))
    lines = related(as_user(person), ring[0]).json()["results"][0]["evidence"]
    for line in lines:
        value = line["identifier"]["value"]
        assert value.endswith(".x.x") or "#" in value
        assert not Identifier.objects.filter(value=value).exists()


def test_a_crowded_identifier_is_shown_with_no_bits(analyst):
    build = Builder(4)
    build.people(60)
    ring = build.ring(2)
    place = build.ip()
    crowd = build.people(55)
    build.crowd("café", 0, ip=place, accounts=[*crowd, *ring])
    build.done()
    detect_all()
    evidence = related(analyst, ring[0]).json()["results"][0]["evidence"]
    crowded = [line for line in evidence if line["bits"] == 0]
    assert crowded
    assert "57" in crowded[0]["note"]


def test_verdicts(analyst, ring):
    pair = related(analyst, ring[0]).json()["results"][0]["id"]
    url = f"/api/admin/related-accounts/{pair}"
    answer = analyst.post(f"{url}/confirm", {"note": "same face"})
    assert answer.status_code == 200
    assert answer["ETag"] == '"2"'
    assert answer.json()["status"] == "confirmed"
    assert answer.json()["decided_by"] == analyst.user.username
    problem(analyst.post(f"{url}/confirm", {}), 409, "already_judged")
    problem(analyst.post(f"{url}/dismiss", {}, HTTP_IF_MATCH='"1"'), 412)
    late = (timezone.now() - timedelta(1)).isoformat()
    problem(analyst.post(f"{url}/dismiss", {"expires_at": late}), 400, field="expires_at")
    problem(analyst.post(f"{url}/dismiss", {"not": "e"}), 400, field="not")
    assert analyst.post(f"{url}/dismiss", {"note": "flatmates"}).json()["status"] == "dismissed"
    assert analyst.post(f"{url}/reopen", {}).json()["status"] == "suspected"
    problem(analyst.post(f"{url}/reopen", {}), 409, "not_judged")


def test_auditors_read_and_judge_nothing(auditor, ring):
    pair = related(auditor, ring[0]).json()["results"][0]["id"]
    problem(auditor.post(f"/api/admin/related-accounts/{pair}/confirm", {}), 403)


def test_related_accounts_need_the_same_queries_for_one_and_many(analyst, ring):
    RelatedAccount.objects.exclude(
        pk=RelatedAccount.objects.of_account(ring[0]).first().pk
    ).delete()
    assert_constant_queries(lambda: related(analyst, ring[0]), detect_all)


# -- graph ---------------------------------------------------------------------


def test_graph(analyst, ring):
    body = analyst.get(f"/api/admin/users/{ring[0]}/graph", {"depth": 2}).json()
    assert {node["id"] for node in body["nodes"]} <= set(ring)
    assert body["nodes"][0].keys() >= {"id", "label", "depth", "score", "level", "suspended"}
    assert all({edge["source"], edge["target"]} <= set(ring) for edge in body["edges"])
    assert body["truncated"] is False
    problem(analyst.get(f"/api/admin/users/{ring[0]}/graph", {"depth": 4}), 400, field="depth")
    problem(analyst.get(f"/api/admin/users/{ring[0]}/graph", {"deep": 1}), 400, field="deep")


def test_the_graph_is_bounded_on_hubs(analyst):
    hub, others = UserFactory(), [UserFactory() for _ in range(40)]
    for other in others:
        RelatedAccount.objects.create(low=hub, high=other, strength=80, probability=0.8)
    body = analyst.get(f"/api/admin/users/{hub.pk}/graph", {"depth": 3}).json()
    assert body["truncated"] is True
    assert len(body["edges"]) == 20


# -- identifiers ---------------------------------------------------------------


def test_identifier_page_and_public_places(analyst, auditor, ring):
    identifier = Identifier.objects.filter(kind="device", accounts__gte=2).first()
    url = f"/api/admin/identifiers/{identifier.pk}"
    body = analyst.get(url).json()
    assert body["value"] == identifier.value
    assert {row["user"]["id"] for row in body["seen"]} <= set(ring)
    problem(auditor.post(f"{url}/share", {"reason": "library"}), 403)
    problem(analyst.post(f"{url}/share", {}), 400, field="reason")
    assert analyst.post(f"{url}/share", {"reason": "library"}).json()["is_shared"] is True
    problem(analyst.post(f"{url}/share", {"reason": "library"}), 409, "already_shared")
    assert analyst.post(f"{url}/unshare", {}).json()["is_shared"] is False
    problem(analyst.post(f"{url}/unshare", {}), 409, "not_shared")


# -- clusters ------------------------------------------------------------------


def test_clusters(analyst, ring):
    listed = analyst.get("/api/admin/clusters", {"min_size": 2}).json()
    cluster = listed["results"][0]
    url = f"/api/admin/clusters/{cluster['id']}"
    body = analyst.get(url).json()
    assert {member["id"] for member in body["members"]} <= set(ring)
    problem(analyst.post(f"{url}/confirm", {}, HTTP_IF_MATCH='"7"'), 412)
    assert analyst.post(f"{url}/confirm", {"note": "ring"}).json()["status"] == "confirmed"
    done = analyst.post(f"{url}/suspend", {"reason": "ring of bots"}).json()
    assert sorted(done["suspended"]) == sorted(member["id"] for member in body["members"])
    problem(analyst.post(f"{url}/suspend", {"reason": "again"}), 409, "nothing_to_suspend")


def test_a_cluster_with_one_who_may_not_be_suspended_is_left_whole(analyst, ring):
    cluster = AccountCluster.objects.get()
    root = cluster.members.first().account
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    answer = analyst.post(f"/api/admin/clusters/{cluster.pk}/suspend", {"reason": "bots"})
    assert answer.status_code == 409
    assert not User.objects.filter(suspended_at__isnull=False).exists()


# -- anomalies -----------------------------------------------------------------


@pytest.fixture
def anomaly(member):
    record(*burst(member, "transfer", 10))
    detect_new()
    return Anomaly.objects.get()


def test_anomalies_are_listed_and_filtered(analyst, anomaly):
    def count(**query):
        return len(analyst.get("/api/admin/anomalies", query).json()["results"])

    assert count() == 1
    assert count(rule="transaction_velocity", status="open", severity="high") == 1
    assert count(rule="structuring") == 0
    assert count(user=anomaly.account_id) == 1
    assert count(detected_after=(timezone.now() + timedelta(1)).isoformat()) == 0
    assert count(ordering="-hits") == 1
    problem(analyst.get("/api/admin/anomalies", {"outcome": "x"}), 400)
    row = analyst.get(f"/api/admin/anomalies/{anomaly.pk}").json()
    assert row["evidence"]["count"] == 10
    assert row["user"]["id"] == anomaly.account_id


def test_listing_anomalies_needs_the_same_queries_for_one_and_many(analyst, anomaly):
    def grow():
        for _ in range(5):
            other = UserFactory()
            record(*burst(other, "transfer", 10), *burst(other, "follow", 50))
        detect_new()

    assert_constant_queries(lambda: analyst.get("/api/admin/anomalies"), grow)


def test_resolving_an_anomaly(analyst, auditor, anomaly):
    url = f"/api/admin/anomalies/{anomaly.pk}/resolve"
    problem(auditor.post(url, {"outcome": "confirmed"}), 403)
    problem(analyst.post(url, {"outcome": "maybe"}), 400, field="outcome")
    body = analyst.post(url, {"outcome": "confirmed", "note": "drained"}).json()
    assert (body["status"], body["outcome"]) == ("resolved", "confirmed")
    problem(analyst.post(url, {"outcome": "expected"}), 409, "anomaly_already_resolved")


def test_anomaly_rules(analyst):
    url = "/api/admin/anomaly-rules"
    values = {"code": "tiny-bursts", "detector": "follow_burst", "parameters": {"count": 5}}
    created = analyst.post(url, values)
    assert created.status_code == 201
    rule = created.json()
    assert rule["parameters"] == {"count": 5, "minutes": 10}
    assert rule["precision"] is None
    problem(analyst.post(url, values), 400, field="code")
    problem(
        analyst.post(url, {**values, "code": "x", "parameters": {"count": 0}}),
        400,
        field="parameters.count",
    )
    one = f"{url}/{rule['id']}"
    changed = analyst.patch(one, {"severity": "high"}, HTTP_IF_MATCH='"1"')
    assert changed.json()["severity"] == "high"
    problem(analyst.patch(one, {"severity": "low"}, HTTP_IF_MATCH='"1"'), 412)
    assert analyst.put(one, values).json()["version"] == 3
    assert analyst.delete(one).status_code == 204
    assert analyst.get(one).status_code == 404


def test_a_rule_in_use_is_not_deleted(analyst, anomaly):
    url = f"/api/admin/anomaly-rules/{anomaly.rule_id}"
    problem(analyst.delete(url), 409, "anomaly_rule_in_use")


def test_exemptions(analyst, member):
    rule = AnomalyRule.objects.get(code="follow_burst")
    url = f"/api/admin/anomaly-rules/{rule.pk}"
    given = {"user": member.pk, "reason": "influencer"}
    assert analyst.post(f"{url}/exempt", given).status_code == 201
    problem(analyst.post(f"{url}/exempt", given), 400)
    problem(analyst.post(f"{url}/exempt", {**given, "user": 10**9}), 400, field="user")
    assert analyst.post(f"{url}/unexempt", {"user": member.pk}).status_code == 204
    assert analyst.post(f"{url}/unexempt", {"user": member.pk}).status_code == 404


# -- what-if -------------------------------------------------------------------


def test_preview_tells_who_would_cross(analyst, member, other_member):
    now = timezone.now()
    record(
        *(event(member, "login_failed", occurred_at=now - timedelta(minutes=m)) for m in range(5))
    )
    record(event(other_member, occurred_at=now))
    record_outcome(actor=None, account=member, verdict="confirmed_fraud")
    blind = draft_ruleset(
        actor=None, definition={"factors": [{"code": "confirmed_fraud", "enabled": False}]}
    )
    publish_ruleset(actor=None, ruleset=blind)
    before = RiskRuleset.objects.count()
    definition = current_ruleset().rules.to_dict()
    for factor in definition["factors"]:
        if factor["code"] == "failed_logins":
            factor.update(points=20, cap=100)
    definition["family_caps"]["velocity"] = 100
    body = analyst.post("/api/admin/risk/rulesets/preview", {"definition": definition}).json()
    assert body["scored"] == 2
    assert sum(body["histogram_before"]) == sum(body["histogram_after"]) == 2
    assert [c["account"] for c in body["crossings"]] == [member.pk]
    assert body["crossings"][0]["alert_after"] is True
    assert body["judgement_before"]["recall"] == 0
    assert body["judgement_after"]["recall"] == 1
    assert RiskRuleset.objects.count() == max(before, 1)


def test_preview_refuses_nonsense(analyst):
    answer = analyst.post("/api/admin/risk/rulesets/preview", {"definition": {"nonsense": 1}})
    problem(answer, 400)


def test_listed_addresses(analyst):
    IpRange.objects.create(
        cidr="203.0.113.0/24", first="0", last="f", category="vpn", source="list"
    )
    assert analyst.get("/api/admin/ip-ranges", {"category": "vpn"}).json()["count"] == 1
    assert LinkStatus.SUSPECTED == "suspected"
