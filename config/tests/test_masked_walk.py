"""A walk as each role that sees people masked: no list, page or export names a planted person."""

import io
import zipfile

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.management import call_command
from django.db import models, transaction
from django.db.models import CharField, Value
from django.db.models.functions import Concat
from django.test import Client
from django_otp import DEVICE_ID_SESSION_KEY
from rest_framework.test import APIClient

from config.tests.admin_world import build_world
from config.tests.everything import IP, MARK, PHONE, member_who_did_everything
from config.tests.routes import api_routes, normal, readable
from config.tests.test_permission_matrix import MATRIX
from marketplace import services as market
from marketplace.models import DisputeMessage, Product, ProductImage
from marketplace.tests import factories as shop
from riskops.models import Identifier, RelatedAccount
from support.models import (
    Attachment,
    Category,
    InboundMessage,
    Mailbox,
    OutboundMessage,
    ReplyTemplate,
    Ticket,
)
from systemadmin import audit
from systemadmin.foundation import configuration
from systemadmin.foundation.context import context
from systemadmin.foundation.files import PrivateFileSystemStorage
from systemadmin.foundation.personal_data import PERSONAL
from systemadmin.foundation.plugins import role_permissions
from systemadmin.foundation.testing import rolled_back
from systemadmin.models import AccountExport, ApiToken, ApprovalRequest
from systemadmin.services import notify_user
from systemadmin.services.approval_arguments import encode_all
from systemadmin.tests.factories import StaffFactory, UserFactory, totp_device_for

pytestmark = [pytest.mark.django_db, pytest.mark.same_on_both]

IBAN = "DE89370400440532013000"
PLANTED = {
    "e-mail address": f"{MARK}@example.test",
    "Telegram chat": PHONE,
    "IP address": IP,
    "bank account": IBAN,
    "device": f"{MARK}-device",
    "wallet": f"{MARK}wallet",
    "legal name": "Planted Legal Name",
    "tax id": "12345678Z",
    "postal address": "Planted Street 7731",
}
MASKED_ROLES = sorted(role for role, held in role_permissions().items() if PERSONAL not in held)
# Rows per table that the walk opens.
ROWS = 2
# What a path asks for besides the number of its object.
OTHER_IDS = {
    "attachment_id": lambda: Attachment.objects.values_list("pk", flat=True),
    "attachment": lambda: Attachment.objects.values_list("pk", flat=True),
    # Of a reply that came by mail, the mail itself can be read.
    "reply_id": lambda: InboundMessage.objects.exclude(reply=None).values_list(
        "reply_id", flat=True
    ),
    "message_id": lambda: DisputeMessage.objects.values_list("pk", flat=True),
    "export_id": lambda: AccountExport.objects.values_list("pk", flat=True),
    "key": lambda: ProductImage.objects.values_list("key", flat=True),
    "template": lambda: ReplyTemplate.objects.values_list("pk", flat=True),
}
# What a role is shown as it is, by route.
SHOWN = {
    # An agent answers the requester, by mail where there is no app, and reads what came.
    ("support_agent", "/api/admin/tickets"): {"e-mail address"},
    ("support_agent", "/api/admin/tickets/{pk}"): {"e-mail address"},
    ("support_agent", "/api/admin/inbound-mail/{pk}/raw"): {"e-mail address"},
    ("support_agent", "/admin/support/ticket/{object_id}/change"): {"e-mail address"},
    ("support_agent", "/admin/support/inboundmessage/{pk}/raw"): {"e-mail address"},
    # The file for the bank says whose account is paid.
    ("operator", "/api/admin/payout-batches/{pk}/file"): {"bank account", "legal name"},
    ("operator", "/admin/marketplace/payoutbatch/{pk}/file"): {"bank account", "legal name"},
    # The report to the tax office says who the seller is and which account was paid.
    ("operator", "/api/admin/ledger/dac7"): {
        "bank account",
        "legal name",
        "postal address",
        "tax id",
    },
}
# Objects of these tables concern no member: the world has none.
EMPTY = {
    "business-calendars",
    "fee-tax-rates",
    "macros",
    "reason-templates",
    "reply-templates",
    "sla-policies",
}
# The world has no such file and no verification of the audit trail.
UNMADE = {
    # The file of the world is no picture of a mail.
    "/api/admin/tickets/{pk}/attachments/{attachment_id}/inline",
    # The views of the world are other people's own.
    "/api/admin/ticket-views/{pk}",
    # The member of the world came from no platform.
    "/api/admin/members/{external_id}",
    "/api/admin/journal/{pk}/attachment",
    "/api/admin/audit/verifications/{pk}",
    "/api/admin/backups/{pk}/download",
    # Operators see no tickets, so they do not read the mail of tickets.
    "/api/admin/inbound-mail/{pk}/raw",
}
# A stream of events does not end.
ENDLESS = {"/api/messages/stream"}
PERIOD = "?start=2026-01-01&end=2026-12-31"
QUERIES = {
    "/api/admin/support/reports": PERIOD,
    "/api/admin/support/reports/csv": PERIOD,
    "/api/admin/audit/export": "?file=csv",
    "/api/admin/ledger/dac7": "?year=2026",
    "/api/admin/sellers/{pk}/payout-preview": "?currency=EUR",
}
PLAIN_PAGES = ("/admin/", "/admin/status/", "/admin/retention/", "/admin/second-person/")


