"""A walk through every page, form and action of the admin, as superuser and as each role.

Whatever changes a row must leave an audit row that names who did it and to what. Who lacks the
permission gets a 403 and changes nothing. Looking at pages changes nothing at all.
"""

import datetime as dt
import itertools
import re
from contextlib import contextmanager
from html import unescape

import pytest
from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY

from config.tests.admin_world import build_world
from support.admin.forms import TicketChoice
from support.models import Ticket
from systemadmin import fault_pages
from systemadmin.foundation.admin import AtalayaModelAdmin, ReadOnlyInline, ServiceModelAdmin
from systemadmin.foundation.configuration import declared_settings
from systemadmin.foundation.forms import LineField
from systemadmin.foundation.plugins import role_permissions
from systemadmin.foundation.testing import rolled_back
from systemadmin.models import AuditEntry, User
from systemadmin.tests.factories import StaffFactory, totp_device_for

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
ROLES = sorted(role_permissions())
# The superuser sees every page on both databases; what a role may not do does not depend on them.
WALKERS = ["superuser", *(pytest.param(role, marks=pytest.mark.same_on_both) for role in ROLES)]
# Written by signing in, by looking, by Django's own log, or by the audit trail itself.
ASIDE = {
    "systemadmin_auditentry",
    "systemadmin_auditseal",
    "systemadmin_usersession",
    "systemadmin_heartbeat",
    "systemadmin_requestminute",
    "support_ticketpresence",
    "support_ticketread",
    "django_session",
    "django_admin_log",
    "cache_entries",
    "axes_accessattempt",
    "axes_accessfailurelog",
    "axes_accesslog",
    "sqlite_sequence",
}
# Stands for an account that no decision concerns otherwise.
BYSTANDER = object()


class Again(SimpleUploadedFile):
    """A file that is read from its beginning each time."""

    def read(self, *args):
        self.seek(0)
        return super().read(*args)


