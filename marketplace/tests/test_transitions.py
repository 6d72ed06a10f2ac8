"""Every listed transition leads where the table says; every other one is refused."""

import itertools

import pytest

from marketplace import transitions
from marketplace.transitions import NotListed, allowed_from, target

TABLES = ["PRODUCT", "REVISION", "ORDER", "DISPUTE", "PAYOUT"]


def combinations():
    for name in TABLES:
        table = getattr(transitions, name)
        states = {s for moves in table.values() for pair in moves.items() for s in pair}
        for action, state in itertools.product(table, sorted(states)):
            yield pytest.param(table, action, state, id=f"{name}-{action}-{state}")


@pytest.mark.parametrize(("table", "action", "state"), list(combinations()))
def test_only_listed_transitions(table, action, state):
    if state in allowed_from(table, action):
        assert target(table, action, state) == table[action][state]
    else:
        with pytest.raises(NotListed):
            target(table, action, state)


def test_removed_and_refunded_are_final():
    assert all("removed" not in moves for moves in transitions.PRODUCT.values())
    assert all("refunded" not in moves for moves in transitions.ORDER.values())
