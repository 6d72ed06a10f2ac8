"""How a refund is spread over the lines of an order: by largest remainder, never past a line."""

import pytest

from marketplace.refunds import spread


@pytest.mark.parametrize(
    ("amount", "remaining", "shares"),
    [
        (0, [], []),
        (0, [0, 0], [0, 0]),
        (10, [10], [10]),
        (100, [300, 100], [75, 25]),
        # 3.33 each: the first lines get the odd cent.
        (10, [100, 100, 100], [4, 3, 3]),
        (11, [100, 100, 100], [4, 4, 3]),
        # Parts of 0.4 and 3.6, and of 1.67, 0.83 and 2.5: the largest remainder is served first.
        (4, [10, 90], [0, 4]),
        (5, [20, 10, 30], [2, 1, 2]),
        # Nothing is given where nothing remains.
        (1, [0, 1], [0, 1]),
        (7, [0, 3, 4], [0, 3, 4]),
    ],
)
def test_a_refund_follows_what_each_line_can_still_give(amount, remaining, shares):
    assert spread(amount, remaining) == shares


@pytest.mark.parametrize(("amount", "remaining"), [(5, [2, 2]), (1, []), (-1, [2])])
def test_more_than_remains_is_refused(amount, remaining):
    with pytest.raises(ValueError, match=r"^a refund cannot exceed what remains$"):
        spread(amount, remaining)