# What an add form needs besides what it proposes itself.
ENTERED = {
    "auth.Group": {"name": "night shift"},
    "marketplace.Category": {"name": "Gardens", "slug": "gardens"},
    "marketplace.CommissionRule": {
        "name": "New",
        "applies_to_all": "on",
        "currency": "EUR",
        "kinds": [],
        "tiers": "",
    },
    "marketplace.CommissionFee": {"name": "New", "code": "new"},
    "marketplace.FeeTaxRate": {"country": "PT"},
    "marketplace.SellerProfile": {"user": BYSTANDER},
    "marketplace.ClosedMonth": {"month": "2025-04"},
    "marketplace.PayoutBatch": {"currency": "EUR", "execution_on": "2099-01-01"},
    "marketplace.BankStatement": {
        "file": Again("bank.csv", b"date,amount\n2026-02-01,5.00\n"),
        "format": "csv",
        "currency": "EUR",
    },
    "marketplace.JournalEntry": {
        "kind": "dispute_fee",
        "currency": "EUR",
        "amount": "15.00",
        "booked_on": "2026-01-01",
        "reason": "Test",
    },
    "riskops.AnomalyExemption": {"account": BYSTANDER},
    "marketplace.ReasonTemplate": {"code": "new"},
    "marketplace.PaymentHook": {
        "name": "new",
        "scheme": "stripe",
        "mapping": "{}",
        "new_secret": "whsec_new",
    },
    "systemadmin.WebhookEndpoint": {"url": "https://hooks.example.test/new", "event_types": []},
    "messaging.Broadcast": {"kind": "information", "countries": "ES"},
    "riskops.AnomalyRule": {"code": "new-rule"},
    "riskops.DecisionRule": {
        "code": "new-rule",
        "currency": "EUR",
        "field_1": "amount",
        "op_1": "is",
        "value_1": "5",
    },
    "riskops.ListEntry": {"kind": "device", "value": "new-device"},
    "support.BlockedSender": {"address": "@new.example.org", "reason": "junk"},
    "support.Category": {"code": "new", "name": "New"},
    "support.BusinessCalendar": {"name": "Nights", "windows": "{}", "holidays": "[]"},
    "support.Macro": {"name": "New", "status": "resolved", "add_tags": "[]", "assign": ""},
    "support.Mailbox": {"address": "new@atalaya.test", "name": "New"},
    "support.ReplyTemplate": {"code": "new", "language": "en"},
    "support.SlaPolicy": {"name": "New", "first_response_minutes": "60"},
    "systemadmin.AlertRule": {"code": "new", "metric": "queue_depth", "threshold": "5"},
    "systemadmin.BlockedNetwork": {"network": "203.0.113.0/24"},
    "systemadmin.LegalHold": {"account": BYSTANDER, "reason": "Test", "ends_at_0": "2030-01-01"},
    "systemadmin.ServiceKey": {"name": "New key"},
    "systemadmin.User": {
        "username": "newcomer",
        "usable_password": "true",
        "password1": "Correct-horse-7-battery",
        "password2": "Correct-horse-7-battery",
    },
}
# The field that a change form changes; elsewhere the first text field.
CHANGED = {
    "marketplace.ReasonTemplate": {"title": "renamed"},
    "marketplace.PaymentHook": {"is_active": ""},
    "support.Category": {"name": "renamed"},
    "support.ReplyTemplate": {"title": "renamed"},
    "support.AgentState": {"capacity": "7"},
    "systemadmin.AlertRule": {"threshold": "77"},
    "auth.Group": {"name": "renamed"},
    "support.Mailbox": {"name": "renamed"},
    "messaging.Broadcast": {"countries": "FR"},
    "marketplace.CommissionFee": {"name": "renamed"},
    "marketplace.FeeTaxRate": {"country": "FR"},
    "marketplace.SellerProfile": {"level": "gold"},
    "riskops.AnomalyRule": {"severity": "low"},
    "riskops.DecisionRule": {"title": "renamed"},
    "support.BusinessCalendar": {"name": "renamed"},
    "systemadmin.WebhookEndpoint": {"description": "renamed"},
    "systemadmin.User": {"first_name": "Renamed"},
}
PLAIN_TEXT = (forms.CharField, LineField)
# Fields that a form's own check demands.
ASKED = {"reason", "note", "assignee"}
# Actions that only tell, and those whose file no test of pages makes.
TELLS_ONLY = {
    # Takes the numbers of entries that add up to the line: marketplace/tests/test_bank.py.
    "marketplace.BankLine.match",
    "messaging.Broadcast.preview",
    "systemadmin.Backup.restore",
    "systemadmin.Backup.verify",
}
# These call the service by their base class and then show the secret that it made, once.
SHOW_A_SECRET = {"ServiceKeyAdmin.save_model", "WebhookEndpointAdmin.save_model"}
# Actions that need a choice or a state which no generic row has; the desk's own tests do them.
NEED_MORE = {
    "marketplace.BankLine.match",
    "marketplace.BankLine.unmatch",
    "marketplace.ClosedMonth.make_statements",
    # A decided dispute of a completed order: marketplace/tests/test_admin_money_pages.py.
    "marketplace.Dispute.appeal",
    "marketplace.LedgerAccount.pay_out",
    "riskops.RiskRuleset.change_points",
    "riskops.RiskRuleset.remove_factor",
    "riskops.RiskRuleset.write_factor",
    "riskops.Account.lift_override",
    "riskops.Anomaly.reopen",
    "systemadmin.WebhookDelivery.replay",
    "systemadmin.ApprovalRequest.withdraw",
}

# What the form says belongs to one row only.
ONE_AT_A_TIME = {
    # The payment service's id of a chargeback is of one order.
    "marketplace.Order.record_chargeback",
}


