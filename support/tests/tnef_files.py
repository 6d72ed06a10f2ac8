"""Builds winmail.dat as Outlook does, for tests."""

import struct

TEXT, HTML, RTF, LONG_NAME, DATA = 0x1000, 0x1013, 0x1009, 0x3707, 0x3701


def attribute(level, name, kind, data):
    checksum = sum(data) & 0xFFFF
    return struct.pack("<BHHI", level, name, kind, len(data)) + data + struct.pack("<H", checksum)


def string(key, text):
    """A property of text in Unicode."""
    return _any_length(0x001F, key, text.encode("utf-16-le") + b"\0\0")


def binary(key, data):
    """A property of bytes."""
    return _any_length(0x0102, key, data)


def _any_length(kind, key, data):
    padding = b"\0" * (-len(data) % 4)
    return struct.pack("<HHII", kind, key, 1, len(data)) + data + padding


def properties(*found):
    return struct.pack("<I", len(found)) + b"".join(found)


def tnef(*found, files=(), inner=()):
    """A packed mail: its properties, files as (name, content), and packed mails in it."""
    out = b"\x78\x9f\x3e\x22\x01\x00"
    out += attribute(1, 0x9006, 8, struct.pack("<I", 0x10000))
    out += attribute(1, 0x9007, 6, struct.pack("<II", 1252, 0))
    out += attribute(1, 0x9003, 6, properties(*found))
    for name, content in files:
        out += attribute(2, 0x9002, 6, b"\1\0" + b"\0" * 12)
        out += attribute(2, 0x8010, 1, b"SHORT~1.DAT\0")
        out += attribute(2, 0x800F, 6, content)
        out += attribute(2, 0x9005, 6, properties(string(LONG_NAME, name)))
    for packed in inner:
        out += attribute(2, 0x9002, 6, b"\1\0" + b"\0" * 12)
        message = bytes.fromhex("0703020000000000c000000000000046") + packed
        out += attribute(2, 0x9005, 6, properties(binary(DATA, message)))
    return out
