"""What people of staff tried with accounts of others: to be rid of them, to learn, to vouch."""

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.urls import reverse
from rest_framework.test import APIClient

from marketplace.services import open_dispute
from marketplace.services.categories import create_category, update_category
from marketplace.tests import factories as shop
from messaging.services import report_message
from messaging.services.erasing import request_erasure
from messaging.tests.factories import send
from riskops.links.clusters import suspend_cluster
from riskops.models import AccountCluster, ClusterMember, Dealing, Identifier
from riskops.tests.factories import NOW, confirmed, event, record
from support.models import Ticket
from support.tests.factories import make_ticket
from systemadmin.errors import OwnInterest
from systemadmin.events import acted_alone
from systemadmin.foundation import queue
from systemadmin.foundation.testing import problem
from systemadmin.models import (
    AccessLink,
    AccountExport,
    Alert,
    ApiToken,
    ApprovalRequest,
    AuditEntry,
    BlockedNetwork,
    Notification,
    ServiceKey,
    UserSession,
)
from systemadmin.services.alerts import resolve_by_hand
from systemadmin.services.authentication import set_password
from systemadmin.services.maintenance import disable_maintenance, enable_maintenance
from systemadmin.services.notifications import notify_user
from systemadmin.services.personal_exports import request_own_export, run_export
from systemadmin.services.service_keys import create_service_key
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shipped(db):
    call_command("setup", verbosity=0)


@pytest.fixture(params=["own", "related"])
def own_account(request):
    """`own_account(actor)`: the actor's account, or another one confirmed as theirs."""

    def account_of(actor):
        return actor if request.param == "own" else confirmed(actor, UserFactory())

    return account_of


# -- suspending the other party --------------------------------------------------------------


def bought(own, other):
    return shop.paid(shop.approved(other, stock=None), buyer=own)


def sold(own, other):
    return bought(other, own)


def disputed(own, other):
    order = bought(own, other)
    open_dispute(actor=own, order=order, reason="other", body="x")
    type(order).objects.filter(pk=order.pk).update(status="completed")


def reported(own, other):
    report_message(actor=own, message=send(other, own, "You owe me"), reason="harassment")


OPEN_BUSINESS = {"bought": bought, "sold": sold, "disputed": disputed, "reported": reported}


@pytest.mark.parametrize("business", sorted(OPEN_BUSINESS))
def test_nobody_suspends_the_other_party_of_open_business(business, own_account, as_user):
    analyst, other = StaffFactory(role="risk_analyst"), UserFactory()
    OPEN_BUSINESS[business](own_account(analyst), other)
    url, body = f"/api/admin/users/{other.pk}/suspend", {"reason": "fraud"}
    refused = as_user(analyst).post(url, body, format="json")
    assert problem(refused, 403)["code"] == "own_interest"
    other.refresh_from_db()
    assert not other.is_suspended
    cluster = AccountCluster.objects.create(size=1, strength=90)
    ClusterMember.objects.create(cluster=cluster, account=other)
    with pytest.raises(OwnInterest):
        suspend_cluster(actor=analyst, cluster=cluster, reason="fraud")
    colleague = as_user(StaffFactory(role="risk_analyst"))
    assert colleague.post(url, body, format="json").status_code == 200


def test_a_superuser_does_not_suspend_who_works_on_his_ticket(as_user):
    boss, agent = StaffFactory(is_superuser=True), StaffFactory(role="support_agent")
    ticket = make_ticket(boss)
    Ticket.objects.filter(pk=ticket.pk).update(assignee=agent)
    url = f"/api/admin/users/{agent.pk}/suspend"
    assert as_user(boss).post(url, {"reason": "x"}, format="json").status_code == 403
    # Whose ticket an agent works on may be suspended by them.
    analyst, member = StaffFactory(role="risk_analyst"), UserFactory()
    Ticket.objects.filter(pk=make_ticket(member).pk).update(assignee=analyst)
    url = f"/api/admin/users/{member.pk}/suspend"
    assert as_user(analyst).post(url, {"reason": "x"}, format="json").status_code == 200


