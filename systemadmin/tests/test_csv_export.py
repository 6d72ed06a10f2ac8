"""No cell of an export runs as a formula, and nothing else is changed."""

import csv
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.foundation.csv_export import FORMULA_SIGNS, csv_line, csv_of_mappings


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x"]
)
def test_a_text_that_begins_like_a_formula_is_quoted(text):
    assert next(csv.reader([csv_line([text])]))[0] == f"'{text}"


def test_numbers_days_and_nothing_stay_what_they_are():
    assert csv_line([-5, None, date(2026, 1, 2), "a=b"]) == "-5,,2026-01-02,a=b\r\n"


def test_rows_are_written_by_column_and_what_is_missing_is_empty():
    lines = list(csv_of_mappings(["a", "b"], [{"a": 1}, {"b": "x", "c": 2}]))
    assert lines == ["a,b\r\n", "1,\r\n", ",x\r\n"]


@given(st.lists(st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]))))
def test_a_reader_gets_back_what_was_written_and_no_formula(texts):
    read = next(csv.reader([csv_line(["first", *texts])]))[1:]
    assert [
        text.removeprefix("'") if own[:1] != "'" else text
        for text, own in zip(read, texts, strict=True)
    ] == texts
    assert not [text for text in read if text.startswith(FORMULA_SIGNS)]
