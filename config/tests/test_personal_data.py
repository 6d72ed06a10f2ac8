"""A member who did everything: exported whole, erased without a trace but the listed ones."""

import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.urls import reverse
from django.utils import timezone

from config.tests.everything import IP, MARK, MARKERS, member_who_did_everything
from marketplace.models import SellerProfile
from marketplace.tests import factories as shop
from messaging.models import Message
from messaging.services import erase_member
from messaging.tests.factories import old_member, send
from support.models import Reply
from support.tests.factories import make_ticket
from systemadmin.backups import tombstones
from systemadmin.backups.errors import StoreFailed
from systemadmin.backups.tombstones import Tombstone
from systemadmin.backups.vault import open_vault
from systemadmin.errors import AccountIsErased, AccountIsHeld, BusinessIsOpen, StaffNotErased
from systemadmin.foundation.files import PrivateFileSystemStorage
from systemadmin.foundation.personal_data import OnErasure
from systemadmin.foundation.testing import problem
from systemadmin.models import AccountErasure, AccountExport, AuditEntry, Notification, User
from systemadmin.services import erasure
from systemadmin.services.erasure import (
    erase_account,
    erase_again,
    open_business,
    request_erasure,
    run_erasure,
    tables,
)
from systemadmin.services.installation import current_installation
from systemadmin.services.legal_holds import hold_account, release_hold
from systemadmin.services.members import upsert_member
from systemadmin.services.personal_exports import expire_exports, run_export, write_export
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

# Where a marker may stand after an erasure, and why (docs/privacy.md, "What stays").
KEPT = {
    "systemadmin_auditentry": "proof of decisions, until audit.retention_days are over",
    "marketplace_orderline": "the invoice says what was sold",
}
# Tables with a way to an account that hold nothing about a member.
NOT_PERSONAL = {
    "support.AgentState": "staff only",
    "support.Category_agents": "staff only",
    "support.Category_readers": "staff only",
    "support.Mailbox_readers": "staff only",
}


@pytest.fixture
def places(settings, tmp_path, monkeypatch):
    """Files and backups of this test's own."""
    backups = {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": tmp_path / "backups"},
    }
    settings.STORAGES = {**settings.STORAGES, "backups": backups}
    private = PrivateFileSystemStorage(location=tmp_path / "private")
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.FileField):
                monkeypatch.setattr(field, "storage", private)
    return tmp_path


@pytest.fixture
def root(db):
    call_command("setup", verbosity=0)
    return shop.root()


@pytest.fixture
def everything(places, root):
    return member_who_did_everything(root)


def found_in_tables():
    """Every table and column that holds a marker."""
    found = set()
    for model in apps.get_models(include_auto_created=True):
        if model._meta.proxy:
            continue
        for field in model._meta.concrete_fields:
            if holds_marker(model, field):
                found.add(f"{model._meta.db_table}.{field.column}")
    return found


def holds_marker(model, field):
    quote = connection.ops.quote_name
    table, column = quote(model._meta.db_table), quote(field.column)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
        return any(is_marked(row[0]) for row in cursor.fetchall())


def is_marked(value):
    content = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
    return any(marker.lower().encode() in content.lower() for marker in MARKERS)


def found_in_files(folder):
    files = [path for path in (folder / "private").rglob("*") if path.is_file()]
    return [path for path in files if is_marked(path) or is_marked(path.read_bytes())]


# -- the declarations ------------------------------------------------------------------


def declared():
    return {table.model for table in tables()}


def ways_to_accounts():
    """Every table with a foreign key to an account that is the account's own matter."""
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.concrete_fields:
            leads = isinstance(field, models.ForeignKey) and field.related_model is User
            if leads and field.remote_field.on_delete is not models.SET_NULL:
                yield model._meta.label


def test_every_table_with_a_way_to_an_account_is_declared():
    labels = {model._meta.label for model in declared()}
    listed = set(ways_to_accounts())
    assert listed - labels - set(NOT_PERSONAL) - STAFF_ONLY == set()


