"""What people of staff tried for themselves: by keys, for members, by lists and by rules."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone
from rest_framework.test import APIClient

from marketplace import services as market
from marketplace.tests import factories as shop
from riskops.models import Identifier, ListEntry, Sighting
from riskops.tests.factories import confirmed
from support.services import reply_as_staff, update_ticket
from support.services.fetching import set_password
from support.services.mailboxes import save_mailbox
from support.tests.factories import make_agent, make_category, make_mailbox, make_ticket
from systemadmin import audit
from systemadmin.errors import CannotDecideRequest, NotOnServiceKeys, OwnInterest
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import run_threads
from systemadmin.models import User
from systemadmin.services import approvals
from systemadmin.services import authentication as auth
from systemadmin.services.event_replay import send_test_event
from systemadmin.services.offboarding import offboard
from systemadmin.services.rights import set_rights
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.services.service_keys import (
    IN_A_MEMBERS_NAME,
    create_service_key,
    hand_over_service_key,
    rotate_service_key,
)
from systemadmin.services.users import suspend_user
from systemadmin.services.webhooks import OUTBOX, create_endpoint, rotate_secret, update_endpoint
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shipped(db):
    call_command("setup", verbosity=0)


@pytest.fixture
def member():
    return UserFactory(external_id="u-1")


def acting(owner, *scopes, member="ext:u-1"):
    """A client of a new key of the owner's that acts for a member."""
    issued = create_service_key(
        actor=None,
        name=f"k{User.objects.count()}",
        owner=owner,
        permissions=["systemadmin.act_for_member", "systemadmin.issue_member_token"],
        member_scopes=scopes,
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issued.secret}", HTTP_ACT_FOR=member)
    return client


# -- in the name of a member ---------------------------------------------------------------


@pytest.mark.parametrize("seller_is", ["owner", "related"])
@pytest.mark.parametrize("by", ["act_for", "member_token"])
def test_the_owner_of_a_key_does_no_business_with_himself(seller_is, by, member):
    owner = StaffFactory(role="operator")
    seller = owner if seller_is == "owner" else confirmed(owner, UserFactory())
    client = acting(owner, "orders:read", "orders:write")
    if by == "member_token":
        client = with_member_token(client)
    product = shop.approved(seller)
    body = {"items": [{"product": product.pk, "quantity": 1}]}
    refused = client.post("/api/orders", body, format="json")
    assert refused.status_code == 403, refused.json()
    assert refused.json()["code"] == "own_interest"
    order = shop.paid(product, buyer=member)
    refused = client.post(f"/api/orders/{order.pk}/confirm", format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "own_interest")
    order.refresh_from_db()
    assert order.status == "paid"
    # With somebody else the member does business as ever.
    other = shop.paid(shop.approved(), buyer=member)
    assert client.post(f"/api/orders/{other.pk}/confirm", format="json").status_code == 200


def with_member_token(client):
    client.credentials(HTTP_AUTHORIZATION=client._credentials["HTTP_AUTHORIZATION"])
    made = client.post(
        "/api/admin/member-tokens",
        {"member": "ext:u-1", "scopes": ["orders:read", "orders:write"]},
        format="json",
    )
    assert made.status_code == 201, made.json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {made.json()['token']}")
    return client