def named(word):
    return Concat("pk", Value(word), output_field=CharField())


@pytest.fixture(scope="module")
def person(django_db_setup, django_db_blocker, tmp_path_factory):
    """A member with rows in every table and unique personal values in them."""
    single = configuration.declared_settings()["duties.single_person"]
    private = PrivateFileSystemStorage(location=tmp_path_factory.mktemp("private"))
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("messaging.services.rules.windows_of", lambda tier: ())
        patch.setattr("django.conf.settings.RATELIMIT_ENABLE", False)
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if isinstance(field, models.FileField):
                    patch.setattr(field, "storage", private)
        object.__setattr__(single, "default", True)
        with transaction.atomic():
            call_command("setup", verbosity=0)
            root = shop.root()
            build_world()
            # The member's desk is made with the same names.
            Category.objects.update(code=named("old"))
            Mailbox.objects.update(address=named("old@atalaya.test"))
            member = member_who_did_everything(root)
            plant(root, member)
            object.__setattr__(single, "default", False)
            yield member
            transaction.set_rollback(True)


def plant(root, member):
    """Add a payout account, mail that failed and a row of the audit trail."""
    # An act that exists: pages show its title and what it is about.
    ApprovalRequest.objects.filter(act="test").update(
        kind="payout",
        act="marketplace.create_payout",
        arguments=encode_all({"seller": member, "currency": "EUR"}),
    )
    seen = Identifier.objects.get(value=IP)
    RelatedAccount.objects.filter(note=MARK).update(evidence=[["ip", seen.pk, 2, 10.0, 0, 1]])
    notify_user(user=member, kind="test", subject="s", body=f"Now {member.email}", key="planted")
    ApiToken.objects.filter(user=member).update(device=PLANTED["device"])
    market.save_seller_profile(
        actor=root,
        seller=member,
        legal_name=PLANTED["legal name"],
        address=PLANTED["postal address"],
        tax_id=PLANTED["tax id"],
        city="Madrid",
        postal_code="28001",
        iban=IBAN,
    )
    sold = Product.objects.filter(seller=member).first()
    shop.completed(sold, buyer=UserFactory())
    market.create_payout(actor=root, seller=member, currency="EUR")
    market.create_payout_batch(actor=root, currency="EUR")
    OutboundMessage.objects.create(
        ticket=Ticket.objects.filter(requester=member).first(),
        recipient=member.email,
        subject="s",
        status="failed",
        kind="received",
        message_id="<planted@example.test>",
        key="planted",
        last_error=f"no mailbox {member.email} here",
    )
    with context(ip=IP, source="api"):
        audit.record(
            "systemadmin.user.changed",
            actor=root,
            target=member,
            before={"email": member.email, "telegram_chat_id": PHONE},
            reason=f"wrote from {member.email}",
            metadata={"ip": IP},
        )


def people(role):
    """An API client and a browser in the hands of one person with that role."""
    user = StaffFactory(username=f"the-{role}", role=role)
    device = totp_device_for(user)
    _token, secret = ApiToken.objects.create(user=user, two_factor_at=device.created_at)
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    browser = Client()
    browser.force_login(user, backend="systemadmin.backends.AccountBackend")
    session = browser.session
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()
    return api, browser


def content(response):
    """The text of an answer, that of a ZIP archive's members included."""
    data = b"".join(response) if response.streaming else response.content
    if data.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = b"\n".join(archive.read(name) for name in archive.namelist())
    return data.decode("utf-8", "replace").casefold()


