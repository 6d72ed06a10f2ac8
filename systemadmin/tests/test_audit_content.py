"""The bytes of an audit row: one for each row, and the same whatever database gave it back."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from systemadmin.audit_content import FIELDS, canonical, microseconds, plain_number, storable_text

MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def row(moment, **values):
    standing = {"occurred_at": moment, "id": 1, "ip": None}
    return [{**standing, **values}.get(name, "") for name in FIELDS]


def as_postgres_stores(value):
    """What PostgreSQL's jsonb gives back of a number: its digits, without an exponent."""
    return json.loads(format(Decimal(repr(value)), "f"))


@given(st.floats() | st.integers())
def test_a_number_comes_back_as_it_was_written(value):
    kept = plain_number(value)
    if not isinstance(kept, str):
        assert json.dumps(kept) == json.dumps(as_postgres_stores(kept))
    assert plain_number(kept) == kept if not isinstance(kept, str) else True


@given(MOMENTS, VALUES, VALUES)
def test_rows_that_differ_have_different_bytes(moment, one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical(row(moment, before=one)) == canonical(row(moment, before=other))) == same


@given(MOMENTS, st.text(min_size=1))
def test_a_text_belongs_to_its_own_column(moment, text):
    assert canonical(row(moment, action=text)) != canonical(row(moment, reason=text))


@given(MOMENTS, VALUES)
def test_the_order_of_keys_does_not_matter(moment, value):
    turned = json.loads(json.dumps({"b": 1, "a": value}))
    assert canonical(row(moment, after=turned)) == canonical(
        row(moment, after={"a": value, "b": 1})
    )


@given(MOMENTS)
def test_every_microsecond_counts(moment):
    assert microseconds(moment + timedelta(microseconds=1)) == microseconds(moment) + 1


def test_an_address_is_written_in_one_way():
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    spellings = ("::ffff:1.2.3.4", "::FFFF:1.2.3.4", "0:0:0:0:0:ffff:102:304")
    assert len({canonical(row(moment, ip=ip)) for ip in spellings}) == 1
    assert canonical(row(moment, ip="1.2.3.4")) != canonical(row(moment, ip="::ffff:1.2.3.4"))


@given(st.text())
def test_a_stored_text_has_no_nul_and_is_valid_utf_8(text):
    assert "\0" not in storable_text(text)
    storable_text(text).encode()
