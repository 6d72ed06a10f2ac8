"""Values that identify nobody."""

import pytest
from django.core.management import call_command

from riskops.ingest.junk import junk_reason
from riskops.models import Identifier, PendingLink
from riskops.tests.factories import event, record
from systemadmin.models import AuditEntry
from systemadmin.tests.factories import UserFactory


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("ip", "10.1.2.3", "private address"),
        ("ip", "100.64.0.1", "carrier NAT"),
        ("ip", "100.128.0.1", ""),
        ("ip", "fe80::1", "link-local address"),
        ("ip", "8.8.8.8", ""),
        ("ip", "203.0.113.9", "own proxy"),
        ("device", "UNKNOWN", "placeholder"),
        ("device", "00000000-0000-0000-0000-000000000000", "placeholder"),
        ("device", "Mozilla/5.0 (X11; Linux x86_64)", "bare user agent"),
        ("device", "a3f0c2", ""),
        ("device", "deadbeef", ""),
        ("wallet", "0x" + "0" * 40, "placeholder"),
        ("wallet", "0x" + "1" * 40, ""),
    ],
)
def test_junk_is_told_with_its_reason(kind, value, reason):
    assert junk_reason(kind, value, ("203.0.113.0/24",)) == reason


@pytest.mark.django_db
def test_what_was_stored_before_is_marked_by_the_command(capsys):
    account = UserFactory()
    record(event(account, ip="10.0.0.1", device="fine-device"))
    junk = Identifier.objects.get(value="10.0.0.1")
    assert junk.is_shared
    Identifier.objects.update(is_shared=False, shared_reason="")
    PendingLink.objects.all().delete()
    call_command("mark_junk_identifiers")
    assert "1 identifiers marked" in capsys.readouterr().out
    junk.refresh_from_db()
    assert junk.shared_reason == "Junk: private address"
    assert PendingLink.objects.filter(account=account).exists()
    assert AuditEntry.objects.filter(action="riskops.identifiers.junk_marked").exists()
    call_command("mark_junk_identifiers")
    assert "0 identifiers" in capsys.readouterr().out