# -- the walkers ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """One world for the whole walk; every step is undone."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("messaging.services.rules.windows_of", lambda tier: ())
        patch.setattr("django.conf.settings.RATELIMIT_ENABLE", False)
        with transaction.atomic():
            call_command("setup", verbosity=0)
            # Made before the first test, by one person as the tests themselves act.
            single = declared_settings()["duties.single_person"]
            object.__setattr__(single, "default", True)
            build_world()
            object.__setattr__(single, "default", False)
            yield
            transaction.set_rollback(True)


def signed_in(role):
    """A browser in the hands of that role."""
    if role == "superuser":
        user = StaffFactory(username="the-superuser", is_superuser=True)
    else:
        user = StaffFactory(username=f"the-{role}", role=role)
    client = Client(raise_request_exception=True)
    client.force_login(user, backend="systemadmin.backends.AccountBackend")
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = totp_device_for(user).persistent_id
    session.save()
    client.user = user
    return client


def page(model, name="changelist", *args):
    meta = model._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{name}", args=args)


def rows_of(model, count):
    """Rows to try something on: the first ones and as many of the last."""
    rows = model._default_manager
    chosen = [*rows.order_by("pk")[:count], *rows.order_by("-pk")[:count]]
    return list({row.pk: row for row in chosen}.values())


def digest(tables=None):
    """Every row of every table that counts, or of those of the given ones."""
    found = {}
    with connection.cursor() as cursor:
        for table in tables or connection.introspection.table_names(cursor):
            if table not in ASIDE:
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
                found[table] = sorted(map(repr, cursor.fetchall()))
    return found


WRITES = re.compile(
    r"\s*(?:INSERT(?: OR \w+)? INTO|UPDATE(?: OR \w+)?|DELETE FROM)\s+\W?(\w+)", re.IGNORECASE
)


@contextmanager
def undone():
    """Undo whatever happens inside; gives back what was written to, by table."""
    written = []

    def watch(execute, sql, params, many, context):
        if (write := WRITES.match(sql)) and write[1] not in ASIDE:
            written.append(write[1])
        return execute(sql, params, many, context)

    with rolled_back(), connection.execute_wrapper(watch):
        yield written


@pytest.fixture
def short_refusals(monkeypatch):
    """Refuse in a word: the page of a fault, with its whole menu, is drawn for the crawl."""

    def fault(request, status, title, advice):
        return HttpResponse(title, status=status)

    monkeypatch.setattr(fault_pages, "fault", fault)


class Step:
    """What one request did."""

    def __init__(self, client, url, data, before):
        entries = AuditEntry.objects.order_by("-id").values_list("id", flat=True)
        newest = entries.first() or 0
        with undone() as written:
            self.response = client.post(url, data)
            touched = set(written)
            now = digest(touched) if touched else {}
            self.changed = any(rows != before[table] for table, rows in now.items())
            self.audit = list(AuditEntry.objects.filter(id__gt=newest))
        self.what = f"{url} {data.get('action', '')}"
        assert self.response.status_code in (200, 302, 403), f"{self.what}: {self.response}"
        if self.changed:
            own = [e for e in self.audit if e.actor_id == client.user.pk and e.target_id]
            assert own, f"{self.what}: changed {set(written)}, audit {self.audit}"
            self.named = {(entry.target_type, entry.target_id) for entry in own}


def filled(form, **given):
    """What a browser sends for a form as shown, with the empty required fields filled in."""
    data = {}
    for bound in form:
        name, field = bound.html_name, bound.field
        value = bound.value()
        if field.show_hidden_initial:
            data[bound.html_initial_name] = value
        if value in (None, "", [], "null") and (field.required or name in ASKED):
            value = invented(field)
        if isinstance(field.widget, forms.MultiWidget) or hasattr(field.widget, "decompress"):
            parts = value if isinstance(value, list) else field.widget.decompress(value)
            data |= {f"{name}_{n}": part for n, part in enumerate(parts) if part is not None}
        elif isinstance(field, forms.BooleanField):
            data |= {name: "on"} if value else {}
        elif value is not None:
            data[name] = value
    return {**data, **given}


