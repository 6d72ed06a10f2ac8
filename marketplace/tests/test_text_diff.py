"""The diff that a moderator reads: exact where it can be, in bounded time always."""

import html
import re

import pytest
from django.utils.translation import override
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.materiality import text_is_material
from marketplace.text_diff import diff_html, equal_runs
from systemadmin.foundation.testing import processor_seconds

TEXTS = st.text(alphabet="ab \n", max_size=60)


def sides(marked):
    """The old and the new text that a diff shows."""
    marked = re.sub(r'<p class="mp-coarse">.*?</p>', "", marked)
    old = re.sub(r"<ins>.*?</ins>", "", marked, flags=re.DOTALL)
    new = re.sub(r"<del>.*?</del>", "", marked, flags=re.DOTALL)
    return tuple(html.unescape(re.sub(r"</?(ins|del)>", "", side)) for side in (old, new))


@given(TEXTS, TEXTS)
@settings(deadline=None)
def test_both_texts_are_shown_whole(old, new):
    assert sides(diff_html(old, new)) == (old, new)


@given(st.lists(st.sampled_from("abc"), max_size=9), st.lists(st.sampled_from("abc"), max_size=9))
@settings(deadline=None)
def test_no_shorter_change_would_do(a, b):
    longest = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            longest[i + 1][j + 1] = (
                longest[i][j] + 1 if x == y else max(longest[i][j + 1], longest[i + 1][j])
            )
    runs, is_exact = equal_runs(a, b)
    assert is_exact
    assert all(a[x : x + size] == b[y : y + size] for x, y, size in runs)
    assert sum(size for _x, _y, size in runs) == longest[-1][-1]


def test_a_changed_word_is_marked_alone():
    assert diff_html("a red lamp", "a blue lamp") == "a <del>red</del><ins>blue</ins> lamp"


def test_what_is_no_text_is_shown_as_before_and_after():
    assert diff_html(None, 5) == "<del>None</del> <ins>5</ins>"


def test_markup_of_a_seller_is_text():
    assert "<b>" not in diff_html("<b>", "<b> <i>")


def test_the_end_of_a_long_text_is_compared():
    old = "word " * 9_990
    assert diff_html(old, f"{old}paid to a friend").endswith("<ins>paid to a friend</ins>")


HOSTILE = {
    "one word in two": ("a " * 9_990, "b a " * 4_990),
    "other order": (
        " ".join(str(i) for i in range(9_990)),
        " ".join(str(i) for i in range(9_990, 0, -1)),
    ),
    "nothing in common": ("a " * 9_990, "b " * 9_990),
    "runs": ("x " + "a " * 9_000 + "b " * 900, "y " + "a " * 8_000 + "b " * 1_900),
    "periods": ("a b c " * 3_330, "a b " * 4_990),
    "lines": ("a\n" * 500_000, "b\na\n" * 250_000),
    "one line of 1 MB": ("a" * 1_000_000, "b" * 1_000_000),
    "spaces": (" \n" * 500_000, "\n " * 400_000),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_any_two_texts_are_compared_in_bounded_time(name):
    old, new = HOSTILE[name]
    shown = []
    assert processor_seconds(lambda: shown.append(diff_html(old, new))) < 1
    assert sides(shown[0]) == (old, new)


@override("en")
def test_a_coarse_comparison_says_so():
    whole = diff_html("same " + "a " * 9_990, "same " + "b a " * 4_990)
    assert "Too much has changed to compare: all between the first and the last" in whole
    assert "</p>same <" in whole
    old = "\n".join(f"{i} of {i} or so" for i in range(120))
    changed = old.replace(" ", " x")
    kept = "This line is the same in both."
    lines = diff_html(f"{old}\n{kept}\n{old}", f"{changed}\n{kept}\n{changed}")
    assert "Too much has changed to compare word by word: whole lines are compared." in lines
    assert f"</ins>{kept}\n<del>" in lines


@pytest.mark.parametrize(
    ("old", "new"),
    [("a" * 300, "ba" * 150), ("ab" * 150, "ba" * 150), ("a" * 300, "b" * 150 + "a" * 150)],
)
def test_whether_a_short_text_changed_much_is_cheap(old, new):
    assert processor_seconds(lambda: text_is_material(old, new, 5)) < 1