# Their foreign keys name whoever of staff acted, and cannot be empty.
STAFF_ONLY = {
    "marketplace.BankMatch",
    "marketplace.BankStatement",
    "marketplace.ClosedMonth",
    "marketplace.CommissionRuleVersion",
    "marketplace.PayoutBatch",
    "messaging.Broadcast",
}


@pytest.mark.parametrize("table", tables(), ids=lambda table: table.name)
def test_a_declaration_is_whole(table):
    assert table.columns or table.not_exported
    if table.on_erasure is not OnErasure.DELETE:
        assert table.reason
    if table.on_erasure is OnErasure.ANONYMISE:
        assert table.emptied
    for name in table.emptied:
        assert table.model._meta.get_field(name)


def test_every_text_of_an_anonymised_table_is_emptied_or_harmless():
    # Choices, numbers, names of staff, and what the books keep.
    harmless = {
        "status",
        "kind",
        "currency",
        "source",
        "channel",
        "priority",
        "language",
        "reason",
        "action",
        "from_status",
        "to_status",
        "number",
        "error_code",
        "tax_status",
        "level",
        "payment_reference",
        "legal_name",
        "tax_id",
        "address",
        "postal_code",
        "city",
        "identity",
        "reference",
        "request_id",
        "name",
        "actor_name",
        "error",
        "event_id",
        "key",
    }
    left = []
    for table in tables():
        if table.on_erasure is not OnErasure.ANONYMISE:
            continue
        for field in table.model._meta.concrete_fields:
            is_text = isinstance(field, models.CharField | models.TextField | models.JSONField)
            if is_text and field.name not in {*table.emptied, *harmless}:
                left.append(f"{table.name}.{field.name}")
    # Messages are emptied by their own engine; the others hold numbers and words of the desk.
    assert set(left) == {
        "messaging.Message.body",
        "support.TicketEvent.data",
        "systemadmin.AccountErasure.counts",
        # A keyed hash.
        "systemadmin.AccountErasure.external_id_digest",
        # The provider's own address; the subject becomes a keyed hash.
        "systemadmin.StaffIdentity.issuer",
        "systemadmin.StaffIdentity.subject",
        # What a key of the place may do, and from where.
        "systemadmin.ServiceKey.member_scopes",
        "systemadmin.ServiceKey.networks",
        "systemadmin.ServiceKey.rate",
        # Where the place sends its events.
        "systemadmin.WebhookEndpoint.description",
        "systemadmin.WebhookEndpoint.disabled_reason",
        "systemadmin.WebhookEndpoint.event_types",
        "systemadmin.WebhookEndpoint.previous_secret",
        "systemadmin.WebhookEndpoint.secret",
        "systemadmin.WebhookEndpoint.url",
        # The payment service's own number and code of a chargeback.
        "marketplace.Dispute.external_reference",
        "marketplace.Dispute.network_reason",
        # Numbers; what somebody wrote is emptied by kind.
        "systemadmin.PublishedEvent.data",
        # The platform's own number of an order and what it said of it, in numbers.
        "marketplace.Order.external_id",
        "marketplace.Order.imported",
        "marketplace.Product.external_id",
        # The number that the ticket had at another desk.
        "support.Ticket.external_id",
        # The steps of a calculation, with names of the platform's own rules.
        "marketplace.Payout.fee_trace",
    }


# -- erasure ---------------------------------------------------------------------------


def test_the_member_has_a_row_in_every_declared_table(everything):
    empty = []
    for table in tables():
        rows = table.model._base_manager.filter(table.rows(everything))
        if table.erase is None and not rows.exists():
            empty.append(table.name)
    # Rights of staff, and entries that staff book by hand: they are kept whole.
    allowed = {"systemadmin.User_groups", "systemadmin.User_user_permissions"}
    allowed |= {"marketplace.JournalEntry", "marketplace.JournalLine"}
    # They are made of a closed month; the law keeps them whole.
    allowed |= {"marketplace.SellerStatement", "marketplace.CommissionInvoice"}
    assert set(empty) - allowed == set()
    assert open_business(everything) == []