def invented(field):
    """A value that a field takes."""
    if isinstance(field, TicketChoice):
        return Ticket.objects.order_by("pk").first().number
    if isinstance(field, forms.ModelChoiceField):
        return field.queryset.first().pk
    if isinstance(field, forms.ChoiceField):
        return next(value for value, _label in field.choices if value)
    if isinstance(field, forms.BooleanField):
        return True
    if isinstance(field, (forms.DateTimeField, forms.SplitDateTimeField)):
        return timezone.now().replace(microsecond=0, tzinfo=None) + dt.timedelta(days=1)
    if isinstance(field, (forms.IntegerField, forms.FloatField)):
        return field.min_value or 1
    if isinstance(field, forms.JSONField):
        return '{"alert_threshold": 61}'
    return "A reason that is long enough."


def management(context):
    """The hidden fields of the inlines."""
    found = {}
    for inline in context.get("inline_admin_formsets", []):
        found |= {f"{inline.formset.prefix}-{key}": 0 for key in ("TOTAL_FORMS", "INITIAL_FORMS")}
    return found


# -- rules ------------------------------------------------------------------------------


def test_every_page_is_ours():
    """Whatever any package registers: a page that is not ours is none."""
    foreign = [
        type(page).__name__
        for page in admin.site._registry.values()
        if not isinstance(page, AtalayaModelAdmin)
    ]
    assert foreign == []
    assert [page for page in admin.site._registry.values() if page.list_editable] == []


def test_no_page_writes_past_the_services():
    own = {"save_model", "delete_model", "delete_queryset", "save_formset", "delete_one"}
    bypassing = [
        f"{type(page).__name__}.{name}"
        for page in admin.site._registry.values()
        for kind in type(page).__mro__
        if not kind.__module__.startswith(("systemadmin.foundation.", "django.", "builtins"))
        for name in own & set(vars(kind))
        if f"{kind.__name__}.{name}" not in SHOW_A_SECRET
    ]
    assert bypassing == []
    writing = [inline for page in admin.site._registry.values() for inline in page.inlines]
    assert [one.__name__ for one in writing if not issubclass(one, ReadOnlyInline)] == []


def test_foreign_pages_are_left_out():
    from django.contrib.auth.admin import GroupAdmin
    from django_q.models import Success

    site = type(admin.site)()
    site.register(Success, GroupAdmin)
    site.register(Success)
    assert not site.is_registered(Success)
    site.unregister(Success)


def test_the_world_has_two_of_everything(world):
    poor = [m._meta.label for m in MODELS if m._base_manager.count() < 2]
    # One run at a time; verifications are made by a task.
    assert set(poor) <= {"riskops.RecomputeRun", "systemadmin.AuditVerification"}


# -- the walk ------------------------------------------------------------------------------


def visible_pages(client, model):
    """Lists, forms, questions and histories."""
    yield page(model)
    yield f"{page(model)}?q=a"
    yield page(model, "add")
    for row in rows_of(model, 1):
        for name in ("change", "delete", "history"):
            yield page(model, name, row.pk)


# Where staff begin; what else is for them is linked from there or from the rail.
BEGINNINGS = ("/admin/", "/admin/review/", "/admin/support/ticket/work/", "/admin/preferences/")
# A stream that stays open, what signs out, and pages that take seconds and are the same for all.
NOT_FOLLOWED = ("/admin/live/", "/admin/logout/", "/api/docs", "/api/schema")
LINK = re.compile(r'\b(?:href|hx-get|data-part|src)="(/(?:admin|api)/[^"#]*)')


