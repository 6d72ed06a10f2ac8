"""What staff without the permission are shown of people: mail lists and the audit trail."""

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.urls import reverse

from support.models import InboundMessage, OutboundMessage
from support.services import process_mail, store_mail
from support.tests.factories import make_mailbox, make_ticket
from systemadmin import audit
from systemadmin.foundation.context import context
from systemadmin.foundation.personal_data import PERSONAL, masked, masked_texts
from systemadmin.models import User
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

ADDRESS, IP, PHONE = "planted.person@example.test", "203.0.113.231", "77317731"
PAGES = ("systemadmin_auditentry", "support_inboundmessage", "support_outboundmessage")
LISTS = ("/api/admin/audit", "/api/admin/inbound-mail", "/api/admin/outbound-mail")


@pytest.fixture
def planted(db):
    """A person in the audit trail and in both lists of mail."""
    call_command("setup", verbosity=0)
    person = UserFactory(username="planted", email=ADDRESS, telegram_chat_id=PHONE)
    ticket = make_ticket(person)
    raw = f"From: {ADDRESS}\r\nMessage-ID: <a@example.test>\r\n\r\nHello".encode()
    message, _new = store_mail(mailbox=make_mailbox(), raw=raw)
    process_mail(message.pk)
    OutboundMessage.objects.create(
        ticket=ticket,
        recipient=ADDRESS,
        subject="s",
        status="failed",
        kind="received",
        message_id="<o@example.test>",
        key="planted",
        last_error=f"no mailbox {ADDRESS} here",
    )
    with context(ip=IP, source="api"):
        audit.record(
            "systemadmin.user.changed",
            target=person,
            before={"email": ADDRESS, "telegram_chat_id": PHONE},
            after={"email": f"new.{ADDRESS}", "country": "ES"},
            reason=f"wrote from {ADDRESS}",
            metadata={"ip": IP, "found": [1, 2]},
        )
    return person


def looker(*, sees):
    """Staff with every permission, but for that of personal data where they may not see it."""
    user = StaffFactory()
    held = Permission.objects.all()
    codename = PERSONAL.partition(".")[2]
    user.user_permissions.set(held if sees else held.exclude(codename=codename))
    return User.objects.get(pk=user.pk)


def shown_addresses(response):
    content = b"".join(response) if response.streaming else response.content
    return [mark for mark in (ADDRESS, IP, PHONE) if mark.encode() in content]


@pytest.mark.parametrize("path", [*LISTS, "/api/admin/audit/export?file=csv"])
def test_lists_of_the_api(as_user, planted, path):
    hidden, shown = as_user(looker(sees=False)).get(path), as_user(looker(sees=True)).get(path)
    assert (hidden.status_code, shown.status_code) == (200, 200)
    assert shown_addresses(hidden) == []
    assert ADDRESS in shown_addresses(shown)


@pytest.mark.parametrize("name", PAGES)
def test_pages_of_lists_and_of_one(admin_client_for, planted, name):
    hidden = admin_client_for(looker(sees=False))
    model = {"support_inboundmessage": InboundMessage, "support_outboundmessage": OutboundMessage}
    rows = model[name].objects if name in model else audit.AuditEntry.objects
    row = rows.order_by("-pk").filter(**({} if name in model else {"ip": IP})).first()
    for url in (
        reverse(f"admin:{name}_changelist"),
        reverse(f"admin:{name}_change", args=[row.pk]),
    ):
        page = hidden.get(url)
        assert page.status_code == 200
        assert shown_addresses(page) == [], url


def test_what_is_masked_is_not_looked_for(as_user, admin_client_for, planted):
    client = as_user(looker(sees=False))
    assert client.get("/api/admin/audit", {"ip": IP}).status_code in (400, 403)
    assert client.get("/api/admin/audit", {"search": "systemadmin.user"}).json()["results"]
    browser = admin_client_for(looker(sees=False))
    url = reverse("admin:systemadmin_auditentry_changelist")
    refused = browser.get(url, {"before__email__startswith": "planted"})
    assert refused.status_code in (302, 400)
    assert as_user(looker(sees=True)).get("/api/admin/audit", {"ip": IP}).json()["results"]


def test_masked_texts_keep_what_is_no_person():
    assert masked(IP) == "203.0.x.x"
    assert masked_texts({"email": ADDRESS, "count": 3, "ip": IP, "note": f"to <{ADDRESS}>"}) == {
        "email": "p***@example.test",
        "count": 3,
        "ip": "203.0.x.x",
        "note": "to <p***@example.test>",
    }
    assert masked_texts(["2001:db8::1", None, True, "plain"]) == [
        "2001:db8:…",
        None,
        True,
        "plain",
    ]