def look(client, url, route, found):
    """Note what is shown of the person; return the status."""
    with rolled_back():
        response = client.get(url)
        if response.status_code == 200:
            text = content(response)
            for name, value in PLANTED.items():
                if value.casefold() in text:
                    found.setdefault((route, name), url)
    return response


def chosen(values, person):
    """The person's own number and the newest rows, which are the person's."""
    values = list(values)
    return list(dict.fromkeys([*({person.pk} & set(values)), *values[-ROWS:]]))


def urls(route, numbers, person):
    """The paths of a route with numbers of real rows in place of its names."""
    found = [""]
    for part in route.strip("/").split("/"):
        values = [part]
        if part.startswith("{"):
            name, _brace, rest = part[1:].partition("}")
            ids = OTHER_IDS[name]() if name in OTHER_IDS else numbers
            values = [f"{value}{rest}" for value in chosen(ids, person)]
        found = [f"{path}/{value}" for path in found for value in values]
    return found


def ids_of(response):
    """The ids in an answer of a list."""
    body = response.json() if response["Content-Type"].startswith("application/json") else None
    rows = body.get("results") if isinstance(body, dict) else body
    return sorted(row["id"] for row in rows or [] if isinstance(row, dict) and "id" in row)


def granted(role):
    """The GET routes that the desks' matrices grant to a role, parents first."""
    routes = {path for method, path, _view, _action in api_routes() if method == "GET"}
    allowed = {path for path in routes if role in MATRIX["GET", normal(path)]}
    return sorted(allowed - ENDLESS)


def walk_api(role, person):
    """Return what every GET route shows of the person, and the routes that answered."""
    api, _browser = people(role)
    found, opened = {}, set()
    # Identifiers have no list.
    seen = Identifier.objects.filter(value__in=[PLANTED["device"], PLANTED["wallet"]])
    listed = {"/api/admin/identifiers": [one.pk for one in seen]}
    for route in granted(role):
        parent = route.partition("/{")[0]
        for url in urls(route, listed.get(parent, [person.pk]), person):
            response = look(api, url + QUERIES.get(route, ""), route, found)
            assert response.status_code in (200, 400, 403, 404, 409), f"{url}: {response}"
            if response.status_code == 200:
                opened.add(route)
                if route == parent:
                    listed[route] = ids_of(response)
    return found, opened


def admin_urls(person):
    for model, page in admin.site._registry.items():
        numbers = model._default_manager.order_by("pk").values_list("pk", flat=True)
        meta = model._meta
        for pattern in page.get_urls():
            route = f"/admin/{meta.app_label}/{meta.model_name}" + readable(str(pattern.pattern))
            if route.endswith(("/add", "/delete")) or not pattern.name:
                continue
            for url in urls(route, numbers, person):
                yield route, url + ("" if "." in url.rpartition("/")[2] else "/")
    for route in PLAIN_PAGES:
        yield route, route


def shown_to(role, start):
    """What the list above says that a role is shown, on routes that start so."""
    return {
        (route, name)
        for (reader, route), names in SHOWN.items()
        for name in names
        if reader == role and route.startswith(start)
    }


@pytest.mark.parametrize("role", MASKED_ROLES)
def test_api_shows_roles_no_more_than_listed(person, role):
    found, opened = walk_api(role, person)
    assert set(found) == shown_to(role, "/api/"), found
    closed = {route for route in granted(role) if route.startswith("/api/admin/")} - opened
    assert {route for route in closed if route.split("/")[3] not in EMPTY} == UNMADE & closed


@pytest.mark.parametrize("role", MASKED_ROLES)
def test_admin_shows_roles_no_more_than_listed(person, role):
    _api, browser = people(role)
    found, opened, closed = {}, set(), set()
    for route, url in admin_urls(person):
        if route in closed:
            continue
        response = look(browser, url, route, found)
        assert response.status_code in (200, 302, 400, 403, 404, 405), f"{url}: {response}"
        if response.status_code == 200:
            opened.add(route)
        elif response.status_code == 403:
            closed.add(route)
    assert set(found) == shown_to(role, "/admin/"), found
    held = role_permissions()[role]
    lists = {
        f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        for model in admin.site._registry
        if f"{model._meta.app_label}.view_{model._meta.model_name}" in held
    }
    assert lists - opened == set()


def test_walk_finds_what_is_shown(person):
    """Analysts and auditors see people as they are: the walk looks where they stand."""
    found = {**walk_api("auditor", person)[0], **walk_api("risk_analyst", person)[0]}
    assert {name for _route, name in found} == set(PLANTED)
