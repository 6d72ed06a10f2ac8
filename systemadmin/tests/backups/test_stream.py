import gzip
import io
import os
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systemadmin.backups.errors import StreamDamaged, WrongPassphrase
from systemadmin.backups.format import keys, stream

SALT = b"s" * 16
HEADER = stream.HEADER.size + stream.KEY_CHECK_BYTES
SEALED_CHUNK = stream.CHUNK + stream.TAG_BYTES


class Memory(io.BytesIO):
    def fileno(self):
        raise io.UnsupportedOperation


class Collected:
    def __init__(self):
        self.data = bytearray()

    def write(self, data):
        self.data += data

    def close(self):
        pass


def seal(plain, passphrase="open sesame", pieces=None):
    sink = Collected()
    sealer = stream.Sealer(sink, passphrase, SALT)
    for piece in pieces or [plain]:
        sealer.write(piece)
    sealer.close()
    return bytes(sink.data)


def unseal(sealed, passphrase="open sesame"):
    return b"".join(stream.unseal(io.BytesIO(sealed), passphrase))


@pytest.mark.parametrize(
    "size", [0, 1, stream.CHUNK - 1, stream.CHUNK, stream.CHUNK + 1, 3 * stream.CHUNK]
)
def test_what_was_sealed_opens(size):
    plain = os.urandom(size)
    assert unseal(seal(plain)) == plain


@settings(max_examples=20, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_how_it_was_written_does_not_matter(pieces):
    plain = b"".join(pieces)
    assert unseal(seal(plain, pieces=pieces)) == plain


def test_nothing_readable_and_never_the_same_twice():
    plain = b"alice@example.com 4111111111111111 " * 1000
    first, second = seal(plain), seal(plain)
    assert b"alice" not in first
    assert b"4111" not in first
    assert first[HEADER:] != second[HEADER:]
    assert len(gzip.compress(first)) > 0.95 * len(first)


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_any_flipped_bit_is_noticed(position, bit):
    sealed = bytearray(FLIPPED)
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises((StreamDamaged, WrongPassphrase)):
        unseal(bytes(sealed))


FLIPPED = seal(b"x" * 1000)


@pytest.mark.parametrize("cut", [1, 16, 17, 500, 1015])
def test_a_cut_is_noticed(cut):
    with pytest.raises(StreamDamaged):
        unseal(FLIPPED[:-cut])


def test_a_cut_at_a_chunk_border_is_noticed():
    sealed = seal(os.urandom(2 * stream.CHUNK + 5))
    with pytest.raises(StreamDamaged):
        unseal(sealed[: HEADER + SEALED_CHUNK])
    with pytest.raises(StreamDamaged):
        unseal(sealed[: HEADER + 2 * SEALED_CHUNK])


def test_bytes_after_the_end_are_noticed():
    with pytest.raises(StreamDamaged):
        unseal(FLIPPED + b"\0")


def test_moved_repeated_and_missing_chunks_are_noticed():
    sealed = seal(os.urandom(3 * stream.CHUNK))
    head, body = sealed[:HEADER], sealed[HEADER:]
    chunks = [body[i : i + SEALED_CHUNK] for i in range(0, len(body), SEALED_CHUNK)]
    for order in ([1, 0, 2], [0, 0, 1, 2], [0, 2], [2]):
        with pytest.raises(StreamDamaged):
            unseal(head + b"".join(chunks[i] for i in order))


def test_chunks_of_two_streams_do_not_mix():
    one, two = seal(b"a" * 100), seal(b"b" * 100)
    with pytest.raises((StreamDamaged, WrongPassphrase)):
        unseal(one[:HEADER] + two[HEADER:])


def test_a_wrong_passphrase_is_told_from_damage():
    with pytest.raises(WrongPassphrase):
        unseal(FLIPPED, "open barley")


@pytest.mark.parametrize("junk", [b"", b"PGDMP", b"\0" * 200, os.urandom(200)])
def test_what_is_no_stream_is_refused(junk):
    with pytest.raises(StreamDamaged):
        unseal(junk)


def test_a_hostile_header_cannot_ask_for_gigabytes():
    header = stream.HEADER.pack(stream.MAGIC, 40, 8, 1, stream.CHUNK, SALT, SALT)
    with pytest.raises(StreamDamaged):
        unseal(header + b"\0" * 100)


def test_compression_round_trip_and_damage():
    sink = Collected()
    packer = stream.Compressor(sink)
    packer.write(b"abc" * 100_000)
    packer.close()
    packed = bytes(sink.data)
    assert gzip.decompress(packed) == b"abc" * 100_000
    assert b"".join(stream.decompress(iter([packed]))) == b"abc" * 100_000
    for broken in (packed[:-4], packed + b"x", b"\0" + packed[1:], b""):
        with pytest.raises(StreamDamaged):
            list(stream.decompress(iter([broken])))


@pytest.mark.parametrize("passphrase", ["", "open sesame"])
@pytest.mark.parametrize("compress", [True, False])
def test_the_whole_chain(tmp_path, passphrase, compress):
    plain = b"row of a table\n" * 200_000
    path = tmp_path / "part"
    with path.open("wb") as file:
        sink = stream.FileSink(file)
        out = stream.writer(sink, passphrase=passphrase, compress=compress)
        for start in range(0, len(plain), 70_000):
            out.write(plain[start : start + 70_000])
        out.close()
    with path.open("rb") as file:
        assert stream.sha256_of(file) == (sink.sha256, sink.size)
    with path.open("rb") as file:
        back = stream.reader(
            file, passphrase=passphrase, sealed=bool(passphrase), compressed=compress
        )
        assert b"".join(back) == plain


def test_memory_stays_flat(tmp_path):
    path = tmp_path / "big"
    keys.passphrase_key("open sesame", SALT)
    block = os.urandom(1 << 16)
    tracemalloc.start()
    with path.open("wb") as file:
        out = stream.writer(
            stream.FileSink(file), passphrase="open sesame", salt=SALT, compress=True
        )
        for _ in range(1024):
            out.write(block)
        out.close()
    with path.open("rb") as file:
        size = sum(
            len(c)
            for c in stream.reader(file, passphrase="open sesame", sealed=True, compressed=True)
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 64 << 20
    assert peak < 12 << 20


def test_it_opens_without_django(tmp_path):
    path = tmp_path / "sealed"
    path.write_bytes(FLIPPED)
    done = subprocess.run(
        [sys.executable, "-m", "systemadmin.backups.format.stream", str(path)],
        env={**os.environ, "BACKUP_PASSPHRASE": "open sesame", "DJANGO_SETTINGS_MODULE": "none"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"x" * 1000