def test_business_that_is_over_is_no_interest_in_a_suspension(as_user):
    analyst, seller = StaffFactory(role="risk_analyst"), UserFactory()
    order = bought(analyst, seller)
    type(order).objects.filter(pk=order.pk).update(status="completed")
    url = f"/api/admin/users/{seller.pk}/suspend"
    assert as_user(analyst).post(url, {"reason": "x"}, format="json").status_code == 200


# -- what stands behind an identifier ----------------------------------------------------------


def test_whoever_dealt_with_a_wallet_stands_behind_it(own_account, as_user):
    analyst = StaffFactory(role="risk_analyst")
    wallet = Identifier.objects.create(kind="wallet", value="0xabc", dealers=1)
    Dealing.objects.create(
        identifier=wallet, account=own_account(analyst), first_seen=NOW, last_seen=NOW
    )
    client = as_user(analyst)
    shared = client.post(
        f"/api/admin/identifiers/{wallet.pk}/share", {"reason": "exchange"}, format="json"
    )
    assert problem(shared, 403)["code"] == "own_interest"
    entry = {"list": "allow", "kind": "wallet", "value": "0xabc", "reason": "x"}
    listed = client.post("/api/admin/risk/list-entries", entry, format="json")
    assert problem(listed, 403)["code"] == "own_interest"


def test_nobody_lets_his_own_card_pass(own_account, as_user):
    analyst = StaffFactory(role="risk_analyst")
    record(event(own_account(analyst), data={"card": "fp-1"}))
    entry = {"list": "allow", "kind": "card", "value": " fp-1", "reason": "x"}
    url = "/api/admin/risk/list-entries"
    listed = as_user(analyst).post(url, entry, format="json")
    assert problem(listed, 403)["code"] == "own_interest"
    stranger = as_user(StaffFactory(role="risk_analyst"))
    assert stranger.post(url, entry, format="json").status_code == 201


@pytest.mark.two_people
@pytest.mark.parametrize("accounts", [0, 1, 500])
def test_nobody_marks_a_public_place_alone_to_use_it_later(accounts, as_user):
    place = Identifier.objects.create(kind="ip", value="203.0.113.70", accounts=accounts)
    answer = as_user(StaffFactory(role="risk_analyst")).post(
        f"/api/admin/identifiers/{place.pk}/share",
        {"reason": "library"},
        format="json",
        HTTP_APPROVAL_REASON="library",
    )
    assert answer.status_code == 202, answer.content
    place.refresh_from_db()
    assert not place.is_shared


@pytest.mark.two_people
def test_the_page_of_identifiers_asks_for_a_second_person_too(admin_client_for):
    place = Identifier.objects.create(kind="device", value="kiosk", accounts=0)
    body = {
        "action": "share",
        ACTION_CHECKBOX_NAME: [str(place.pk)],
        "apply": "1",
        "reason": "library",
    }
    client = admin_client_for(StaffFactory(role="risk_analyst"))
    client.post(reverse("admin:riskops_identifier_changelist"), body)
    place.refresh_from_db()
    assert not place.is_shared
    assert ApprovalRequest.objects.filter(act="riskops.share_identifier").exists()


# -- shutting colleagues out -------------------------------------------------------------------

BLOCKED = "/api/admin/blocked-ips"


def signed_in_from(ip, user):
    token = ApiToken.objects.create(user)[0]
    ApiToken.objects.filter(pk=token.pk).update(ip=ip)


def browsing_from(ip, user):
    Session.objects.create(session_key="k1", session_data="", expire_date="2100-01-01T00:00:00Z")
    UserSession.objects.create(user=user, session_key="k1", ip=ip)


def calling_from(ip, user):
    create_service_key(actor=None, name="shop", owner=user, permissions=[])
    ServiceKey.objects.update(last_used_ip=ip)


@pytest.mark.two_people
@pytest.mark.parametrize("present", [signed_in_from, browsing_from, calling_from])
@pytest.mark.parametrize(
    ("ip", "network"), [("203.0.113.9", "203.0.113.9"), ("2001:db8:5::9", "2001:db8:5::/48")]
)
def test_one_person_does_not_block_where_a_colleague_is(ip, network, present, as_user):
    operator = as_user(StaffFactory(role="operator"))
    present(ip, StaffFactory(role="auditor"))
    body = {"network": network, "reason": "abuse"}
    answer = operator.post(BLOCKED, body, format="json", HTTP_APPROVAL_REASON="abuse")
    assert answer.status_code == 202, answer.content
    assert not BlockedNetwork.objects.exists()
    elsewhere = operator.post(BLOCKED, {**body, "network": "198.51.100.0/24"}, format="json")
    assert elsewhere.status_code == 201, elsewhere.content