class Crawl:
    """Pages that one person opens, and every link that they show; of those that differ in numbers
    or values alone, one. The language changes from page to page."""

    def __init__(self, client, languages):
        self.client, self.languages = client, languages
        self.status, self.shapes, self.shown_on = {}, set(), {}

    def open(self, url):
        self.shapes.add(shape(url))
        if url in self.status:
            return self.status[url]
        answer = self.client.get(url, HTTP_ACCEPT_LANGUAGE=next(self.languages))
        self.status[url] = answer.status_code
        if answer.status_code == 200 and "text/html" in answer["Content-Type"]:
            for link in LINK.findall(answer.content.decode()):
                self.shown_on.setdefault(unescape(link), url)
        elif answer.streaming:
            # Read to its end: a file that is closed early takes its connection with it.
            for _piece in answer:
                pass
        return answer.status_code

    def follow(self):
        """Open what is shown, until nothing of another shape is left."""
        while left := [
            url
            for url in self.shown_on
            if shape(url) not in self.shapes and not url.startswith(NOT_FOLLOWED)
        ]:
            for url in left:
                if shape(url) not in self.shapes:
                    self.open(url)

    def dead(self):
        """What is shown and does not answer, with the page that shows it."""
        return {
            url: (self.status[url], page)
            for url, page in self.shown_on.items()
            if self.status.get(url, 200) >= 400
        }


def shape(url):
    path, _mark, query = url.partition("?")
    return re.sub(r"\d+", "0", path), tuple(sorted(re.findall(r"([^&=]+)=", query)))


@pytest.mark.parametrize("role", WALKERS)
def test_looking_changes_nothing_and_every_shown_link_answers(world, role):
    client = signed_in(role)
    languages = itertools.cycle(("en", "es") if len(role) % 2 else ("es", "en"))
    crawl, before = Crawl(client, languages), digest()
    with undone() as written:
        for url in BEGINNINGS:
            assert crawl.open(url) in (200, 403), url
        for model in MODELS:
            shown = crawl.open(page(model))
            allowed = admin.site._registry[model].has_view_permission(_request(client))
            assert shown == (200 if allowed else 403), model
            # What a role sees of these is linked from the list; the superuser sees each of them.
            if allowed and role == "superuser":
                for url in visible_pages(client, model):
                    assert crawl.open(url) in (200, 302, 403), url
        crawl.follow()
        assert not written or digest() == before, set(written)
    assert crawl.dead() == {}


def _request(client):
    return type("Request", (), {"user": client.user, "GET": {}, "method": "GET"})()


@pytest.mark.parametrize("role", WALKERS)
def test_every_form_and_deletion_is_audited_or_refused(world, short_refusals, role):
    client = signed_in(role)
    before = digest()
    for model in MODELS:
        modeladmin, request = admin.site._registry[model], _request(client)
        if isinstance(modeladmin, ServiceModelAdmin):
            add_one(client, model, before, modeladmin.has_add_permission(request))
            change_one(client, model, before)
            delete_some(client, model, before, modeladmin.has_delete_permission(request))
        elif model is not Ticket:
            for name, *args in (("add",), *(("delete", row.pk) for row in rows_of(model, 1))):
                step = Step(client, page(model, name, *args), {"post": "yes"}, before)
                assert not step.changed
                assert step.response.status_code in (302, 403)


def add_one(client, model, before, allowed):
    url, label = page(model, "add"), model._meta.label
    shown = client.get(url)
    if not allowed:
        step = Step(client, url, entered(label), before)
        assert (shown.status_code, step.response.status_code, step.changed) == (403, 403, False)
        return
    form = shown.context["adminform"].form
    data = {**filled(form), **entered(label), **management(shown.context)}
    step = Step(client, url, data, before)
    assert step.changed, f"{label}: {_errors(step.response)}"


def entered(label):
    """What is typed into an add form; a bystander is the account made last."""
    newest = User.objects.order_by("-pk").exclude(username__startswith="the-").first()
    return {
        name: newest.pk if value is BYSTANDER else value
        for name, value in ENTERED.get(label, {}).items()
    }


