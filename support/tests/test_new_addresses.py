"""An address that was changed after a ticket was opened gets no answers until it is confirmed."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from support.models import OutboundMessage
from support.services import merge_tickets, reply_as_customer, reply_as_staff, split_ticket
from support.tests.factories import make_agent, make_ticket
from systemadmin.foundation.scopes import known_scopes
from systemadmin.models import Notification
from systemadmin.services.members import upsert_member
from systemadmin.services.service_keys import create_service_key
from systemadmin.services.users import save_account
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db
NEW = "elsewhere@example.test"


@pytest.fixture
def member(db):
    return UserFactory(external_id="m-1", email="ana@example.test")


def by_platform(member):
    upsert_member(actor=None, external_id="m-1", values={"email": NEW})


def by_staff(member):
    member.email = NEW
    save_account(actor=StaffFactory(is_superuser=True), user=member)


def answered(ticket):
    """Answer a ticket; return where the answer went."""
    ticket.refresh_from_db()
    reply = reply_as_staff(actor=make_agent(), ticket=ticket, body="Your code is 4711")
    return list(OutboundMessage.objects.filter(reply=reply).values_list("recipient", flat=True))


@pytest.mark.parametrize("change", [by_platform, by_staff])
def test_answers_do_not_go_to_a_new_address(change, member, as_user, admin_client_for):
    ticket = make_ticket(member)
    assert answered(ticket) == ["ana@example.test"]
    change(member)
    assert answered(ticket) == []
    agent = make_agent()
    shown = as_user(agent).get(f"/api/admin/tickets/{ticket.pk}").json()
    assert shown["address_changed_at"]
    page = admin_client_for(agent).get(f"/admin/support/ticket/{ticket.pk}/change/")
    assert "The e-mail address was changed" in page.content.decode()


def test_taking_the_old_address_off_first_changes_nothing(member):
    ticket = make_ticket(member)
    upsert_member(actor=None, external_id="m-1", values={"email": ""})
    by_platform(member)
    assert answered(ticket) == []


def test_what_is_split_off_is_as_old_as_its_first_word(member):
    ticket = make_ticket(member)
    reply = reply_as_staff(actor=make_agent(), ticket=ticket, body="Your code is 4711")
    by_platform(member)
    ticket.refresh_from_db()
    own = split_ticket(actor=make_agent(), ticket=ticket, replies=[reply.pk], subject="The code")
    assert answered(own) == []


def test_what_is_merged_is_as_old_as_its_first_word(member):
    ticket = make_ticket(member)
    reply_as_staff(actor=make_agent(), ticket=ticket, body="Your code is 4711")
    by_platform(member)
    later = make_ticket(member)
    # An agent opened it on the phone: nothing in it was written by who is signed in.
    later.replies.update(is_from_customer=False)
    assert answered(later) == [NEW]
    ticket.refresh_from_db()
    later.refresh_from_db()
    merge_tickets(actor=make_agent(), source=ticket, into=later)
    assert answered(later) == []


def test_the_customer_confirms_it_by_writing_where_they_are_signed_in(member, as_user):
    ticket = make_ticket(member)
    by_platform(member)
    ticket.refresh_from_db()
    reply_as_customer(author=member, ticket=ticket, body="Any news?")
    assert answered(ticket) == [NEW]
    shown = as_user(make_agent()).get(f"/api/admin/tickets/{ticket.pk}").json()
    assert shown["address_changed_at"] is None


@pytest.mark.parametrize("acts_as", ["key", "token of the key"])
def test_what_a_key_writes_for_the_customer_confirms_nothing(acts_as, member):
    key = create_service_key(
        actor=None,
        name="platform",
        owner=StaffFactory(is_superuser=True),
        permissions=["systemadmin.act_for_member", "systemadmin.issue_member_token"],
        member_scopes=sorted(known_scopes()),
    )
    ticket = make_ticket(member)
    by_platform(member)
    client = APIClient()
    acting = {"HTTP_AUTHORIZATION": f"Bearer {key.secret}"}
    if acts_as == "key":
        acting["HTTP_ACT_FOR"] = "ext:m-1"
    else:
        made = client.post(
            "/api/admin/member-tokens",
            {"member": "ext:m-1", "scopes": sorted(known_scopes()), "minutes": 5},
            format="json",
            **acting,
        )
        assert made.status_code == 201, made.content
        acting["HTTP_AUTHORIZATION"] = f"Bearer {made.json()['token']}"
    path = f"/api/tickets/{ticket.pk}/reply"
    wrote = client.post(path, {"body": "Any news?"}, format="json", **acting)
    assert wrote.status_code == 201, wrote.content
    assert answered(ticket) == []


def test_tickets_opened_since_and_old_changes_are_answered(member, time_machine):
    ticket = make_ticket(member)
    by_platform(member)
    member.refresh_from_db()
    assert answered(make_ticket(member)) == [NEW]
    time_machine.move_to(timezone.now() + timedelta(days=30))
    assert answered(ticket) == [NEW]


def test_an_answer_does_not_go_to_a_new_telegram_chat(db):
    member = UserFactory(telegram_chat_id="1111")
    ticket = make_ticket(member)
    member.telegram_chat_id = "2222"
    save_account(actor=StaffFactory(is_superuser=True), user=member)
    answered(ticket)
    notice = Notification.objects.get(kind="support.reply", user=member)
    assert "4711" not in notice.body
    answered(make_ticket(member))
    assert "4711" in Notification.objects.filter(kind="support.reply").latest("pk").body


def test_a_first_address_is_no_other_one(db):
    member = UserFactory(external_id="m-1", email="")
    ticket = make_ticket(member)
    by_platform(member)
    assert answered(ticket) == [NEW]
