"""How links, rings and scores are put in words."""

import pytest

from riskops.links.hubs import ring_text
from riskops.links.related import EvidenceLine, percent_of
from riskops.models import AccountCluster
from riskops.scores.explanation import Reason
from riskops.scores.waterfall import waterfall


def reason(code, points, full):
    return Reason(code, code, "sharing", points, full, 1, None, None, "text", 80)


def test_what_trims_a_factor_is_on_record():
    shown = waterfall(
        [reason("device", 40, 40), reason("wallet", 5, 35), reason("idle", 0, 10)], 45
    )
    assert [(step.signed, step.full) for step in shown.steps] == [("+40", "+40"), ("+5", "+35")]
    assert [one.factor for one in shown.idle] == ["idle"]
    assert shown.steps[0].reason.family_title == "Sharing"


@pytest.mark.parametrize(
    ("bits", "word"),
    [(7.5, "strong"), (6, "strong"), (4.8, "some"), (1.78, "some"), (0.61, "little"), (0, "none")],
)
def test_a_wallet_of_two_alone_is_strong_evidence(bits, word):
    assert EvidenceLine("wallet", 1, "0x", 2, bits, "").word == word


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.9992, "99.9"), (1.0, "99.9"), (0.9951, "99.5"), (0.97, "97"), (0.004, "0.4"), (0.0, "0.1")],
)
def test_a_suspicion_is_never_called_certain(probability, text):
    assert percent_of(probability) == text


def test_a_ring_says_how_many_share_its_device():
    assert ring_text(AccountCluster(size=7, hubs=[[1, 4]])) == "Ring: 4 of 7 accounts on one device"
    two = AccountCluster(size=7, hubs=[[1, 4], [2, 5]])
    assert ring_text(two) == "Ring: up to 5 of 7 accounts on each of 2 devices"