def test_an_erasure_leaves_nothing_but_the_listed(everything, root, places, caplog):
    caplog.set_level("DEBUG")
    assert found_in_tables()
    assert found_in_files(places)
    caplog.clear()
    done = erase_account(actor=root, user=everything, reason="asked for it")
    assert done.status == "done"
    left = {place for place in found_in_tables() if place.split(".")[0] not in KEPT}
    assert left == set()
    assert found_in_files(places) == []
    assert not [line for line in caplog.messages if is_marked(line)]
    everything.refresh_from_db()
    assert everything.username == f"[erased-{everything.pk}]"
    assert (everything.email, everything.is_active) == ("", False)
    call_command("check_ledger", verbosity=0)


# -- killed, and gone on ---------------------------------------------------------------


class Killed(BaseException):
    """The process dies here."""


def test_an_erasure_goes_on_where_its_process_died(everything, root, places, monkeypatch):
    asked = request_erasure(
        actor=root, user=everything, reason="asked for it", confirm=everything.username
    )
    chunk, calls = erasure._erase_chunk, []

    def dies(*args):
        calls.append(args)
        if len(calls) % 9 == 0:
            raise Killed
        chunk(*args)

    monkeypatch.setattr(erasure, "_erase_chunk", dies)
    for _attempt in range(99):
        try:
            run_erasure(asked.pk)
        except Killed:
            continue
        break
    assert len(calls) > 80
    asked.refresh_from_db()
    assert asked.status == "done"
    assert {place for place in found_in_tables() if place.split(".")[0] not in KEPT} == set()
    assert found_in_files(places) == []
    run_erasure(asked.pk)


# -- export ----------------------------------------------------------------------------


def test_an_export_holds_everything_of_the_member_and_no_secret(everything, root, tmp_path):
    path = tmp_path / "export.zip"
    write_export(user=everything, path=path, language="es")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        page = archive.read("index.html").decode()
        contents = {name: archive.read(name) for name in names}
    expected = {
        f"{table.model._meta.app_label}/{table.model._meta.model_name}.json"
        for table in tables()
        if table.columns
    }
    assert expected <= set(names)
    assert '<html lang="es">' in page
    for table in tables():
        if not table.columns:
            continue
        meta = table.model._meta
        rows = json.loads(contents[f"{meta.app_label}/{meta.model_name}.json"])
        condition = (table.exported or table.rows)(everything)
        assert len(rows) == table.model._base_manager.filter(condition).distinct().count(), meta
    text = b"".join(contents[name] for name in names if name.endswith(".json")).decode()
    for word in ("lamp", "hello again", "reply", "by mail", "broken", IP, "first", "device"):
        assert word in text, word
    for hidden in ("analyst", "override", "outcome", "exempt", "anomaly", "court", "dismissed"):
        assert f"{MARK} {hidden}" not in text, hidden
    assert sorted(name.split("/")[1] for name in names if name.startswith("files/")) == [
        "attachment", "attachment", "attachment", "disputemessage", "productimage",
    ]  # fmt: skip
    assert everything.password not in text


def test_others_appear_as_the_owner_sees_them(root, places, tmp_path):
    seller, buyer = UserFactory(username="seller"), UserFactory(username="buyer")
    stranger = old_member(username="stranger")
    order = shop.completed(shop.approved(seller, price=5_00, stock=None), buyer=buyer)
    send(stranger, buyer, "Hi")
    path = tmp_path / "export.zip"
    write_export(user=buyer, path=path)
    with zipfile.ZipFile(path) as archive:
        orders = json.loads(archive.read("marketplace/order.json"))
        messages = json.loads(archive.read("messaging/message.json"))
    assert orders[0]["buyer"] == {"account": buyer.pk, "name": "you"}
    assert orders[0]["seller"] == {"account": order.seller_id, "name": "seller"}
    assert messages[0]["sender"] == {"account": stranger.pk, "name": ""}


# -- by API, page and command ----------------------------------------------------------


