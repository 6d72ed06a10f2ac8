"""Files that others made are read in flat memory, and refused in plain words."""

import gzip
import io
import itertools
import tracemalloc

import pytest
from django.core.management import CommandError, call_command
from django.utils.translation import override

from riskops.ingest import ip_lists as iplists
from riskops.ingest import load
from riskops.models import IngestCheckpoint, IpRange
from systemadmin.foundation import text_files
from systemadmin.foundation.row_files import RowReader, UnreadableFileError
from systemadmin.foundation.testing import processor_seconds

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    """A request of an earlier test may have left another language in this thread."""
    with override("en"):
        yield


HEADER = b"kind,account_external_id,occurred_at\n"
LONG = 20 << 20


def packed(path, pieces):
    with gzip.open(path, "wb", 6) as file:
        for piece in pieces:
            file.write(piece)
    return path


def one_line(header):
    return itertools.chain([header], itertools.repeat(b"a" * (1 << 20), LONG >> 20))


def quoted_breaks(header):
    return itertools.chain([header], itertools.repeat(b'"\n",' * 50_000, 20))


REGULAR = b"a,b," + b"c" * 900 + b"\n"
HOSTILE = {
    "one long line": (one_line, "is longer than"),
    "a row of quoted breaks": (quoted_breaks, "A row is longer than"),
    "too regular": (
        lambda header: itertools.chain([header], itertools.repeat(REGULAR, 4_000)),
        "unpacks to more than 200 times its size",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("header", [HEADER, b'{"kind": "login_ok"}\n'], ids=["csv", "json"])
def test_events_are_read_in_flat_memory(tmp_path, monkeypatch, name, header):
    pieces, reason = HOSTILE[name]
    monkeypatch.setattr(text_files, "SMALL", (100 << 10) if name == "too regular" else LONG)
    if name.startswith("a row") and header != HEADER:
        pytest.skip("JSON lines have no quoted breaks")
    path = packed(tmp_path / "events.csv.gz", pieces(header))
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableFileError, match=reason):
            for _row in RowReader(path):
                pass
        assert tracemalloc.get_traced_memory()[1] < 60 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["one long line", "too regular"])
def test_lists_of_addresses_are_read_in_flat_memory(tmp_path, monkeypatch, name):
    pieces, reason = HOSTILE[name]
    monkeypatch.setattr(text_files, "SMALL", 100 << 10)
    path = packed(tmp_path / "list.gz", pieces(b"203.0.113.7\n"))
    tracemalloc.start()
    try:
        with pytest.raises(CommandError, match=reason):
            call_command("import_ip_list", str(path), category="vpn")
        assert tracemalloc.get_traced_memory()[1] < 60 << 20
    finally:
        tracemalloc.stop()
    assert not IpRange.objects.exists()


def test_a_long_line_from_standard_input_is_refused(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("a" * 20_000))
    with pytest.raises(CommandError, match="Line 1 is longer than 10000 characters"):
        call_command("import_ip_list", "-", category="vpn")


@pytest.mark.parametrize("at", [12, 30, 200])
def test_a_damaged_archive_is_refused(tmp_path, at):
    path = packed(tmp_path / "x.gz", [HEADER, *(b"%d,b,c\n" % i for i in range(900))])
    raw = path.read_bytes()
    path.write_bytes(raw[:at] + b"\x00\xff\x00" + raw[at + 3 :])
    for command in (("ingest_events",), ("import_ip_list", "--category", "vpn")):
        with pytest.raises(CommandError, match=r"x\.gz"):
            call_command(command[0], str(path), *command[1:], stdout=io.StringIO())


def test_more_ranges_than_memory_holds_are_refused(monkeypatch):
    monkeypatch.setattr(iplists, "MAX_RANGES", 3)
    lines = [f"192.0.2.{i}" for i in range(4)]
    with pytest.raises(text_files.TextTooLarge, match="more than 3 ranges"):
        iplists.import_ranges(lines, category="vpn", source="x")
    assert not IpRange.objects.exists()


def test_of_bad_lines_the_first_are_kept_and_all_counted():
    summary = iplists.import_ranges(
        (f"no address {i}" for i in range(5_000)), category="vpn", source="x"
    )
    assert summary.refusals == 5_000
    assert len(summary.refused) == iplists.REFUSALS_KEPT


def test_a_file_larger_than_the_reader_takes_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"a,b\n" * 1000)
    with (
        text_files.open_text(path, max_bytes=3_000) as file,
        pytest.raises(text_files.TextTooLarge, match="larger than"),
    ):
        list(file)


def test_a_batch_of_long_rows_ends_early(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(load, "BATCH_CHARACTERS", 1_000)
    monkeypatch.setattr(load, "_load_batch", lambda batch, *_: sizes.append(len(batch)))
    path = tmp_path / "x.csv"
    path.write_bytes(HEADER + b"login_ok,%s,now\n" % (b"u" * 300) * 20)
    call_command("ingest_events", str(path), refused=tmp_path / "r.csv", stdout=io.StringIO())
    assert max(sizes) <= 5
    assert sum(sizes) == 20
    assert IngestCheckpoint.objects.get().finished_at is not None


VALUES = [
    "1e999999",
    "9" * 4_000,
    "9" * 1_000_000,
    "1e300000",
    "NaN",
    "-1e-999999",
    "0x" + "f" * 99,
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:12])
@pytest.mark.parametrize("field", ["occurred_at", "amount", "ip", "account_external_id"])
def test_no_value_of_a_row_is_dear(tmp_path, value, field):
    row = {"kind": "purchase", "account_external_id": "u", "occurred_at": "1767261600"}
    row |= {"external_id": "1", "amount": "5", "currency": "EUR", "ip": "203.0.113.7", field: value}
    path = tmp_path / "x.csv"
    path.write_text(f"{','.join(row)}\n{','.join(row.values())}\n")

    def load():
        with pytest.raises(SystemExit):
            call_command(
                "ingest_events", str(path), refused=tmp_path / "r.csv", stdout=io.StringIO()
            )

    assert processor_seconds(load) < 1