@pytest.mark.parametrize("permission", sorted(IN_A_MEMBERS_NAME))
def test_superusers_alone_make_keys_that_speak_for_members(permission, as_user, superuser):
    operator = StaffFactory(role="operator")
    body = {"name": "shop", "permissions": [permission]}
    answer = as_user(operator).post("/api/admin/service-keys", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "permissions"
    key = create_service_key(
        actor=superuser, name="shop", owner=operator, permissions=[permission]
    ).key
    # Nor does the owner learn the secret of one that a superuser made.
    with pytest.raises(NotOnServiceKeys):
        rotate_service_key(actor=operator, key=key)


def test_the_form_offers_what_may_be_given(admin_client_for, superuser):
    url = "/admin/systemadmin/servicekey/add/"
    text = "Can act for members</option>"
    assert text in admin_client_for(superuser).get(url).content.decode()
    operator = StaffFactory(role="operator")
    assert text not in admin_client_for(operator).get(url).content.decode()


def change_password(member, current, new):
    user = User.objects.get(pk=member.pk)
    auth.change_password(user=user, current_password=current, new_password=new, keep=None)


@pytest.mark.two_people
def test_a_password_that_staff_gave_serves_nobody_but_the_member(as_user, member, time_machine):
    operator, colleague = StaffFactory(role="operator"), StaffFactory(role="operator")
    product = shop.approved(operator)
    order = shop.paid(product, buyer=member)
    User.objects.filter(pk=member.pk).update(email="")
    member.refresh_from_db()
    seller = UserFactory(email="")
    market.post_journal_entry(
        actor=None,
        kind="goodwill_platform",
        currency="EUR",
        lines=market.usual_lines(kind="goodwill_platform", amount=5_00, seller=seller),
        reason="Test",
    )
    for user in (member, seller):
        auth.set_password(actor=operator, user=user, new_password="given-by-staff-1!")
    refused = as_user(member).post(f"/api/orders/{order.pk}/confirm", format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "own_interest")
    saved = as_user(seller).put("/api/seller/profile", {"iban": "DE89370400440532013000"})
    assert saved.status_code == 200, saved.json()
    payout = market.create_payout(actor=colleague, seller=seller, currency="EUR")
    with pytest.raises(SecondPersonNeeded) as found:
        market.pay_payout(actor=colleague, payout=payout)
    (row,) = approvals.keep(found.value, "month's end")
    with pytest.raises(CannotDecideRequest):
        approvals.approve(actor=operator, request=row, reason="asked")
    # Whoever gave it can change it as the member does; after a while a change is the member's.
    change_password(member, "given-by-staff-1!", "chosen-by-whom-2!")
    assert as_user(member).post(f"/api/orders/{order.pk}/confirm").status_code == 403
    time_machine.move_to(timezone.now() + timedelta(days=15))
    change_password(member, "chosen-by-whom-2!", "chosen-by-me-3!")
    assert as_user(member).post(f"/api/orders/{order.pk}/confirm").status_code == 200


# -- who a member is ------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["joined_at", "verified_at"])
def test_a_person_vouches_for_members_by_the_right_to_verify_alone(field, as_user, member):
    operator = as_user(StaffFactory(role="operator"))
    values = {field: "2020-01-01T00:00:00Z"}
    for name in ("u-1", "u-2"):
        answer = operator.put(f"/api/admin/members/{name}", values, format="json")
        assert answer.status_code == 400
        assert answer.json()["errors"][0] == {
            "field": field,
            "code": "not_given",
            "detail": "This needs the permission systemadmin.verify_user.",
        }
    rows = [{"external_id": "u-3", **values}, {"external_id": "u-4"}]
    outcome = operator.post("/api/admin/members/batch", {"members": rows}, format="json").json()
    assert [one["status"] for one in outcome["results"]] == ["refused", "created"]
    key = create_service_key(
        actor=None,
        name="platform",
        owner=StaffFactory(is_superuser=True),
        permissions=["systemadmin.manage_members"],
    )
    platform = APIClient()
    platform.credentials(HTTP_AUTHORIZATION=f"Bearer {key.secret}")
    answer = platform.put("/api/admin/members/u-1", values, format="json")
    assert answer.status_code == 200, answer.json()


# -- one's own tickets ----------------------------------------------------------------------


def test_nobody_is_given_his_own_ticket(staff):
    first, second = make_agent(username="first"), make_agent(username="second")
    related = confirmed(first, UserFactory())
    category = make_category(assignment="round_robin")
    category.agents.add(first, second)
    for requester in (first, related):
        for _time in range(2):
            ticket = make_ticket(requester, category=category)
            assert ticket.assignee == second
    boss = staff("support_agent")
    for requester in (first, related):
        ticket = make_ticket(requester)
        with pytest.raises(OwnInterest):
            update_ticket(actor=boss, ticket=ticket, changes={"assignee": first})


@pytest.mark.parametrize("whose", ["own", "related", "somebody's"])
def test_nobody_reads_notes_about_himself(whose, as_user, admin_client_for):
    agent = StaffFactory(role="support_agent")
    requester = {"own": lambda: agent, "related": lambda: confirmed(agent, UserFactory())}.get(
        whose, UserFactory
    )()
    ticket = make_ticket(requester, subject="Lost", body="Where is it?")
    upload = SimpleUploadedFile("facts.txt", b"facts", "text/plain")
    reply_as_staff(
        actor=make_agent(username="colleague"),
        ticket=ticket,
        body="Looks like fraud",
        internal=True,
        attachments=[upload],
    )
    note = ticket.replies.get(kind="internal")
    client, browser = as_user(agent), admin_client_for(agent)
    url = f"/api/admin/tickets/{ticket.pk}"
    reads = [
        "Looks like fraud" in client.get(url).content.decode(),
        "Looks like fraud" in client.get(f"{url}/replies").content.decode(),
        "Looks like fraud"
        in browser.get(f"/admin/support/ticket/{ticket.pk}/change/").content.decode(),
        client.get(f"{url}/attachments/{note.attachments.get().pk}").status_code == 200,
    ]
    assert reads == [whose == "somebody's"] * 4


# -- lists ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "entry"),
    [
        ("ip", "198.51.100.7", {"kind": "address", "value": "198.51.100.7"}),
        ("device", "phone-7", {"kind": "device", "value": " phone-7 "}),
        ("wallet", "0xabc", {"kind": "wallet", "value": "0xabc"}),
    ],
)
@pytest.mark.parametrize("whose", ["own", "related"])
def test_nobody_lets_himself_pass(kind, value, entry, whose, as_user):
    analyst = StaffFactory(role="risk_analyst")
    account = analyst if whose == "own" else confirmed(analyst, UserFactory())
    identifier = Identifier.objects.create(kind=kind, value=value)
    Sighting.objects.create(
        account=account,
        identifier=identifier,
        first_seen=account.date_joined,
        last_seen=account.date_joined,
    )
    url = "/api/admin/risk/list-entries"
    client, body = as_user(analyst), {"reason": "x", **entry}
    refused = client.post(url, {"list": "allow", **body}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "own_interest")
    # What does not favour him he may do, but not take it back.
    made = client.post(url, {"list": "deny", **body}, format="json")
    assert made.status_code == 201, made.json()
    refused = client.delete(f"{url}/{made.json()['id']}")
    assert refused.status_code == 403
    assert ListEntry.objects.count() == 1