@pytest.fixture
def quiet(places, root):
    """A member with a little data and nothing open."""
    user = UserFactory(username="quiet", email="quiet@example.test")
    make_ticket(user, body="Private words")
    return user


def run_queue():
    """Run what was queued for exports and erasures."""
    for export in AccountExport.objects.filter(status="queued"):
        run_export(export.pk)
    for asked in AccountErasure.objects.filter(status="queued"):
        run_erasure(asked.pk)


def test_the_platform_exports_and_erases_by_the_api(as_user, quiet):
    platform = UserFactory()
    for codename in ("export_account", "erase_account"):
        platform.user_permissions.add(Permission.objects.get(codename=codename))
    client = as_user(platform)
    url = f"/api/admin/users/{quiet.pk}"
    asked = client.post(f"{url}/export", {"language": "en"}, format="json")
    assert asked.status_code == 202
    problem(client.post(f"{url}/export", {}, format="json"), 409, "export_running")
    file = f"{url}/export/{asked.json()['id']}/download"
    problem(client.get(file), 409, "export_not_ready")
    run_queue()
    downloaded = client.get(file)
    content = b"".join(downloaded.streaming_content)
    assert downloaded["Content-Type"] == "application/zip"
    assert b"Private words" in zipfile.ZipFile(io.BytesIO(content)).read("support/reply.json")
    state = client.get(f"{url}/erasure").json()
    assert (state["is_held"], state["open_business"]) == (False, [])
    body = {"reason": "Asked for it", "confirm": "nobody"}
    problem(client.post(f"{url}/erasure", body, format="json"), 400, "invalid")
    erased = client.post(f"{url}/erasure", {**body, "confirm": "quiet"}, format="json")
    assert erased.status_code == 202
    run_queue()
    last = client.get(f"{url}/erasure").json()["last"]
    assert (last["status"], last["counts"]["systemadmin.User"]) == ("done", 1)
    problem(client.get(file), 404, "not_found")
    again = client.post(
        f"{url}/erasure", {**body, "confirm": f"[erased-{quiet.pk}]"}, format="json"
    )
    problem(again, 409, "account_erased")


def test_a_member_exports_their_own(as_user, quiet, other_member):
    client = as_user(quiet)
    problem(client.get("/api/me/export"), 404, "not_found")
    assert client.post("/api/me/export").status_code == 202
    run_queue()
    ready = client.get("/api/me/export").json()
    assert ready["status"] == "done"
    content = b"".join(client.get("/api/me/export/download").streaming_content)
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
    assert Notification.objects.filter(user=quiet, kind="privacy.export_ready").exists()
    assert client.post("/api/me/export").json()["id"] == ready["id"]
    problem(as_user(other_member).get("/api/me/export"), 404, "not_found")
    AccountExport.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    problem(client.get("/api/me/export/download"), 409, "export_not_ready")
    assert expire_exports() == 1
    assert not any(quiet.exports.values_list("file", flat=True))


def test_holds_staff_and_open_business_stand_against_an_erasure(root, staff, places):
    seller, buyer = UserFactory(), UserFactory()
    order = shop.paid(shop.approved(seller, price=5_00, stock=None), buyer=buyer)
    with pytest.raises(BusinessIsOpen) as refusal:
        erase_account(actor=root, user=buyer, reason="x")
    assert refusal.value.extra["open_business"] == [{"code": "open_orders", "count": 1}]
    with pytest.raises(StaffNotErased):
        erase_account(actor=root, user=staff("operator"), reason="x")
    hold = hold_account(
        actor=root, user=buyer, reason="Court", ends_at=timezone.now() + timedelta(days=1)
    )
    with pytest.raises(AccountIsHeld):
        erase_account(actor=root, user=buyer, reason="x", despite_open_business=True)
    release_hold(actor=root, hold=hold, reason="Over")
    assert erase_account(actor=root, user=buyer, reason="x", despite_open_business=True)
    order.refresh_from_db()
    assert order.buyer.username == f"[erased-{buyer.pk}]"
    with pytest.raises(AccountIsErased):
        hold_account(
            actor=root, user=buyer, reason="Court", ends_at=timezone.now() + timedelta(days=1)
        )


