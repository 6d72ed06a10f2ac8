"""Links, clusters, anomalies, the account's page and the what-if in the admin."""

import csv
import io

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse

from riskops.anomalies.detection import detect_new
from riskops.links.clusters import rebuild_clusters
from riskops.links.detect import detect_all
from riskops.models import (
    AccountCluster,
    AccountEvent,
    AccountNote,
    Anomaly,
    AnomalyExemption,
    AnomalyRule,
    RelatedAccount,
    RiskRuleset,
    RiskScore,
)
from riskops.models.scores import Level
from riskops.scores.outcomes import record_outcome
from riskops.scores.recompute import recompute_touched
from riskops.tests.factories import event, record
from riskops.tests.test_anomalies import burst
from riskops.tests.worlds import Builder
from systemadmin.foundation.csv_export import csv_line
from systemadmin.foundation.display import display_name
from systemadmin.models import AuditEntry, User
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def analyst(staff):
    return staff("risk_analyst")


@pytest.fixture
def browser(admin_client_for, analyst):
    return admin_client_for(analyst)


@pytest.fixture
def ring():
    build = Builder(31)
    build.people(60)
    accounts = build.ring(4)
    build.done()
    record(*burst(accounts[0], "transfer", 10))
    detect_all()
    rebuild_clusters()
    detect_new()
    recompute_touched(cause="event")
    return accounts


def page(browser, pk, **query):
    return browser.get(reverse("admin:riskops_account_change", args=[pk]), query)


LISTS = [
    "account",
    "relatedaccount",
    "accountcluster",
    "iprange",
    "accountnote",
    "anomaly",
    "anomalyrule",
    "anomalyexemption",
    "rulesettrial",
]


@pytest.mark.parametrize("name", LISTS)
def test_every_list_opens_for_analysts_and_auditors_only(
    name, browser, admin_client_for, staff, ring
):
    url = reverse(f"admin:riskops_{name}_changelist")
    assert browser.get(url).status_code == 200
    assert admin_client_for(staff("auditor")).get(url).status_code == 200
    assert admin_client_for(staff("operator")).get(url).status_code == 403


def test_the_page_of_an_account_shows_everything(browser, ring):
    answer = page(browser, ring[0])
    text = answer.content.decode()
    assert answer.status_code == 200
    for part in ("links", "anomalies", "identifiers", "events", "notes"):
        assert f'id="{part}"' in text
    assert "Many transactions in a short time" in text
    pair = RelatedAccount.objects.of_account(ring[0]).order_by("-strength", "id").first()
    assert str(pair.strength) in text
    device = User.objects.get(pk=ring[0]).sightings.filter(identifier__kind="device").first()
    assert device.identifier.value in text
    assert " style=" not in text.split('id="main"')[1]


def test_personal_data_is_masked_without_the_right(admin_client_for, staff, ring):
    person = staff("support_agent")
    names = ("view_account", "view_identifier", "view_accountevent", "view_relatedaccount")
    for name in names:
        person.user_permissions.add(
            Permission.objects.get(codename=name, content_type__app_label="riskops")
        )
    text = page(admin_client_for(person), ring[0]).content.decode()
    for sighting in User.objects.get(pk=ring[0]).sightings.select_related("identifier"):
        assert sighting.identifier.value not in text
    assert "device #" in text
    assert ".x.x" in text


def test_parts_that_a_role_may_not_see_are_left_out(admin_client_for, staff, ring):
    answer = page(admin_client_for(staff("support_agent")), ring[0])
    text = answer.content.decode()
    assert answer.status_code == 200
    assert 'id="links"' not in text
    assert 'id="events"' not in text


def test_the_timeline_is_filtered_and_paged(browser, member):
    record(*burst(member, "follow", 60), event(member, "content_posted"))
    first = page(browser, member.pk, kind="follow")
    assert len(first.context["events"]) == 50
    second = page(browser, member.pk, kind="follow", before=first.context["older"])
    assert len(second.context["events"]) == 10
    seen = {e.pk for e in first.context["events"]} & {e.pk for e in second.context["events"]}
    assert not seen
    assert page(browser, member.pk, before="nonsense").status_code == 200


def test_the_timeline_as_a_file(browser, ring, analyst):
    url = reverse("admin:riskops_account_events", args=[ring[0]])
    answer = browser.get(url, {"kind": "transfer"})
    rows = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert len(rows) == 10
    assert {row["kind"] for row in rows} == {"Transfer"}
    entry = AuditEntry.objects.get(action="riskops.account.events_exported")
    assert (entry.actor, entry.metadata["unmasked"]) == (analyst, True)


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)"])
def test_no_cell_is_a_formula(text):
    assert csv_line([text]).startswith("'")


def test_notes(browser, ring, analyst):
    url = reverse("admin:riskops_account_note", args=[ring[0]])
    assert browser.get(url).status_code == 403
    assert browser.post(url, {"body": " called them "}).status_code == 302
    browser.post(url, {"body": ""})
    note = AccountNote.objects.get()
    assert (note.body, note.author) == ("called them", analyst)
    assert "called them" in page(browser, ring[0]).content.decode()