# -- superusers -----------------------------------------------------------------------------


@pytest.mark.two_people
@pytest.mark.parametrize("act", ["offboard", "suspend"])
def test_one_superuser_is_not_left_by_one_person(act):
    first, second, third = (StaffFactory(is_superuser=True) for _number in range(3))

    def take_away(user):
        if act == "offboard":
            offboard(actor=first, user=user, reason="left")
        else:
            suspend_user(actor=first, user=user, reason="left")

    take_away(third)
    with pytest.raises(SecondPersonNeeded):
        take_away(second)
    second.refresh_from_db()
    assert second.is_superuser
    assert not second.is_suspended
    # The command line, where whoever runs the server decides, does not wait.
    offboard(actor=None, user=second, reason="left")
    second.refresh_from_db()
    assert not second.is_superuser


@pytest.mark.two_people
def test_the_page_and_the_call_say_that_it_waits(as_user, admin_client_for):
    first, second = (StaffFactory(is_superuser=True) for _number in range(2))
    answer = as_user(first).post(
        f"/api/admin/users/{second.pk}/offboarding", {"reason": "left"}, format="json"
    )
    assert answer.status_code == 202, answer.json()
    page = admin_client_for(first).post(
        f"/admin/systemadmin/user/{second.pk}/offboarding/", {"reason": "left"}, follow=True
    )
    assert page.status_code == 200
    assert "second person" in page.content.decode() or "waits" in page.content.decode()
    second.refresh_from_db()
    assert second.is_superuser


@pytest.mark.postgres
@pytest.mark.two_people
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["offboard", "suspend"])
def test_two_at_once_leave_more_than_one_superuser(act):
    call_command("setup", verbosity=0)
    first, second, third = (StaffFactory(is_superuser=True) for _number in range(3))

    def take_away(number):
        user = (second, third)[number]
        if act == "offboard":
            return offboard(actor=first, user=user, reason="left")
        return suspend_user(actor=first, user=user, reason="left")

    outcomes = run_threads(take_away, 2)
    assert sum(isinstance(one, SecondPersonNeeded) for one in outcomes) == 1, outcomes
    assert User.objects.staff().filter(is_superuser=True).count() == 2


# -- asking by a key --------------------------------------------------------------------------


@pytest.fixture
def asked_by_key():
    """`asked_by_key(owner)`: a key and the request that it asked for."""

    def ask(owner):
        key = create_service_key(
            actor=None, name="office", owner=owner, permissions=["marketplace.add_journalentry"]
        ).key
        with pytest.raises(SecondPersonNeeded) as found:
            market.post_journal_entry(
                actor=key.account,
                kind="goodwill_platform",
                currency="EUR",
                lines=market.usual_lines(
                    kind="goodwill_platform", amount=9_000_00, seller=UserFactory()
                ),
                reason="Goodwill",
            )
        (row,) = approvals.keep(found.value, "month's end")
        return key, row

    return ask


@pytest.mark.two_people
def test_whoever_hands_a_key_over_does_not_approve_what_it_asked_for(asked_by_key, as_user):
    owner, successor = StaffFactory(role="operator"), StaffFactory(role="operator")
    key, row = asked_by_key(owner)
    refused = as_user(owner).post(f"/api/admin/approvals/{row.pk}/approve", {"reason": "x"})
    assert refused.status_code == 403
    handed = as_user(owner).post(
        f"/api/admin/service-keys/{key.pk}/hand-over", {"owner": successor.pk}, format="json"
    )
    assert handed.status_code == 200, handed.json()
    late = as_user(owner).post(f"/api/admin/approvals/{row.pk}/approve", {"reason": "x"})
    assert late.status_code == 409
    row.refresh_from_db()
    assert row.state == "withdrawn"