def test_a_hold_that_comes_before_the_work_begins_stops_it(root, quiet):
    asked = request_erasure(actor=root, user=quiet, reason="x", confirm="quiet")
    hold_account(actor=root, user=quiet, reason="C", ends_at=timezone.now() + timedelta(days=1))
    with pytest.raises(AccountIsHeld):
        run_erasure(asked.pk)
    asked.refresh_from_db()
    assert (asked.status, asked.error_code) == ("failed", "legal_hold")
    quiet.refresh_from_db()
    assert quiet.is_active


def test_the_page_says_what_will_happen_and_does_it(admin_client_for, root, quiet):
    browser = admin_client_for(root)
    url = reverse("admin:systemadmin_user_personal_data", args=[quiet.pk])
    page = browser.get(url)
    assert b"made anonymous" in page.content
    assert browser.post(url, {"export": "1"}).status_code == 302
    run_queue()
    export = AccountExport.objects.get()
    file = browser.get(reverse("admin:systemadmin_user_export", args=[quiet.pk, export.pk]))
    assert file["Content-Type"] == "application/zip"
    wrong = browser.post(url, {"erase": "1", "reason": "x", "confirm": "other"})
    assert wrong.status_code == 200
    right = browser.post(url, {"erase": "1", "reason": "x", "confirm": "quiet"})
    assert right.status_code == 302
    run_queue()
    assert b"This account is erased" in browser.get(url).content


def test_the_page_is_closed_to_who_may_do_neither(admin_client_for, staff, quiet):
    url = reverse("admin:systemadmin_user_personal_data", args=[quiet.pk])
    assert admin_client_for(staff("support_agent")).get(url).status_code == 403
    analyst = admin_client_for(staff("risk_analyst"))
    assert analyst.get(url).status_code == 200
    assert analyst.post(url, {"erase": "1", "reason": "x", "confirm": "quiet"}).status_code == 403


def test_who_never_sold_leaves_no_name_for_invoices(root, quiet):
    SellerProfile.objects.create(user=quiet, legal_name="Quiet Legal", address="1 Quiet Street")
    assert erase_account(actor=root, user=quiet, reason="asked for it")
    run_queue()
    assert not SellerProfile.objects.filter(user=quiet).exists()


def test_by_command(quiet, tmp_path, capsys):
    path = tmp_path / "quiet.zip"
    call_command("export_account", "quiet", str(path), reason="letter")
    assert zipfile.is_zipfile(path)
    call_command("erase_account", "quiet", reason="letter")
    assert "Nothing was erased" in capsys.readouterr().out
    call_command("erase_account", "quiet", reason="letter", yes=True)
    assert f"Account {quiet.pk} is erased." in capsys.readouterr().out
    with pytest.raises(CommandError):
        call_command("erase_account", "quiet", reason="letter", yes=True)


# -- after a restore -------------------------------------------------------------------


def test_a_tombstone_erases_again_whom_a_restore_brought_back(root, quiet):
    before = User.objects.filter(pk=quiet.pk).values().get()
    erase_account(actor=root, user=quiet, reason="x")
    User.objects.filter(pk=quiet.pk).update(**before)
    make_ticket(User.objects.get(pk=quiet.pk), body="Back again")
    vault = open_vault()
    stones = tombstones.found(vault.store, vault.signer, current_installation())
    assert [stone.account for stone in stones] == [quiet.pk]
    assert erase_again(stones) == 1
    quiet.refresh_from_db()
    assert quiet.username == f"[erased-{quiet.pk}]"
    assert not Reply.objects.exclude(body="").filter(author=quiet).exists()
    assert erase_again(stones) == 0


def test_a_tombstone_erases_nobody_else_with_the_same_number(root, quiet):
    erase_account(actor=root, user=quiet, reason="x")
    newcomer = {"username": "newcomer", "is_active": True, "erased_at": None}
    User.objects.filter(pk=quiet.pk).update(**newcomer, registered_at=timezone.now())
    vault = open_vault()
    assert erase_again(tombstones.found(vault.store, vault.signer, current_installation())) == 0
    assert User.objects.get(pk=quiet.pk).username == "newcomer"


