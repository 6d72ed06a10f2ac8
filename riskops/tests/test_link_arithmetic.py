"""Each factor of a link's bits by itself, in figures worked out by hand."""

import numpy as np
import pytest

from riskops.links import linking
from riskops.links.linking import Identifiers, PairRows, Sightings
from riskops.links.rules import KIND_CODES, LinkRules

RULES = LinkRules()
N = 1025


def whole(*values):
    return np.array(values, dtype=np.int64)


def row(kind, *, gap=0.0, hits=100, identifier=0):
    """One identifier behind accounts 0 and 1."""
    code = whole(KIND_CODES[kind])
    return PairRows(whole(0), whole(1), whole(identifier), code, np.array([gap]), whole(hits))


def bits(kind, known, rules=RULES, **used):
    return float(linking.row_bits(row(kind, **used), whole(0), known, N, rules)[0])


def test_the_rarity_of_an_identifier_is_the_log_of_who_lacks_it():
    assert linking.rarity(whole(1, 2, 8, 1024, 5000), 1024).tolist() == [10, 9, 7, 0, 0]
    assert linking.rarity(whole(0, 1), 1).tolist() == [1, 1]


def test_chance_counts_the_others_behind_it_among_the_others_of_all():
    found = linking.chance_bits(np.array([1.0] * 4), whole(0, 1, 2, 5), N)
    assert found.tolist() == [10, 10, 10, 8]
    assert linking.chance_bits(np.array([1.0]), whole(2), 2).tolist() == [0]


# -- what one identifier weighs ------------------------------------------------------------


def test_a_kind_says_at_most_its_ceiling_and_less_the_more_share_it():
    ceiling, fall = RULES.kinds["ip"].ceiling, RULES.kinds["ip"].fall
    assert bits("ip", Identifiers.of(whole(2))) == pytest.approx(ceiling)
    assert bits("ip", Identifiers.of(whole(3))) == pytest.approx(ceiling / (1 + fall))
    assert bits("ip", Identifiers.of(whole(5))) == pytest.approx(ceiling / (1 + fall * 2))


def test_a_match_that_staff_set_moves_the_ceiling_with_it():
    half = RULES.with_kind("ip", match=RULES.kinds["ip"].match / 2)
    assert bits("ip", Identifiers.of(whole(2)), half) == pytest.approx(
        RULES.kinds["ip"].ceiling - 1
    )
    nearly_none = RULES.with_kind("ip", match=0.3 / 2**6)
    assert bits("ip", Identifiers.of(whole(2)), nearly_none) == 0


def test_days_between_two_uses_take_away_and_never_give():
    known = Identifiers.of(whole(2))
    at_once, half_life = bits("ip", known), RULES.kinds["ip"].half_life
    assert bits("ip", known, gap=half_life) == pytest.approx(at_once / 2)
    assert bits("wallet", known, gap=1000.0) == bits("wallet", known)


def test_one_sighting_may_be_an_accident_where_a_kind_needs_a_habit():
    known = Identifiers.of(whole(2))
    assert bits("ip", known, hits=1) == pytest.approx(bits("ip", known) / 4)
    assert bits("wallet", known, hits=1) == bits("wallet", known)


# -- crowds, rings and closed wallets ------------------------------------------------------


def test_the_cap_is_the_last_number_that_still_says_something():
    cap = RULES.kinds["ip"].crowd_cap
    assert bits("ip", Identifiers.of(whole(cap))) > 0
    assert bits("ip", Identifiers.of(whole(cap + 1))) == 0
    public = Identifiers.of(whole(2), np.array([True]))
    assert bits("ip", public) == 0


def ring(number, *, settled=0.0, equipped=0.0):
    return Identifiers.of(whole(number), settled=np.array([settled]), equipped=np.array([equipped]))


def test_a_ring_s_device_speaks_beyond_the_crowd_up_to_a_cap_of_its_own():
    cap = RULES.ring_cap
    assert bits("device", ring(cap)) > 0
    assert bits("device", ring(cap + 1)) == 0
    at_the_share = ring(cap, settled=RULES.ring_share)
    assert bits("device", at_the_share) == 0
    assert bits("ip", ring(cap)) == 0


def test_a_ring_s_device_is_worth_its_bits_less_among_many():
    assert bits("device", ring(2)) == pytest.approx(RULES.ring_bits)
    among_nine = RULES.ring_bits - RULES.ring_fall * 3
    assert bits("device", ring(9)) == pytest.approx(among_nine)
    plain = RULES.kinds["device"].ceiling
    assert bits("device", ring(2, settled=1.0)) == pytest.approx(plain)
    half = plain + (RULES.ring_bits - plain) / 2
    assert bits("device", ring(2, settled=0.5)) == pytest.approx(half)
    # What a device says by itself is never less for it.
    poor = LinkRules(ring_bits=1.0)
    assert bits("device", ring(2), poor) == pytest.approx(plain)