@pytest.mark.two_people
def test_a_colleague_just_made_does_not_approve_for_the_makers_key(asked_by_key):
    owner, fresh = StaffFactory(role="operator"), StaffFactory(role="operator")
    audit.record("systemadmin.user.created", actor=owner, target=fresh)
    _key, row = asked_by_key(owner)
    with pytest.raises(CannotDecideRequest):
        approvals.approve(actor=fresh, request=row)
    row = approvals.approve(actor=StaffFactory(role="operator"), request=row)
    assert row.state == "approved"


@pytest.mark.parametrize("ends_by", ["suspension", "rights", "hand_over"])
def test_tokens_that_a_key_made_end_with_its_owner(ends_by, member):
    owner, root = StaffFactory(role="operator"), StaffFactory(is_superuser=True)
    client = with_member_token(acting(owner, "orders:read", "orders:write"))
    assert client.get("/api/orders").status_code == 200
    if ends_by == "suspension":
        suspend_user(actor=root, user=owner, reason="Test")
    elif ends_by == "rights":
        set_rights(actor=root, user=owner, roles=[])
    else:
        hand_over_service_key(
            actor=None, key=owner.service_keys.get(), owner=StaffFactory(role="operator")
        )
    assert client.get("/api/orders").status_code == 401


# -- receivers of events --------------------------------------------------------------------


def test_whoever_sets_where_events_go_answers_for_it():
    first, second = StaffFactory(role="operator"), StaffFactory(role="operator")
    endpoint, _secret = create_endpoint(actor=first, url="https://hooks.example.test/a")
    assert endpoint.owner == first
    endpoint = update_endpoint(actor=second, endpoint=endpoint, description="Shop")
    assert endpoint.owner == first
    endpoint = update_endpoint(actor=second, endpoint=endpoint, url="https://hooks.example.test/b")
    assert endpoint.owner == second
    endpoint, _secret = rotate_secret(actor=first, endpoint=endpoint)
    assert endpoint.owner == first


def test_events_wait_while_the_owner_of_an_endpoint_is_no_staff():
    owner, root = StaffFactory(role="operator"), StaffFactory(is_superuser=True)
    endpoint, _secret = create_endpoint(actor=owner, url="https://hooks.example.test/a")
    send_test_event(actor=root, endpoint=endpoint, kind="ticket.opened")
    assert OUTBOX.rows().count() == 1
    suspend_user(actor=root, user=owner, reason="Test")
    assert OUTBOX.rows().count() == 0
    update_endpoint(actor=root, endpoint=endpoint, url="https://hooks.example.test/b")
    assert OUTBOX.rows().count() == 1


# -- mailboxes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [("host", "evil.example.test"), ("port", 144), ("use_tls", False), ("username", "other")],
)
def test_a_stored_password_goes_to_no_other_server(name, value, admin_client_for):
    operator = StaffFactory(role="operator")
    mailbox = make_mailbox(host="imap.example.test", port=993, use_tls=True, username="desk")
    set_password(mailbox, "secret-of-the-desk")
    mailbox.save()
    with pytest.raises(InvalidInput) as refused:
        save_mailbox(actor=operator, mailbox=mailbox, values={name: value, "password": ""})
    assert [one["field"] for one in refused.value.errors] == ["password"]
    page = f"/admin/support/mailbox/{mailbox.pk}/change/"
    form = admin_client_for(operator).get(page).context["adminform"].form.initial
    typed = {key: given for key, given in form.items() if given is not None} | {name: value}
    answer = admin_client_for(operator).post(page, {**typed, "password": ""})
    assert "Type the password again" in answer.content.decode()
    save_mailbox(actor=operator, mailbox=mailbox, values={name: value, "password": "new"})
    save_mailbox(actor=operator, mailbox=mailbox, values={"name": "Desk"})


def test_what_a_key_sets_up_is_its_owners():
    owner, root = StaffFactory(role="operator"), StaffFactory(is_superuser=True)
    key = create_service_key(
        actor=None, name="setup", owner=owner, permissions=["systemadmin.add_webhookendpoint"]
    ).key
    endpoint, _secret = create_endpoint(actor=key.account, url="https://hooks.example.test/a")
    assert endpoint.owner == owner
    send_test_event(actor=root, endpoint=endpoint, kind="ticket.opened")
    assert OUTBOX.rows().count() == 1
