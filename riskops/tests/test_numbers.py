"""Dense and sparse numbers are looked up alike."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from riskops import numbers

close, far = st.integers(0, 40), st.integers(0, 2**62)
some = st.lists(st.one_of(close, far), max_size=60) | st.lists(close, max_size=60)


def array(values):
    return np.array(values, dtype=np.int64)


@given(some)
def test_distinct_ones_are_found_in_order(values):
    assert numbers.distinct(array(values)).tolist() == sorted(set(values))


@given(some, st.lists(st.one_of(close, far, st.integers(-5, -1)), max_size=30))
def test_each_has_its_place_or_none(values, wanted):
    known = sorted(set(values))
    found = numbers.places(array(known), array(wanted)).tolist()
    assert found == [known.index(one) if one in known else -1 for one in wanted]


@given(some)
def test_numbering_is_that_of_numpy(values):
    found, first, place = numbers.numbered(array(values))
    expected = np.unique(array(values), return_index=True, return_inverse=True)
    for mine, theirs in zip((found, first, place), expected, strict=True):
        assert mine.tolist() == theirs.tolist()
