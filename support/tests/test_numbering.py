import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.numbering import find_number, format_number


def test_reads_like_a_number_people_say():
    assert format_number(2026, 123) == "T-2026-000123"


@given(st.integers(2000, 9999), st.integers(1, 999_999_999), st.sampled_from(["Re: [{}] hi", "{}"]))
def test_is_found_again_in_a_subject(year, serial, subject):
    number = format_number(year, serial)
    assert find_number(subject.format(number)) == number


@pytest.mark.parametrize(
    "text", ["", "T-26-1", "XT-2026-000123", "T-2026-00012", "T-２０２６-000123"]
)
def test_is_not_found_where_it_is_not(text):
    assert find_number(text) is None


def test_is_found_whatever_its_case():
    assert find_number("re: t-2026-000007") == "T-2026-000007"
