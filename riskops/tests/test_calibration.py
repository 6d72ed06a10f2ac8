"""Outcomes give a calibration table and, when there are enough, suggested points."""

from riskops.scores.calibration import Judged, factor_figures, score_bins


def judged(score, fraud, *factors):
    return Judged(score, dict.fromkeys(factors, 10), fraud)


def test_bins_tell_how_many_were_fraud():
    bins = score_bins([judged(85, True), judged(81, False), judged(100, True), judged(0, False)])
    shown = {(b.low, b.high): (b.judged, b.fraud) for b in bins if b.judged}
    assert shown == {(80, 89): (2, 1), (90, 100): (1, 1), (0, 9): (1, 0)}
    assert bins[8].share == 0.5
    assert bins[1].share is None


def test_no_points_are_suggested_without_enough_outcomes():
    rows = [judged(50, True, "a")] * 99 + [judged(5, False)] * 500
    assert factor_figures(rows, {"a": 10})[0].suggested is None


def test_suggested_points_follow_the_evidence():
    rows = [judged(50, True, "strong", "weak")] * 90 + [judged(50, True)] * 30
    rows += [judged(5, False, "weak")] * 70 + [judged(5, False, "trust")] * 60
    found = {f.code: f for f in factor_figures(rows, {"strong": 30, "weak": 30, "trust": -20})}
    assert found["strong"].precision == 1
    assert found["strong"].suggested > found["weak"].suggested > 0 > found["trust"].suggested


def test_a_factor_that_nobody_judged_had_is_given_no_points():
    rows = [judged(50, True, "strong")] * 120 + [judged(5, False)] * 120
    found = {f.code: f.suggested for f in factor_figures(rows, {"strong": 30, "unseen": 25})}
    assert found["unseen"] is None
    assert found["strong"] > 0
