"""The audit trail: complete, masked, and impossible to edit unseen."""

import json
import threading
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from systemadmin import audit
from systemadmin.foundation.context import context
from systemadmin.foundation.models import AppendOnlyError
from systemadmin.foundation.testing import (
    assert_constant_queries,
    problem,
    run_threads,
    triggers_off,
)
from systemadmin.models import AuditEntry, AuditSeal, AuditStatement
from systemadmin.services.audit_chain import seal_audit_trail
from systemadmin.services.audit_runs import verify_now
from systemadmin.services.audit_verification import verify_audit_trail
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def trail(member):
    for number in range(5):
        audit.record("test.act", actor=member, target=member, after={"number": number})
    return list(AuditEntry.objects.order_by("id"))


def test_the_actor_outlives_the_account(trail, member):
    seal_audit_trail()
    member.delete()
    entry = AuditEntry.objects.earliest("id")
    assert (entry.actor_name, entry.actor_role) == ("marta", "member")
    assert entry.actor_ref == str(entry.actor_id)
    assert verify_audit_trail().holds


def test_secrets_are_masked(member):
    entry = audit.record("test.secret", before={"password": "hunter2"}, after={"api_key": "k"})
    assert "hunter2" not in json.dumps(entry.before)
    assert entry.after == {"api_key": "***"}


def test_rows_refuse_change_and_deletion(trail):
    trail[0].action = "test.forged"
    with pytest.raises(AppendOnlyError):
        trail[0].save()
    with pytest.raises(AppendOnlyError):
        trail[0].delete()


def faults():
    return [fault.kind for fault in verify_audit_trail().faults]


def test_an_untouched_trail_holds(trail):
    assert verify_audit_trail().unsealed == 5
    assert seal_audit_trail() == 5
    assert seal_audit_trail() == 0
    report = verify_audit_trail()
    assert report.holds
    assert (report.checked, report.unsealed) == (5, 0)


def test_the_database_refuses_change_and_deletion(trail):
    seal_audit_trail()
    for rows in (AuditEntry.objects, AuditSeal.objects, AuditStatement.objects):
        table = rows.model._meta.db_table
        key = rows.model._meta.pk.column
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {key} = {key} + 100"):
            with (
                pytest.raises(IntegrityError, match="append-only"),
                transaction.atomic(),
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)
    assert AuditEntry.objects.count() == 5


@pytest.mark.postgres
def test_the_database_refuses_truncation(trail):
    for table in ("systemadmin_auditentry", "systemadmin_auditseal", "systemadmin_auditstatement"):
        with (
            pytest.raises(IntegrityError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"TRUNCATE {table}")


@pytest.mark.own_sqlite
def test_replacing_a_row_is_refused(trail):
    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT OR REPLACE INTO systemadmin_auditentry SELECT * FROM systemadmin_auditentry"
        )


def test_a_row_changed_before_it_is_sealed_is_found(trail):
    with triggers_off() as cursor:
        cursor.execute(
            "UPDATE systemadmin_auditentry SET actor_name = 'x' WHERE id = %s", [trail[2].pk]
        )
    assert faults() == ["row not ours"]
    assert verify_audit_trail().first_fault.entry == trail[2].pk


def test_an_inserted_row_is_found_sealed_or_not(trail, member):
    AuditEntry.objects.create(occurred_at=timezone.now(), action="test.forged", actor=member)
    assert faults() == ["row not ours"]
    seal_audit_trail()
    assert faults() == ["row not ours"]


def test_a_row_that_becomes_visible_late_is_sealed_late(trail):
    late = AuditEntry.objects.get(pk=trail[1].pk)
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM systemadmin_auditentry WHERE id = %s", [late.pk])
    seal_audit_trail()
    late._state.adding = True
    late.save(force_insert=True)
    assert seal_audit_trail() == 1
    assert verify_audit_trail().holds