def two_rows(kinds, settled, equipped):
    """The pair 0, 1 behind two identifiers."""
    codes = whole(*(KIND_CODES[kind] for kind in kinds))
    rows = PairRows(whole(0, 0), whole(1, 1), whole(0, 1), codes, np.zeros(2), whole(9, 9))
    known = Identifiers.of(whole(2, 2), settled=np.full(2, settled), equipped=np.full(2, equipped))
    return linking.row_bits(rows, whole(0, 0), known, N, RULES).tolist()


def test_two_devices_in_common_tell_a_ring_without_devices_of_its_own():
    plain = RULES.kinds["device"].ceiling
    assert two_rows(("device", "device"), 1.0, 0.0) == pytest.approx([RULES.ring_bits] * 2)
    assert two_rows(("device", "device"), 1.0, 1.0) == pytest.approx([plain] * 2)
    # A device and an address are no two devices.
    assert two_rows(("device", "ip"), 1.0, 0.0)[0] == pytest.approx(plain)


def test_a_closed_wallet_serves_these_accounts_and_hardly_anybody_else():
    def wallet(accounts, reach):
        return Identifiers.of(whole(accounts), reach=whole(reach))

    def is_closed(known, kind="counterparty"):
        return bool(linking.closed_wallets(row(kind), known, RULES)[0])

    enough = RULES.closed_accounts
    assert is_closed(wallet(enough, enough))
    assert not is_closed(wallet(enough - 1, enough - 1))
    assert is_closed(wallet(9, 10))
    assert not is_closed(wallet(9, 11))
    # Nobody knows whom else it serves.
    assert not is_closed(wallet(9, 0))
    assert not is_closed(wallet(9, 9), "wallet")
    assert bits("counterparty", wallet(9, 9)) == pytest.approx(np.log2(0.9 * 1024 / 8))
    assert bits("counterparty", wallet(9, 11)) < bits("counterparty", wallet(9, 9)) / 2


def test_whom_it_serves_outside_counts_in_the_crowd():
    known = Identifiers.of(whole(2, 7), reach=whole(30, 3))
    assert known.crowd().tolist() == [30, 7]


# -- pairs and profiles --------------------------------------------------------------------


def sightings(*rows):
    """Sightings out of (account, identifier, kind, first, last, hits)."""
    columns = list(zip(*rows, strict=True))
    account, identifier, kind, hits = (whole(*columns[place]) for place in (0, 1, 2, 5))
    first, last = (np.array(columns[place], dtype=float) for place in (3, 4))
    return Sightings(account, identifier, kind, first, last, hits)


def test_the_gap_is_between_the_end_of_one_use_and_the_beginning_of_the_other():
    table = sightings((0, 0, 0, 0, 10, 5), (1, 0, 0, 13, 20, 2), (2, 0, 0, 5, 15, 9))
    pairs = linking.expand_pairs(linking.sort_sightings(table))
    found = {
        (int(low), int(high)): (float(gap), int(hits))
        for low, high, gap, hits in zip(pairs.low, pairs.high, pairs.gap, pairs.hits, strict=True)
    }
    assert found == {(0, 1): (3.0, 2), (0, 2): (0.0, 5), (1, 2): (0.0, 2)}


def test_sightings_are_sorted_by_kind_identifier_and_account_however_large_the_numbers():
    rows = [(7, 1, 0), (2, 1, 0), (9, 0, 0), (1, 0, 2), (4, 3, 0)]
    wanted = sorted(rows, key=lambda one: (one[2], one[1], one[0]))
    for scale in (1, 10**10):
        table = sightings(*((a * scale, i * scale, k, 0, 0, 1) for a, i, k in rows))
        done = linking.sort_sightings(table)
        found = zip(done.account // scale, done.identifier // scale, done.kind, strict=True)
        assert [tuple(int(part) for part in one) for one in found] == wanted


def test_a_world_in_slices_has_each_pair_once():
    table = linking.sort_sightings(sightings(*((a, 0, 0, 0, 0, 1) for a in range(5))))
    parts = [
        linking.expand_pairs(table, lows=np.isin(np.arange(5), chosen))
        for chosen in ([0, 3], [1, 2, 4])
    ]
    found = [pair for part in parts for pair in zip(part.low, part.high, strict=True)]
    assert sorted((int(a), int(b)) for a, b in found) == [
        (a, b) for a in range(5) for b in range(a + 1, 5)
    ]
    assert {int(low) for low in parts[0].low} == {0, 3}


def test_nothing_seen_pairs_nobody():
    empty = linking.sort_sightings(sightings((0, 0, 0, 0, 0, 1)).only(whole()))
    assert linking.partners_after(empty).tolist() == []
    assert len(linking.expand_pairs(empty)) == 0


def test_the_length_of_a_profile_is_that_of_its_rarities_without_crowds():
    cap = RULES.kinds["counterparty"].crowd_cap
    code = KIND_CODES["counterparty"]
    dealt = sightings(*((0, name, code, 0, 0, 1) for name in range(3)), (1, 1, code, 0, 0, 1))
    known = Identifiers.of(whole(2, 8, cap + 1))
    lengths = linking.profile_norms(dealt, known, 1024, 2, RULES)
    assert lengths.tolist() == pytest.approx([np.hypot(9, 7), 7])