@pytest.mark.two_people
def test_where_members_are_and_where_staff_were_is_blocked_by_one_person(as_user):
    operator = StaffFactory(role="operator")
    signed_in_from("203.0.113.9", UserFactory())
    signed_in_from("203.0.113.9", StaffFactory(is_active=False))
    browsing_from("203.0.113.9", StaffFactory())
    Session.objects.update(expire_date="2020-01-01T00:00:00Z")
    calling_from("203.0.113.9", operator)
    answer = as_user(operator).post(
        BLOCKED, {"network": "203.0.113.0/24", "reason": "abuse"}, format="json"
    )
    assert answer.status_code == 201, answer.content


@pytest.mark.two_people
@pytest.mark.parametrize(
    ("network", "status"),
    [("203.0.0.0/15", 202), ("203.0.0.0/16", 201), ("2001:db8::/31", 202), ("2001:db8::/32", 201)],
)
def test_wide_blocks_need_a_second_person(network, status, as_user):
    answer = as_user(StaffFactory(role="operator")).post(
        BLOCKED,
        {"network": network, "reason": "flood"},
        format="json",
        HTTP_APPROVAL_REASON="flood",
    )
    assert answer.status_code == status, answer.content


@pytest.mark.two_people
def test_the_form_for_blocks_says_that_it_waits(admin_client_for):
    page = admin_client_for(StaffFactory(role="operator")).post(
        "/admin/systemadmin/blockednetwork/add/",
        {"network": "203.0.0.0/15", "reason": "flood", "expires_at_0": "", "expires_at_1": ""},
        follow=True,
    )
    assert "second person" in page.content.decode()
    assert ApprovalRequest.objects.get().act == "systemadmin.block_network"


# -- who a related account is ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"), [("country", "FR"), ("email", "new@example.org"), ("last_name", "Other")]
)
@pytest.mark.parametrize("by", ["person", "key"])
def test_nobody_says_who_a_related_account_is(by, field, value, as_user):
    operator = StaffFactory(role="operator")
    related = confirmed(operator, UserFactory(external_id="u-1", country="ES"))
    UserFactory(external_id="u-2")
    if by == "person":
        client = as_user(operator)
    else:
        permissions = ["systemadmin.manage_members"]
        key = create_service_key(actor=None, name="sync", owner=operator, permissions=permissions)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {key.secret}")
    refused = client.put("/api/admin/members/u-1", {field: value}, format="json")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, field)
    assert refused.json()["errors"][0]["code"] == "own_interest"
    rows = [{"external_id": name, field: value} for name in ("u-1", "u-2")]
    outcome = client.post("/api/admin/members/batch", {"members": rows}, format="json").json()
    assert [one["status"] for one in outcome["results"]] == ["refused", "updated"]
    # What says nothing new is no act.
    same = client.put("/api/admin/members/u-1", {"country": "ES"}, format="json")
    assert same.status_code == 200, same.json()
    before = {name: getattr(related, name) for name in ("country", "email", "last_name")}
    related.refresh_from_db()
    assert {name: getattr(related, name) for name in before} == before


# -- the data of superusers --------------------------------------------------------------------


def test_an_analyst_exports_no_superuser(as_user, admin_client_for):
    analyst, boss = StaffFactory(role="risk_analyst"), StaffFactory(is_superuser=True)
    client, url = as_user(analyst), f"/api/admin/users/{boss.pk}/export"
    assert client.post(url, {}, format="json").status_code == 403
    page = f"/admin/systemadmin/user/{boss.pk}/personal-data/"
    admin_client_for(analyst).post(page, {"export": "1"})
    assert not AccountExport.objects.exists()
    # Nor takes what the superuser or another one asked for.
    export = request_own_export(actor=boss)
    run_export(export.pk)
    download = f"/api/admin/users/{boss.pk}/export/{export.pk}/download"
    assert client.get(download).status_code == 403
    assert as_user(StaffFactory(is_superuser=True)).get(download).status_code == 200
    assert as_user(boss).get("/api/me/export/download").status_code == 200