def change_one(client, model, before):
    label = model._meta.label
    for row in rows_of(model, 2):
        url = page(model, "change", row.pk)
        shown = client.get(url)
        can = shown.status_code == 200 and shown.context["has_change_permission"]
        if not can:
            step = Step(client, url, CHANGED.get(label, {}), before)
            assert (step.response.status_code, step.changed) == (403, False), label
            continue
        form = shown.context["adminform"].form
        data = {**filled(form), **management(shown.context), **_change(label, form)}
        step = Step(client, url, data, before)
        assert step.changed, f"{label}: {_errors(step.response)}"
        again = Step(client, url, {**filled(form), **management(shown.context)}, before)
        said = [(entry.before, entry.after) for entry in again.audit]
        assert not again.changed, f"{label}: saving without a change changed {said}"
        return


def _change(label, form):
    if label in CHANGED:
        return CHANGED[label]
    text = next(n for n, f in form.fields.items() if type(f) in PLAIN_TEXT)
    return {text: "renamed"}


def _errors(response):
    if response.status_code != 200 or "adminform" not in (response.context or {}):
        return response
    return response.context["adminform"].form.errors


def delete_some(client, model, before, allowed):
    may = admin.site._registry[model].has_delete_permission
    rows = rows_of(model, 3)[::-1]
    offered = [row for row in rows if may(_request(client), row)]
    deleted = False
    for row in rows[:1] if not allowed else offered:
        step = Step(client, page(model, "delete", row.pk), {"post": "yes"}, before)
        deleted = deleted or step.changed
        assert allowed or (step.response.status_code == 403 and not step.changed)
    two = [row.pk for row in (offered or rows)[:2]]
    data = {"action": "delete_selected", ACTION_CHECKBOX_NAME: two, "post": "yes"}
    step = Step(client, page(model), data, before)
    if not allowed:
        assert (step.response.status_code, step.changed) == (403, False), step.what
    elif offered and type(admin.site._registry[model]).remove is not ServiceModelAdmin.remove:
        assert deleted, f"{model._meta.label}: nothing could be deleted"


@pytest.mark.parametrize("role", WALKERS)
def test_every_action_is_audited_or_refused(world, short_refusals, role):
    client = signed_in(role)
    before = digest()
    idle = set()
    for model in MODELS:
        modeladmin = admin.site._registry[model]
        offered = modeladmin.get_actions(_request(client))
        for name in modeladmin.actions or []:
            label = f"{model._meta.label}.{name}"
            may = name in offered and modeladmin.has_view_permission(_request(client))
            if not run_action(client, model, name, before, may) and may:
                idle.add(label)
    if role == "superuser":
        assert idle <= TELLS_ONLY | NEED_MORE, " ".join(sorted(idle - TELLS_ONLY - NEED_MORE))


def run_action(client, model, name, before, allowed):
    """Try an action on single rows until it does something, then on two; True if it did."""
    rows = rows_of(model, 8)
    data = action_data(client, model, name, rows[:1], allowed)
    if not allowed:
        step = Step(client, page(model), data, before)
        assert (step.response.status_code, step.changed) == (403, False), step.what
        return False
    worked = []
    for row in rows:
        step = Step(client, page(model), {**data, ACTION_CHECKBOX_NAME: [row.pk]}, before)
        worked += [row] if step.changed else []
        if len(worked) == 2:
            break
    if len(worked) == 2 and f"{model._meta.label}.{name}" not in ONE_AT_A_TIME:
        both = {**data, ACTION_CHECKBOX_NAME: [row.pk for row in worked]}
        step = Step(client, page(model), both, before)
        assert step.changed
        assert len(step.audit) >= 2, f"{step.what}: one audit row for two objects"
    return bool(worked)


def action_data(client, model, name, rows, allowed):
    data = {"action": name, ACTION_CHECKBOX_NAME: [row.pk for row in rows]}
    if allowed:
        with undone():
            shown = client.post(page(model), data)
        if shown.status_code == 200 and shown.context and "form" in shown.context:
            form = shown.context["form"]
            data |= {"apply": "1", **filled(form)}
    return data
