"""What goes over the wire is what an event-stream parser reads back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.stream_format import comment, event, parse_position, retry


def parse(stream: bytes) -> list[dict]:
    """The parsing rules of the HTML standard, in small."""
    events, fields = [], {}
    for line in stream.decode().split("\n"):
        if line == "":
            if "data" in fields:
                events.append(fields)
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
    return events


@given(st.text(), st.integers(0, 2**63 - 1))
def test_any_text_comes_back_unbroken(body, position):
    (read,) = parse(event("message", {"body": body}, position=position))
    assert json.loads(read["data"]) == {"body": body}
    assert read["id"] == str(position)
    assert read["event"] == "message"


def test_events_without_a_position_leave_the_clients_cursor_alone():
    assert b"id:" not in event("unread_count", {"unread_count": 3})


def test_comments_and_retry_are_no_events():
    assert parse(comment("ping") + retry(3000)) == []


@pytest.mark.parametrize("raw", [None, "", "  "])
def test_no_cursor(raw):
    assert parse_position(raw) is None


def test_a_cursor():
    assert parse_position(" 42 ") == 42
    assert parse_position(str(2**63 - 1)) == 2**63 - 1


@pytest.mark.parametrize("raw", ["-1", "1.5", "abc", "٣", str(2**63), "9" * 40, "1\n2"])
def test_a_cursor_we_never_sent_is_refused(raw):
    with pytest.raises(ValueError):
        parse_position(raw)