def test_the_graph_and_its_data(browser, ring, admin_client_for, staff):
    url = reverse("admin:riskops_account_graph", args=[ring[0]])
    text = browser.get(url, {"depth": "1"}).content.decode()
    assert "cytoscape" in text
    assert "<script>" not in text.split('id="main"')[1]
    data = browser.get(reverse("admin:riskops_account_graph_data", args=[ring[0]])).json()
    assert data["nodes"][0]["url"].endswith(f"/{data['nodes'][0]['id']}/change/")
    assert admin_client_for(staff("support_agent")).get(url).status_code == 403


def test_a_pair_is_judged_from_the_list(browser, ring):
    pair = RelatedAccount.objects.order_by("-strength").first()
    url = reverse("admin:riskops_relatedaccount_changelist")
    form = {"action": "confirm", "_selected_action": [pair.pk]}
    assert RelatedAccount.objects.get(pk=pair.pk).status == "suspected"
    assert b"apply" in browser.post(url, form).content
    browser.post(url, {**form, "apply": "1", "note": "same face"})
    pair.refresh_from_db()
    assert (pair.status, pair.note) == ("confirmed", "same face")
    detail = browser.get(reverse("admin:riskops_relatedaccount_change", args=[pair.pk])).content
    assert b"bits" in detail
    heading = detail.decode().split("<h1>")[1].split("</h1>")[0]
    assert heading == f"{display_name(pair.low)} – {display_name(pair.high)}"
    assert f"{round(pair.probability * 100)} % the same person" in detail.decode()


@pytest.mark.parametrize("level", [level.code for level in Level])
def test_the_dial_has_a_colour_for_each_level(level):
    style = (settings.BASE_DIR / "static/systemadmin/components.css").read_text()
    assert f".at-dial .arc-{level} {{ stroke:" in style


def test_a_cluster_lists_its_accounts_before_it_is_suspended(browser, ring):
    cluster = AccountCluster.objects.get()
    names = list(cluster.members.values_list("account__username", flat=True))
    url = reverse("admin:riskops_accountcluster_changelist")
    form = {"action": "suspend", "_selected_action": [cluster.pk]}
    text = browser.post(url, form).content.decode()
    assert all(name in text for name in names)
    assert not User.objects.filter(suspended_at__isnull=False).exists()
    browser.post(url, {**form, "apply": "1", "reason": "ring of bots"})
    assert User.objects.filter(suspended_at__isnull=False).count() == len(names)
    detail = browser.get(reverse("admin:riskops_accountcluster_change", args=[cluster.pk]))
    assert all(name in detail.content.decode() for name in names)


def test_an_anomaly_is_resolved_with_an_outcome(browser, ring, admin_client_for, staff):
    anomaly = Anomaly.objects.get()
    url = reverse("admin:riskops_anomaly_changelist")
    form = {"action": "resolve", "_selected_action": [anomaly.pk], "apply": "1"}
    admin_client_for(staff("auditor")).post(url, {**form, "outcome": "confirmed"})
    assert Anomaly.objects.open().exists()
    browser.post(url, {**form, "outcome": "confirmed", "note": "drained"})
    anomaly.refresh_from_db()
    assert (anomaly.status, anomaly.outcome) == ("resolved", "confirmed")
    answer = browser.post(url, {**form, "outcome": "expected"}, follow=True)
    assert "already" in answer.content.decode()
    assert (
        browser.get(reverse("admin:riskops_anomaly_change", args=[anomaly.pk])).status_code == 200
    )


def test_rules_are_changed_through_the_service(browser):
    rule = AnomalyRule.objects.get(code="follow_burst")
    url = reverse("admin:riskops_anomalyrule_change", args=[rule.pk])
    form = {
        "code": rule.code,
        "detector": rule.detector,
        "parameter_count": "7",
        "parameter_minutes": "3",
        "severity": "high",
        "action": "none",
        "is_enabled": "on",
    }
    wrong = browser.post(url, {**form, "parameter_count": "0"})
    assert "parameter_count" in wrong.context["adminform"].form.errors
    assert browser.post(url, form).status_code == 302
    rule.refresh_from_db()
    assert (rule.parameters["count"], rule.severity, rule.version) == (7, "high", 2)
    assert AuditEntry.objects.filter(action="riskops.anomaly_rule.changed").exists()


def test_the_list_of_anomalies_says_what_a_rule_looks_for(browser, ring):
    text = browser.get(reverse("admin:riskops_anomaly_changelist")).content.decode()
    rules = AnomalyRule.objects.filter(anomalies__isnull=False)
    assert rules
    for rule in rules:
        assert f">{rule.get_detector_display()}</a>" in text.replace("&#x27;", "'")
        assert f">{rule.code}<" not in text


