"""Properties of the score that hold for whatever was counted and whatever rules apply."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from riskops.scores import scoring
from riskops.scores.factors import CODES, FAMILIES
from riskops.scores.rules import LEVELS, Ruleset

COUNTS = st.lists(
    st.lists(st.integers(0, 5_000), min_size=len(CODES), max_size=len(CODES)),
    min_size=1,
    max_size=8,
)


@st.composite
def rulesets(draw):
    factors = [
        {
            "code": code,
            "points": draw(st.integers(-100, 100)),
            "mode": draw(st.sampled_from(["flat", "each", "steps"])),
            "steps": [
                [count, draw(st.integers(-200, 200))]
                for count in sorted(draw(st.sets(st.integers(1, 5_000), max_size=4)))
            ],
            "per": draw(st.integers(1, 1000)),
            "over": draw(st.integers(0, 100)),
            "cap": draw(st.none() | st.integers(0, 100)),
            "enabled": draw(st.booleans()),
        }
        for code in draw(st.sets(st.sampled_from(CODES)))
    ]
    bounds = sorted(draw(st.sets(st.integers(0, 99), min_size=4, max_size=4)))
    caps = {family: draw(st.integers(0, 200)) for family in FAMILIES}
    return Ruleset.from_dict({"factors": factors, "level_bounds": bounds, "family_caps": caps})


def matrix(rows):
    return np.array(rows, dtype=np.int64)


@given(COUNTS, rulesets())
def test_breakdown_sums_to_raw_and_the_score_is_its_clamp(rows, rules):
    points = scoring.score(matrix(rows), rules)
    assert (points.given.sum(axis=1) == points.raw).all()
    assert (points.score == np.minimum(np.maximum(points.raw, 0), 100)).all()


@given(COUNTS, rulesets())
def test_accounts_do_not_influence_one_another(rows, rules):
    together = scoring.score(matrix(rows), rules)
    for row, counts in enumerate(rows):
        alone = scoring.score(matrix([counts]), rules)
        assert (alone.given[0] == together.given[row]).all()
        assert alone.level[0] == together.level[row]


@given(COUNTS, rulesets())
def test_no_family_exceeds_its_cap(rows, rules):
    points = scoring.score(matrix(rows), rules)
    for family in FAMILIES:
        columns = [i for i, factor in enumerate(rules.factors) if factor.family == family]
        assert (np.abs(points.given[:, columns].sum(axis=1)) <= rules.family_caps[family]).all()


@given(COUNTS, rulesets())
def test_the_counterfactual_is_the_score_with_the_factor_switched_off(rows, rules):
    points = scoring.score(matrix(rows), rules)
    without = scoring.scores_without_each_factor(points.full, rules)
    for column, code in enumerate(CODES):
        off = scoring.score(matrix(rows), rules.with_factor(code, enabled=False))
        assert (without[:, column] == off.score).all()


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6))
def test_rounding_is_half_away_from_zero(numerator, denominator):
    rounded = int(scoring.half_away(np.array([numerator]), denominator)[0])
    doubled = 2 * abs(numerator)
    expected = (doubled + denominator) // (2 * denominator)
    assert rounded == (expected if numerator >= 0 else -expected)
    assert 2 * abs(abs(rounded) * denominator - abs(numerator)) <= denominator


@given(st.integers(0, 100), rulesets())
def test_every_score_has_the_level_whose_bounds_hold_it(score, rules):
    level = LEVELS.index(scoring.level_of(score, rules))
    lows = [-1, *rules.level_bounds]
    highs = [*rules.level_bounds, 100]
    assert lows[level] < score <= highs[level]


@given(
    st.integers(0, 100),
    st.integers(-1, 100),
    st.none() | st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.integers(0, 5_000),
)
def test_a_score_rises_at_once_and_falls_only_after_the_cool_down(
    computed, standing, hold, at, cool_down
):
    at *= scoring.SECOND
    hold = scoring.NEVER if hold is None else hold * scoring.SECOND
    shown, until = scoring.apply_cool_down(
        np.array([computed]), np.array([standing]), np.array([hold]), at=at, cool_down=cool_down
    )
    shown, until = int(shown[0]), int(until[0])
    if computed >= standing:
        assert (shown, until) == (computed, scoring.NEVER)
    elif shown == standing:
        assert at < until
    else:
        assert shown == computed
        assert until == scoring.NEVER


@given(rulesets())
@settings(max_examples=50)
def test_a_ruleset_survives_its_json_form(rules):
    assert Ruleset.from_dict(rules.to_dict()) == rules


def test_the_defaults_give_the_points_of_the_documented_table():
    rules = Ruleset()
    given = {
        "many_ips": (4, 15),
        "wallet_changes": (3, 20),
        "content_reports": (3, 30),
        "suspicious_transactions": (1, 25),
        "new_account_burst": (51, 10),
        "proxy_ip": (1, 15),
        "automation": (30, 30),
        "high_risk_country": (1, 10),
        "failed_logins": (7, 25),
        "linked_to_confirmed_fraud": (910, 36),
        "two_factor": (1, -20),
        "verified": (1, -15),
        "account_age": (548, -8),
        "clean_history": (1, -10),
        "completed_trades": (57, -6),
        "confirmed_fraud": (1, 180),
        "anomalies": (35, 35),
        "disputes": (3, 24),
        "refunds": (3, 12),
        "chargebacks": (2, 50),
        "quick_purchase": (61, 20),
        "shared_device": (3, 40),
        "shared_address": (9, 20),
        "shared_wallet": (1, 35),
        "link_strength": (94, 10),
        "linked_accounts": (1, 0),
        "suspected_fraud_link": (700, 14),
        "cluster_size": (6, 10),
        "cluster_fraud": (500, 15),
        "counterparty_fraud": (200, 30),
        "amount_habit": (600, 15),
        "week_habit": (600, 5),
        "largest_amount": (99_000, 0),
    }
    counts = matrix([[given[code][0] for code in CODES]])
    full = scoring.factor_points(counts, rules)[0]
    assert dict(zip(CODES, full.tolist(), strict=True)) == {c: p for c, (_, p) in given.items()}


def test_thresholds_are_exceeded_not_met():
    rules = Ruleset()
    row = [0] * len(CODES)
    row[CODES.index("many_ips")] = 3
    assert scoring.score(matrix([row]), rules).raw[0] == 0
