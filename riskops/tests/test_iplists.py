"""Lists of addresses: imported, applied, expired."""

import gzip
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from riskops.ingest.ip_lists import ends, import_ranges, label_new_addresses
from riskops.links.verdicts import share_identifier
from riskops.models import Identifier, IpRange
from riskops.tests.factories import event, record

pytestmark = pytest.mark.django_db


@pytest.fixture
def addresses(member):
    record(
        event(member, ip="203.0.113.7"),
        event(member, ip="2001:db8::1"),
        event(member, ip="9.9.9.9"),
    )


def listing(value):
    return Identifier.objects.get(value=value).listing


@pytest.mark.parametrize(
    ("cidr", "name"),
    [("203.0.113.7", "203.0.113.7/32"), ("203.0.113.9/24", "203.0.113.0/24"), ("::1", "::1/128")],
)
def test_ranges_have_one_spelling(cidr, name):
    assert ends(cidr)[0] == name


def test_known_addresses_are_labelled_at_once(addresses):
    summary = import_ranges(
        ["203.0.113.0/24 # a network", "", "2001:db8::/32", "nonsense"], category="vpn", source="l"
    )
    assert (summary.read, summary.added, summary.relabelled) == (3, 2, 2)
    assert summary.refused[0][0] == 4
    assert listing("203.0.113.7") == listing("2001:db8::1") == "vpn"
    assert listing("9.9.9.9") == ""


def test_the_gravest_label_wins(addresses):
    import_ranges(["9.9.9.9"], category="hosting", source="a")
    import_ranges(["9.9.9.0/24"], category="tor", source="b")
    assert listing("9.9.9.9") == "tor"


def test_new_addresses_are_labelled_and_old_lists_forgotten(member):
    import_ranges(
        ["9.9.9.9"], category="proxy", source="a", expires_at=timezone.now() + timedelta(days=1)
    )
    record(event(member, ip="9.9.9.9"))
    assert label_new_addresses() == 1
    assert listing("9.9.9.9") == "proxy"
    IpRange.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    label_new_addresses()
    assert listing("9.9.9.9") == ""
    assert IpRange.objects.count() == 0


def test_a_campus_is_a_public_place_until_the_list_goes(addresses, staff):
    import_ranges(["203.0.113.0/24", "9.9.9.9"], category="campus", source="uni")
    identifier = Identifier.objects.get(value="203.0.113.7")
    assert identifier.is_shared
    assert identifier.shared_reason == "IP list: uni"
    assert identifier.listing == ""
    import_ranges(["9.9.9.9"], category="campus", source="uni", replace=True)
    identifier.refresh_from_db()
    assert not identifier.is_shared


def test_what_staff_marked_stays_marked(addresses, staff):
    identifier = Identifier.objects.get(value="9.9.9.9")
    share_identifier(actor=staff("risk_analyst"), identifier=identifier, reason="café")
    import_ranges(["9.9.9.9"], category="campus", source="uni")
    import_ranges([], category="campus", source="uni", replace=True)
    identifier.refresh_from_db()
    assert (identifier.is_shared, identifier.shared_reason) == (True, "café")


def test_the_command_reads_gzip_and_tells_bad_lines(addresses, tmp_path, capsys):
    path = tmp_path / "list.txt.gz"
    path.write_bytes(gzip.compress(b"9.9.9.9\nbad line\n"))
    call_command("import_ip_list", str(path), "--category", "tor", "--days", "3")
    captured = capsys.readouterr()
    assert "1 new" in captured.out
    assert "line 2" in captured.err
    assert IpRange.objects.get().source == "list.txt.gz"
    assert IpRange.objects.get().expires_at is not None
    with pytest.raises(CommandError):
        call_command("import_ip_list", str(tmp_path / "missing"), "--category", "tor")