def test_a_row_later_than_the_look_back_is_sealed_after_a_verification(trail, monkeypatch):
    late = AuditEntry.objects.get(pk=trail[0].pk)
    with triggers_off() as cursor:
        cursor.execute("DELETE FROM systemadmin_auditentry WHERE id = %s", [late.pk])
    seal_audit_trail()
    late._state.adding = True
    late.save(force_insert=True)
    monkeypatch.setattr("systemadmin.services.audit_chain.LOOK_BACK", 0)
    assert seal_audit_trail() == 0
    assert verify_now().holds
    assert AuditSeal.objects.filter(entry_id=late.pk).exists()


def test_odd_values_are_the_same_after_the_database(member):
    odd = {
        "numbers": [1e22, -0.0, 0.1, 1.5, 1e-9, float("nan"), float("inf"), 10**30, 2.0, True],
        "texts": ["\0", "\ud800", "ünï\ncöde", "\N{SNOWMAN}", ""],
        "nested": {"b": None, "a": {"z": [], "y": {}}},
        5: Decimal("1.50"),
    }
    with context(ip="::ffff:1.2.3.4", source="api", request_id="r"):
        audit.record("test.odd", actor=member, before=odd, metadata=odd, reason="a\0b")
    assert verify_audit_trail().holds
    seal_audit_trail()
    assert verify_audit_trail().holds


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_writers_do_not_wait_for_each_other():
    """Many transactions write and commit while one of them stays open."""
    opened, close = threading.Event(), threading.Event()

    def write(index):
        with transaction.atomic():
            audit.record("test.threads", reason=str(index))
            if index == 0:
                opened.set()
                assert close.wait(30)
                return
        opened.wait(30)
        with transaction.atomic():
            audit.record("test.threads", reason=f"{index} again")
        if AuditEntry.objects.filter(action="test.threads").count() == 14:
            close.set()

    outcomes = run_threads(write, 8)
    assert outcomes == [None] * 8
    assert seal_audit_trail() == 15
    assert verify_audit_trail().holds


@pytest.fixture
def auditor(as_user, staff):
    return as_user(staff("auditor"))


def test_search_and_filters(auditor, trail):
    audit.record("other.act", reason="x")
    assert len(auditor.get("/api/admin/audit?action=test").json()["results"]) == 5
    assert len(auditor.get("/api/admin/audit?search=marta").json()["results"]) == 5
    assert (
        len(auditor.get("/api/admin/audit?occurred_before=2001-01-01T00:00:00Z").json()["results"])
        == 0
    )
    problem(auditor.get("/api/admin/audit?actoin=test"), 400, field="actoin")
    problem(auditor.get("/api/admin/audit?occurred_after=yesterday"), 400, field="occurred_after")


def test_export(auditor, trail):
    audit.record("test.formula", reason="=1+1")
    lines = b"".join(auditor.get("/api/admin/audit/export?action=test").streaming_content)
    assert lines.count(b"\n") == 7
    assert b"'=1+1" in lines
    rows = b"".join(auditor.get("/api/admin/audit/export?file=jsonl").streaming_content)
    assert json.loads(rows.splitlines()[0])["action"] == "test.formula"
    problem(auditor.get("/api/admin/audit/export?file=xml"), 400, field="file")


def test_the_list_costs_the_page(auditor, trail):
    def grow():
        for user in UserFactory.create_batch(10):
            audit.record("test.grown", actor=user, target=user)

    assert_constant_queries(lambda: auditor.get("/api/admin/audit"), grow)


def test_the_list_is_exported_as_it_is_filtered(admin_client_for, staff, member):
    audit.record("support.ticket.replied", actor=staff("support_agent"), target=member)
    audit.record("riskops.account.noted", actor=staff("risk_analyst"), target=member)
    browser = admin_client_for(staff("auditor"))
    page = browser.get("/admin/systemadmin/auditentry/?actor_role=support_agent")
    text = page.content.decode()
    assert "Support agent" in text
    assert ">support_agent<" not in text
    export = browser.get(page.context["export_url"])
    lines = b"".join(export.streaming_content).decode()
    assert export["Content-Type"].startswith("text/csv")
    assert "support.ticket.replied" in lines
    assert "riskops.account.noted" not in lines
