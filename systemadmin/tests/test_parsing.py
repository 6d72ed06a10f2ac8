"""The strict parsers: what each reads, and that nothing else comes out of them."""

import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.foundation import parsing
from systemadmin.foundation.parsing import Unreadable

PARSERS = [
    parsing.parse_whole_number,
    parsing.parse_decimal,
    parsing.parse_float,
    parsing.parse_day,
    parsing.parse_moment,
    parsing.parse_rate,
    parsing.parse_duration,
    parsing.parse_time_of_day,
    parsing.parse_line,
    parsing.parse_address,
    parsing.parse_network,
]
# Characters that look like digits, signs and separators to one function or another of Python.
NEARLY = st.text(alphabet="0123456789²٣１/:.,-+_eE smhdwTZ%\x00\n\u2028\ud800", max_size=40)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@given(text=st.one_of(NEARLY, st.text(max_size=60), st.integers(), st.none(), st.binary()))
def test_a_parser_raises_nothing_but_unreadable(parse, text):
    with suppress(Unreadable):
        parse(text)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda parse: parse.__name__)
@pytest.mark.parametrize(
    "text", ["9" * 1_000_000, "1e999999999", "0" * 1_000_000 + "1", "1:" * 500_000]
)
def test_a_long_text_costs_next_to_nothing(parse, text):
    started = time.process_time()
    with suppress(Unreadable):
        parse(text)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "text",
    [
        "²",
        "٣",
        "１",
        "000001000000",
        "01",
        "+1",
        "1_000",
        " 1",
        "1 ",
        "1\n",
        "-0",
        "1.0",
        "1e3",
        "",
    ],
)
def test_a_whole_number_is_written_plainly(text):
    with pytest.raises(Unreadable):
        parsing.parse_whole_number(text, parsing.SMALLEST)


@given(st.integers(parsing.SMALLEST, parsing.LARGEST))
def test_a_whole_number_of_64_bits_is_read_back(number):
    assert parsing.parse_whole_number(str(number), parsing.SMALLEST) == number


def test_a_whole_number_keeps_its_bounds():
    assert parsing.parse_whole_number("100", 1, 100) == 100
    for text in ("0", "101", str(2**63)):
        with pytest.raises(Unreadable):
            parsing.parse_whole_number(text, 1, 100)
    with pytest.raises(Unreadable):
        parsing.parse_whole_number(str(2**63))


@given(st.decimals(-(10**17), 10**17, places=4))
def test_a_decimal_is_read_back(number):
    assert parsing.parse_decimal(f"{abs(number):f}") == abs(number)


@pytest.mark.parametrize("text", ["1e300000", "NaN", "Infinity", "1_0", "٣", "1.", ".5", "0x10"])
def test_a_decimal_has_no_exponent(text):
    with pytest.raises(Unreadable):
        parsing.parse_decimal(text)
    assert parsing.parse_decimal("-12.50") == Decimal("-12.50")


@pytest.mark.parametrize("text", ["1e999", "NaN", "inf", "1_0", "٣.5"])
def test_a_float_is_finite(text):
    with pytest.raises(Unreadable):
        parsing.parse_float(text)
    assert parsing.parse_float("1.5e-3") == 0.0015


@given(st.datetimes(datetime(1900, 1, 1), datetime(2999, 12, 30), timezones=st.just(UTC)))
def test_a_moment_is_read_back(moment):
    assert parsing.parse_moment(moment.isoformat()) == moment


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "10000-01-01T00:00:00Z",
        "2026-W01-1T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-06-01T24:30:00Z",
        "２０２６-06-01T00:00:00Z",
        "2026-06-01",
        "2026-06-01T10:00:00Z\x00",
    ],
)
def test_what_is_no_moment(text):
    with pytest.raises(Unreadable):
        parsing.parse_moment(text)


def test_a_moment_without_a_zone_is_utc_unless_one_is_needed():
    assert parsing.parse_moment("2026-06-01 10:00") == datetime(2026, 6, 1, 10, tzinfo=UTC)
    assert parsing.parse_moment("2026-06-01T10:00+02:00") == datetime(2026, 6, 1, 8, tzinfo=UTC)
    with pytest.raises(Unreadable):
        parsing.parse_moment("2026-06-01T10:00:00", zone=None)


def test_days_durations_and_times_of_day():
    assert parsing.parse_day("2026-06-01") == date(2026, 6, 1)
    assert parsing.parse_duration("2w") == timedelta(days=14)
    assert parsing.parse_time_of_day("24:00") == 1440
    for parse, text in [
        (parsing.parse_day, "2026-6-1"),
        (parsing.parse_day, "20260601"),
        (parsing.parse_duration, "٣h"),
        (parsing.parse_duration, "999999999w"),
        (parsing.parse_duration, "0d"),
        (parsing.parse_time_of_day, "٠9:30"),
    ]:
        with pytest.raises(Unreadable):
            parse(text)


@pytest.mark.parametrize(
    "text", ["a\rb", "a\nb", "a\x00b", "a\x85b", "a\u2028b", "a\u2029b", "\ud800"]
)
def test_one_line_of_text_breaks_nowhere(text):
    with pytest.raises(Unreadable):
        parsing.parse_line(text)
    assert parsing.parse_line("  Señal ñ 日本 ") == "Señal ñ 日本"


@pytest.mark.parametrize(
    "text", ["member777", "1.2.3", "1.2.3.4%eth0", "fe80::1%eth0", "١.2.3.4", "1.2.3.4 "]
)
def test_what_is_no_address(text):
    with pytest.raises(Unreadable):
        parsing.parse_address(text)
    assert parsing.parse_address("::ffff:192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize(
    "text", ["1.2.3.4/٣", "1.2.3.4/33", "fe80::%1/64", "10.0.0.0/" + "9" * 30, 5, None]
)
def test_what_is_no_network(text):
    with pytest.raises(Unreadable):
        parsing.parse_network(text)
    assert str(parsing.parse_network("192.0.2.77/24")) == "192.0.2.0/24"


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [
        ("258", ",", "258"),
        ("258,00", ",", "258.00"),
        ("258.00", ",", "258.00"),
        ("1.258", ",", "1258"),
        ("1.258,5", ",", "1258.5"),
        ("1,258.50", ",", "1258.50"),
        ("1,258", ".", "1258"),
        ("1,258,000.5", ".", "1258000.5"),
        ("1\u202f258,5", ",", "1258.5"),
        ("0.125", ",", "0.125"),
        ("258,00", ".", "258.00"),
    ],
)
def test_numbers_as_people_write_them(text, mark, expected):
    assert str(parsing.parse_local_decimal(text, mark)) == expected


@pytest.mark.parametrize("text", ["1.25.8", "1,2,3", "12.3456,7", "", ".", ",5", "1.2.3,4", "٣", 5])
def test_what_is_no_number_as_people_write_it(text):
    for mark in ".,":
        with pytest.raises(Unreadable):
            parsing.parse_local_decimal(text, mark)


@given(st.decimals(0, 10**9, places=2, allow_nan=False), st.sampled_from([".", ","]))
def test_what_is_written_with_groups_is_read_back(amount, mark):
    written = f"{amount:,.2f}"
    if mark == ",":
        written = written.translate(str.maketrans(".,", ",."))
    assert parsing.parse_local_decimal(written, mark) == amount
