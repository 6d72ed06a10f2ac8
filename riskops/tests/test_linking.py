"""The arithmetic of links: bits, pairs, families, overlap, clusters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskops.links import combining, linking
from riskops.links.clustering import DISMISSED, SIZE, WEAK, ClusterRules, Edges, find_clusters
from riskops.links.linking import Identifiers, Sightings
from riskops.links.rules import KIND_CODES, LinkRules

RULES = LinkRules()
N = 10_000


def seen(*rows, population=N, accounts=None, shared=(), hits=100, settled=None):
    """Links out of (account, identifier, kind) rows; crowds are counted from them."""
    account = np.array([row[0] for row in rows], dtype=np.int64)
    identifier = np.array([row[1] for row in rows], dtype=np.int64)
    kind = np.array([KIND_CODES[row[2]] for row in rows], dtype=np.int64)
    size = int(identifier.max()) + 1
    crowd = np.bincount(identifier, minlength=size)
    for name, number in (accounts or {}).items():
        crowd[name] = number
    public = np.isin(np.arange(size), list(shared))
    known = Identifiers.of(crowd, public, settled=settled and np.full(size, settled))
    zeros = np.zeros(len(rows))
    table = Sightings(account, identifier, kind, zeros, zeros, np.full(len(rows), hits))
    norms = np.zeros(int(account.max()) + 1)
    pairs = linking.expand_pairs(linking.sort_sightings(table))
    return combining.combine(pairs, known, norms, population, RULES)


def test_bits_are_the_log_of_match_over_chance():
    bits = linking.chance_bits(np.array([0.6]), np.array([2]), 1025)
    assert bits[0] == pytest.approx(np.log2(0.6 * 1024))


def test_an_identifier_everybody_has_says_nothing():
    assert linking.chance_bits(np.array([0.6]), np.array([1000]), 1000)[0] == 0


def test_evidence_halves_with_every_half_life():
    near = linking.nearness(np.array([0.0, 14.0, 28.0]), np.array([14.0] * 3))
    assert near.tolist() == [1, 0.5, 0.25]
    assert linking.nearness(np.array([999.0]), np.array([np.inf]))[0] == 1


def test_confidence_grows_with_hits_and_ends_at_one():
    values = linking.confidence(np.array([0, 1, 2, 4, 10**6]))
    assert values.tolist() == pytest.approx([0.25, 0.25, 0.7, 1, 1])


def test_one_shared_device_is_a_likely_link():
    links = seen((0, 0, "device"), (1, 0, "device"))
    assert links.strength[0] > 90
    assert links.may_merge[0]


def test_a_crowd_and_a_public_place_give_no_bits():
    rows = [(0, 0, "ip"), (1, 0, "ip")]
    crowded = seen(*rows, accounts={0: 51})
    public = seen(*rows, shared={0})
    for links in (crowded, public):
        assert links.row_bits.tolist() == [0]
        assert links.bits[0] == RULES.prior_bits
        assert not links.may_merge[0]


def test_within_a_family_evidence_hardly_adds_up():
    one = seen((0, 0, "ip"), (1, 0, "ip"))
    both = seen((0, 0, "ip"), (1, 0, "ip"), (0, 1, "subnet"), (1, 1, "subnet"))
    gain = both.bits[0] - one.bits[0]
    assert 0 < gain < 1


def test_families_add_up():
    device = seen((0, 0, "device"), (1, 0, "device")).bits[0] - RULES.prior_bits
    wallet = seen((0, 0, "wallet"), (1, 0, "wallet")).bits[0] - RULES.prior_bits
    both = seen((0, 0, "device"), (1, 0, "device"), (0, 1, "wallet"), (1, 1, "wallet"))
    assert both.bits[0] - RULES.prior_bits == pytest.approx(device + wallet)


def test_what_is_not_shared_does_not_enter():
    alone = seen((0, 0, "ip"), (1, 0, "ip"), (0, 1, "device"), (1, 1, "device"))
    rotating = [(a, 10 + 20 * a + i, "ip") for a in (0, 1) for i in range(15)]
    busy = seen((0, 0, "ip"), (1, 0, "ip"), (0, 1, "device"), (1, 1, "device"), *rotating)
    assert busy.bits[0] == alone.bits[0]


def test_parts_add_up_to_what_is_shown():
    both = seen((0, 0, "ip"), (1, 0, "ip"), (0, 1, "device"), (1, 1, "device"))
    assert both.row_bits.sum() + RULES.prior_bits == pytest.approx(both.bits[0])


def test_a_device_of_settled_people_says_less_than_a_ring_s():
    ring = seen((0, 0, "device"), (1, 0, "device"))
    people = seen((0, 0, "device"), (1, 0, "device"), settled=1.0)
    assert people.strength[0] < 50 < ring.strength[0]


def test_places_alone_never_join():
    links = seen((0, 0, "ip"), (1, 0, "ip"), (0, 1, "ip"), (1, 1, "ip"))
    assert links.strength[0] >= 50
    assert not links.may_merge[0]


def test_two_independent_identifiers_may_join_what_one_may_not():
    crowd = {0: 8, 1: 8}
    one = seen((0, 0, "device"), (1, 0, "device"), accounts={0: 8}, settled=0.6)
    two = seen(
        (0, 0, "device"),
        (1, 0, "device"),
        (0, 1, "wallet"),
        (1, 1, "wallet"),
        accounts=crowd,
        settled=0.6,
    )
    assert not one.may_merge[0]
    assert two.may_merge[0]


BY_IDENTIFIER = ("ip", "subnet", "device", "wallet")
sightings = st.sets(st.integers(0, 79), min_size=1, max_size=40).map(
    lambda cells: [(c // 10, c % 10, BY_IDENTIFIER[c % 10 % 4]) for c in cells]
)


@given(rows=sightings)
def test_probabilities_are_probabilities_and_strength_follows(rows):
    links = seen(*rows)
    assert ((links.probability >= 0) & (links.probability <= 1)).all()
    assert (links.strength == np.floor(100 * links.probability + 0.5)).all()
    assert (links.low < links.high).all()
    assert (links.overlap <= 1).all()


@given(rows=sightings, order=st.randoms())
def test_the_order_of_sightings_does_not_matter(rows, order):
    shuffled = list(rows)
    order.shuffle(shuffled)
    a, b = seen(*rows), seen(*shuffled)
    assert a.bits.tolist() == pytest.approx(b.bits.tolist())
    assert a.low.tolist() == b.low.tolist()


@given(rows=sightings)
def test_pairs_are_every_two_behind_an_identifier(rows):
    links = seen(*rows)
    behind = {}
    for account, identifier, _ in rows:
        behind.setdefault(identifier, set()).add(account)
    wanted = {(a, b) for group in behind.values() for a in group for b in group if a < b}
    assert set(zip(links.low.tolist(), links.high.tolist(), strict=True)) == wanted


# -- clusters ------------------------------------------------------------------


def edges(*rows):
    """Edges out of (low, high, bits, may_merge, verdict)."""
    low, high, bits, may, verdict = (list(column) for column in zip(*rows, strict=True))
    given = Edges.plain(np.array(low), np.array(high), np.array(bits, float), np.array(may))
    return Edges(
        given.low,
        given.high,
        given.bits,
        given.probability,
        given.may_merge,
        np.array([v == "confirmed" for v in verdict]),
        np.array([v == "dismissed" for v in verdict]),
    )


def test_a_weak_link_joins_nobody_and_is_named():
    found = find_clusters(edges((0, 1, 9, False, "")), 2, ClusterRules())
    assert found.number == 0
    assert [bridge.reason for bridge in found.bridges] == [WEAK]


def test_a_confirmed_link_joins_whatever_its_bits():
    assert find_clusters(edges((0, 1, -9, False, "confirmed")), 2, ClusterRules()).number == 1


def test_the_guard_stops_growth_at_the_weakest_link():
    chain = [(i, i + 1, 9.0 if i != 2 else 3.0, True, "") for i in range(5)]
    found = find_clusters(edges(*chain), 6, ClusterRules(size_guard=4))
    assert [members.tolist() for members in found.members()] == [[0, 1, 2], [3, 4, 5]]
    assert [(bridge.edge, bridge.reason) for bridge in found.bridges] == [(2, SIZE)]


def test_a_dismissed_pair_is_never_in_one_cluster():
    rows = [(0, 1, 9, True, ""), (1, 2, 8, True, ""), (0, 2, 9, True, "dismissed")]
    found = find_clusters(edges(*rows), 3, ClusterRules())
    assert found.label.tolist() == [0, 0, -1]
    assert [bridge.reason for bridge in found.bridges] == [DISMISSED]


edge_lists = st.lists(
    st.tuples(
        st.integers(0, 14),
        st.integers(0, 14),
        st.integers(-4, 12),
        st.booleans(),
        st.sampled_from(["", "", "", "dismissed", "confirmed"]),
    ).filter(lambda row: row[0] < row[1]),
    min_size=1,
    max_size=40,
    unique_by=lambda row: (row[0], row[1]),
)


@settings(max_examples=200)
@given(rows=edge_lists, guard=st.integers(2, 8))
def test_no_cluster_breaks_its_rules(rows, guard):
    given_edges = edges(*rows)
    found = find_clusters(given_edges, 15, ClusterRules(size_guard=guard))
    label = found.label
    confirmed = {(r[0], r[1]) for r in rows if r[4] == "confirmed"}
    for low, high, _bits, _may, verdict in rows:
        together = label[low] == label[high] >= 0
        assert not (verdict == "dismissed" and together)
    if not confirmed:
        sizes = np.bincount(label[label >= 0], minlength=1)
        assert sizes.max() <= guard
    # Inside a cluster every account hangs on a link that was allowed to join.
    for members in found.members():
        inside = set(members.tolist())
        joined = {members[0]}
        grown = True
        while grown:
            grown = False
            for low, high, bits, may, verdict in rows:
                allowed = verdict == "confirmed" or (verdict == "" and may and bits >= 0)
                if allowed and {low, high} <= inside and len({low, high} & joined) == 1:
                    joined |= {low, high}
                    grown = True
        assert joined == inside


@given(rows=edge_lists)
def test_clusters_do_not_hang_on_the_order_of_links(rows):
    a = find_clusters(edges(*rows), 15, ClusterRules(size_guard=5))
    # Equal bits are told apart by the accounts, so any order gives the same groups.
    b = find_clusters(edges(*rows[::-1]), 15, ClusterRules(size_guard=5))
    assert a.label.tolist() == b.label.tolist()