def test_a_tombstone_finds_an_account_whose_joining_date_was_changed(root, quiet):
    before = User.objects.filter(pk=quiet.pk).values().get()
    User.objects.filter(pk=quiet.pk).update(external_id="m-1")
    upsert_member(actor=root, external_id="m-1", values={"joined_at": "2020-02-02T02:02:02Z"})
    quiet.refresh_from_db()
    assert quiet.date_joined.year == 2020
    erase_account(actor=root, user=quiet, reason="x")
    User.objects.filter(pk=quiet.pk).update(**before)
    vault = open_vault()
    assert erase_again(tombstones.found(vault.store, vault.signer, current_installation())) == 1
    assert User.objects.get(pk=quiet.pk).username == f"[erased-{quiet.pk}]"


def test_a_tombstone_of_an_older_release_goes_by_the_joining_date(quiet):
    old = {"account": quiet.pk, "erased_at": timezone.now().isoformat(), "installation": "one"}
    other = Tombstone(**old, joined_at=timezone.now().isoformat())
    same = Tombstone(**old, joined_at=quiet.date_joined.isoformat())
    assert erase_again([other]) == 0
    assert erase_again([same]) == 1


def test_a_forged_tombstone_is_refused(root, quiet, places):
    erase_account(actor=root, user=quiet, reason="x")
    path = next((places / "backups").glob("erased-*.json"))
    path.write_text(path.read_text().replace(f"{quiet.pk},", f"{root.pk},"))
    vault = open_vault()
    with pytest.raises(StoreFailed):
        tombstones.found(vault.store, vault.signer, current_installation())


def brought_back(user, rows):
    """The messages as a backup from before had them."""
    for row in rows:
        Message.objects.filter(pk=row["id"]).update(**row)


def test_messages_erased_alone_are_erased_again_after_a_restore(root, quiet):
    peer = UserFactory()
    sent = send(quiet, peer, "Private words")
    rows = list(Message.objects.filter(pk=sent.pk).values())
    taken_before = timezone.now()
    erase_member(actor=root, user=quiet, reason="asked for it")
    later = send(quiet, peer, "Later words")
    vault, installation = open_vault(), current_installation()
    known = tombstones.found(vault.store, vault.signer, installation, taken_at=taken_before)
    assert [(stone.account, stone.part) for stone in known] == [(quiet.pk, "messages")]
    # A backup from after it holds later messages, which nobody asked to erase.
    after = timezone.now()
    assert not tombstones.found(vault.store, vault.signer, installation, taken_at=after)
    Message.objects.filter(pk=later.pk).delete()
    brought_back(quiet, rows)
    before = AuditEntry.objects.count()
    assert erase_again(known) == 1
    assert Message.objects.get(pk=sent.pk).body == ""
    assert User.objects.get(pk=quiet.pk).is_active
    assert AuditEntry.objects.count() == before


def test_messages_are_erased_twice_with_a_tombstone_for_each(root, quiet, places):
    erase_member(actor=root, user=quiet, reason="asked for it")
    erase_member(actor=root, user=quiet, reason="asked again")
    assert len(list((places / "backups").glob("erased-messages-*.json"))) == 2


def test_staff_and_the_member_export_side_by_side(as_user, quiet, staff):
    analyst = staff("risk_analyst")
    url = f"/api/admin/users/{quiet.pk}/export"
    theirs = as_user(analyst).post(url, {"language": "en"}, format="json")
    assert theirs.status_code == 202
    mine = as_user(quiet)
    first = mine.post("/api/me/export", {}, format="json")
    again = mine.post("/api/me/export", {}, format="json")
    assert (first.status_code, again.status_code) == (202, 202)
    # Asked for again while it is made: the same one.
    assert first.json()["id"] == again.json()["id"] != theirs.json()["id"]
    run_queue()
    assert mine.get("/api/me/export/download").status_code == 200