def test_an_exemption_is_given_and_ended(browser, member, analyst):
    rule = AnomalyRule.objects.get(code="follow_burst")
    url = reverse("admin:riskops_anomalyexemption_add")
    browser.post(url, {"rule": rule.pk, "account": member.pk, "reason": "influencer"})
    exemption = AnomalyExemption.objects.get()
    assert exemption.created_by == analyst
    delete = reverse("admin:riskops_anomalyexemption_delete", args=[exemption.pk])
    browser.post(delete, {"post": "yes"})
    assert not AnomalyExemption.objects.exists()
    assert AuditEntry.objects.filter(action="riskops.anomaly.exemption_ended").exists()


def test_what_if_shows_and_publishes(browser, ring, admin_client_for, staff):
    url = reverse("admin:riskops_rulesettrial_changelist")
    text = browser.get(url).content.decode()
    form = {"alert_threshold": "60"}
    for row in browser.get(url).context["factors"]:
        code = row["code"]
        form |= {f"{code}-points": row["points"], f"{code}-over": row["over"]}
        form |= {f"{code}-cap": row["cap"] or "", f"{code}-enabled": "on"}
        if row["hours"]:
            form[f"{code}-hours"] = row["hours"]
    form["suspicious_transactions-points"] = "0"
    answer = browser.post(url, form)
    assert answer.context["preview"].crossed == 1
    assert "<rect" in answer.content.decode()
    assert "Before and after" not in text
    assert "whole number" in browser.post(url, {**form, "many_ips-points": "x"}).content.decode()
    published = RiskRuleset.objects.latest_published().number
    admin_client_for(staff("auditor")).post(url, {**form, "publish": "1"})
    assert RiskRuleset.objects.latest_published().number == published
    assert browser.post(url, {**form, "publish": "1", "note": "try"}).status_code == 302
    assert RiskRuleset.objects.latest_published().number == published + 1


def test_calibration(browser, ring):
    record_outcome(actor=None, account=User.objects.get(pk=ring[0]), verdict="confirmed_fraud")
    record_outcome(actor=None, account=User.objects.get(pk=ring[1]), verdict="legitimate")
    answer = browser.get(reverse("admin:riskops_calibration"))
    assert answer.status_code == 200
    assert (answer.context["judged"], answer.context["fraud"]) == (2, 1)


def test_an_identifier_is_marked_as_a_public_place(browser, ring):
    identifier = User.objects.get(pk=ring[0]).sightings.first().identifier
    url = reverse("admin:riskops_identifier_changelist")
    form = {"_selected_action": [identifier.pk]}
    browser.post(url, {**form, "action": "share", "apply": "1", "reason": "library"})
    identifier.refresh_from_db()
    assert (identifier.is_shared, identifier.shared_reason) == (True, "library")
    browser.post(url, {**form, "action": "unshare"})
    identifier.refresh_from_db()
    assert not identifier.is_shared


def test_a_group_shows_what_holds_it_together(browser, ring):
    cluster = AccountCluster.objects.get()
    text = browser.get(
        reverse("admin:review_thing", args=["clusters", cluster.pk])
    ).content.decode()
    assert "What holds them together" in text
    assert "the same person" in text


def test_two_readers_at_once_see_what_each_may(rf, ring, analyst):
    """One admin object serves all threads: another request in between changes nothing."""
    desk = admin.site._registry[AccountEvent]
    event = AccountEvent.objects.exclude(ip=None).first()

    def asked_by(user):
        request = rf.get("/")
        request.user = user
        return desk.get_queryset(request).get(pk=event.pk)

    masked, plain = asked_by(UserFactory()), asked_by(analyst)
    assert desk.shown_ip(plain) == event.ip.value
    assert desk.shown_ip(masked) == event.ip.masked != event.ip.value


def test_a_verdict_that_is_taken_back_holds_no_score_up(browser, ring, superuser):
    account = User.objects.get(pk=ring[0])
    record_outcome(actor=superuser, account=account, verdict="confirmed_fraud", note="Same card")
    text = page(browser, account.pk).content.decode()
    assert "Same card" in text
    assert "The score is not calculated with it yet." in text
    recompute_touched(cause="event")
    assert RiskScore.objects.get(pk=account.pk).score == 100
    record_outcome(actor=superuser, account=account, verdict="legitimate", note="A slip")
    recompute_touched(cause="event")
    score = RiskScore.objects.get(pk=account.pk)
    assert (score.score, score.hold_until) == (score.computed, None)
    assert score.score < 100
    assert "A slip" in page(browser, account.pk).content.decode()


def test_the_page_of_a_verdict_says_what_the_score_was_made_of(browser, ring, superuser):
    account = User.objects.get(pk=ring[0])
    outcome = record_outcome(actor=superuser, account=account, verdict="confirmed_fraud")
    url = reverse("admin:riskops_riskoutcome_change", args=[outcome.pk])
    text = browser.get(url).content.decode()
    assert "[[" not in text
    assert "Other accounts on a device: +" in text