# -- where the notices of superusers go --------------------------------------------------------


def edit(browser, user, **changes):
    names = ("username", "first_name", "last_name", "email", "country", "language")
    flags = {
        name: "on" for name in ("is_active", "is_staff", "is_superuser") if getattr(user, name)
    }
    form = {name: getattr(user, name) for name in names} | flags
    groups = list(user.groups.values_list("pk", flat=True))
    form |= {"external_id": "", "telegram_chat_id": user.telegram_chat_id, "groups": groups}
    page = browser.post(f"/admin/systemadmin/user/{user.pk}/change/", form | changes)
    assert page.status_code == 302, page.context["errors"]


@pytest.mark.parametrize(
    ("field", "value"), [("telegram_chat_id", "4711"), ("email", "elsewhere@example.org")]
)
def test_superusers_hear_of_another_address_of_one_of_them(field, value, admin_client_for):
    boss, victim = (StaffFactory(is_superuser=True) for _number in range(2))
    third, agent = StaffFactory(is_superuser=True, language="es"), StaffFactory(role="auditor")
    browser = admin_client_for(boss)
    edit(browser, victim, **{field: value})
    victim.refresh_from_db()
    assert getattr(victim, field) == value
    assert AuditEntry.objects.filter(action="systemadmin.user.changed").count() == 1
    heard = Notification.objects.filter(kind__startswith="security.", channel="email")
    assert set(heard.values_list("user", flat=True)) == {boss.pk, victim.pk, third.pk}
    assert victim.username in heard.get(user=boss).body
    assert boss.username in heard.get(user=boss).body
    # Of others the owner alone hears.
    heard.delete()
    edit(browser, agent, **{field: "5811" if field == "telegram_chat_id" else "new@example.org"})
    assert set(heard.all().values_list("user", flat=True)) == {agent.pk}


# -- a paused queue ----------------------------------------------------------------------------


def test_a_paused_queue_sends_notices_about_the_security_of_accounts(monkeypatch):
    monkeypatch.setattr(queue.Conf, "POLL", 0)
    monkeypatch.setattr(queue.Conf, "BULK", 1)
    member = UserFactory()
    notify_user(user=member, kind="order.paid", subject="x", body="x", key="a")
    enable_maintenance(actor=StaffFactory(role="operator"), pause_queue=True)
    notify_user(user=member, kind="order.paid", subject="x", body="x", key="b")
    set_password(actor=None, user=member, new_password="given-by-staff-1!")
    broker = queue.PausableBroker("default")
    ((_pk, payload),) = broker.dequeue()
    package = queue.open_package(payload)
    notice = Notification.objects.get(pk=package.args[0])
    assert notice.kind == "security.password_set"
    queue.run_task(package.path, package.request_id, package.key, *package.args)
    notice.refresh_from_db()
    assert notice.status == "sent"
    assert broker.dequeue() == []
    set_password(actor=None, user=member, new_password="given-by-staff-2!")
    assert len(broker.dequeue()) == 1
    disable_maintenance(actor=None)
    assert [len(broker.dequeue()) for _row in range(3)] == [1, 1, 0]


# -- who answers -------------------------------------------------------------------------------


def test_nobody_chooses_who_answers_his_own_ticket(own_account, as_user):
    agent, friend = StaffFactory(role="support_agent"), StaffFactory(role="support_agent")
    requester = own_account(agent)
    body = {"user": requester.pk, "subject": "Refund", "body": "Now", "priority": "urgent"}
    url, client = "/api/admin/tickets", as_user(agent)
    refused = client.post(url, {**body, "assignee": friend.pk}, format="json")
    assert problem(refused, 403)["code"] == "own_interest"
    assert not Ticket.objects.exists()
    opened = client.post(url, body, format="json")
    assert (opened.status_code, opened.json()["assignee"]) == (201, None)
    stranger = {**body, "user": UserFactory().pk, "assignee": agent.pk}
    assert client.post(url, stranger, format="json").status_code == 201


# -- passwords of members ----------------------------------------------------------------------


def test_nobody_learns_the_password_of_a_member_who_has_an_address(as_user, admin_client_for):
    operator, member = StaffFactory(role="operator"), UserFactory(external_id="u-1")
    client, browser = as_user(operator), admin_client_for(operator)
    url, new = f"/api/admin/users/{member.pk}", "given-by-staff-1!"
    refused = client.post(f"{url}/password", {"new_password": new}, format="json")
    assert problem(refused, 409)["code"] == "owner_sets_password"
    page = f"/admin/systemadmin/user/{member.pk}/access/"
    assert 'name="new_password"' not in browser.get(page).content.decode()
    browser.post(page, {"act": "password", "new_password": new, "reason": "x"})
    # Nor after the address was taken off.
    taken = client.put("/api/admin/members/u-1", {"email": ""}, format="json")
    assert taken.status_code == 200, taken.json()
    again = client.post(f"{url}/password", {"new_password": new}, format="json")
    assert problem(again, 409)["code"] == "owner_sets_password"
    member.refresh_from_db()
    assert not member.check_password(new)


@pytest.mark.two_people
def test_a_link_to_an_address_that_staff_set_needs_a_second_person(as_user):
    operator, member = StaffFactory(role="operator"), UserFactory(external_id="u-1")
    client, url = as_user(operator), f"/api/admin/users/{member.pk}/password-reset"
    sent = client.post(url, {"reason": "lost"}, format="json")
    assert sent.status_code == 204, sent.content
    client.put("/api/admin/members/u-1", {"email": "mine@example.org"}, format="json")
    assert client.post(url, {"reason": "lost"}, format="json").status_code == 202
    assert AccessLink.objects.count() == 1
    # What the platform passes on is what the owner said.
    key = create_service_key(
        actor=None,
        name="sync",
        owner=StaffFactory(is_superuser=True),
        permissions=["systemadmin.manage_members"],
    )
    platform = APIClient()
    platform.credentials(HTTP_AUTHORIZATION=f"Bearer {key.secret}")
    said = platform.put("/api/admin/members/u-1", {"email": "new@example.org"}, format="json")
    assert said.status_code == 200, said.json()
    ApprovalRequest.objects.all().delete()
    assert client.post(url, {"reason": "lost"}, format="json").status_code == 204


# -- the rest of an insider's ways ------------------------------------------------------------


@pytest.mark.two_people
def test_a_link_to_an_address_that_a_key_of_ones_own_entered_needs_another(as_user):
    superuser, member = StaffFactory(is_superuser=True), UserFactory(external_id="u-7")
    issued = create_service_key(
        actor=None, name="sync", owner=superuser, permissions=["systemadmin.manage_members"]
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issued.secret}")
    row = {"username": member.username, "email": "mine@example.org"}
    path = f"/api/admin/members/{member.external_id}"
    assert client.put(path, row, format="json").status_code == 200
    path = f"/api/admin/users/{member.pk}/password-reset"
    assert as_user(superuser).post(path, {"reason": "asked"}).status_code == 202
    other = as_user(StaffFactory(is_superuser=True))
    assert other.post(path, {"reason": "asked"}).status_code == 204


def test_nobody_erases_the_messages_of_the_other_party(as_user):
    operator, buyer = StaffFactory(role="operator"), UserFactory()
    sold(operator, buyer)
    with pytest.raises(OwnInterest):
        request_erasure(actor=operator, user=buyer, reason="clean up")


def test_nobody_moves_their_own_products_to_another_branch():
    moderator = StaffFactory(role="marketplace_moderator")
    branch, charity = (create_category(actor=None, name=name) for name in ("Own", "Charity"))
    shop.approved(moderator, category=branch)
    with pytest.raises(OwnInterest):
        update_category(actor=moderator, category=branch, parent=charity)
    moved = update_category(actor=UserFactory(), category=branch, parent=charity)
    assert moved.parent == charity


def test_nobody_takes_away_the_report_over_what_they_did_alone():
    operator, colleague = StaffFactory(role="operator"), StaffFactory(role="operator")
    acted_alone.send(sender=None, act="marketplace.pay_order", actor_name=operator.username)
    alert = Alert.objects.get(rule="duties.acted_alone")
    with pytest.raises(OwnInterest):
        resolve_by_hand(actor=operator, alert=alert)
    resolve_by_hand(actor=colleague, alert=alert)
