"""What evidence is worth, learnt from verdicts; and that more evidence never says less."""

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from riskops.links import combining, linking
from riskops.links.calibration import isotonic, learnt_curve, probability_of
from riskops.links.detect import detect_all
from riskops.links.linking import Identifiers, Sightings
from riskops.links.rules import KIND_CODES, SHIPPED_CURVES, LinkRules
from riskops.models import LinkCalibration, LinkStatus, RelatedAccount
from riskops.tests.worlds import Builder
from systemadmin.models import AuditEntry

RULES = LinkRules()
judged = st.lists(st.tuples(st.floats(0.1, 20), st.booleans()), min_size=1, max_size=60)


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_isotonic_never_falls_and_keeps_the_mean(values):
    found = isotonic(np.array(values), np.ones(len(values)))
    assert (np.diff(found) >= -1e-9).all()
    assert found.mean() == pytest.approx(np.mean(values))


@given(rows=judged)
def test_a_learnt_curve_never_falls(rows):
    raw, right = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    xs, ys = zip(*learnt_curve(raw, right, SHIPPED_CURVES["money"], -4.0), strict=True)
    assert (np.diff(xs) > 0).all()
    assert (np.diff(ys) >= 0).all()
    assert ys[0] == 0


def test_many_verdicts_decide():
    raw = np.linspace(3, 9, 1000)
    right = np.arange(1000) % 10 < 3
    curve = learnt_curve(raw, right, SHIPPED_CURVES["money"], -4.0)
    said = probability_of(combining.worth(raw, curve), -4.0)
    assert np.abs(said - 0.3).max() < 0.1


KINDS = ("ip", "home", "device", "wallet", "counterparty")


@given(
    shared=st.lists(st.tuples(st.integers(0, 11), st.integers(2, 60)), max_size=8),
    own=st.lists(st.tuples(st.integers(0, 1), st.integers(12, 23)), max_size=12),
    more=st.tuples(st.integers(0, 11), st.integers(2, 60)),
)
def test_more_shared_evidence_never_lowers_a_probability(shared, own, more):
    assert chance(shared, own) <= chance([*shared, more], own) + 1e-9


def chance(shared, own):
    """The probability of two accounts with these (identifier, crowd) in common, and of their own.

    They also share a device, so that there is a pair.
    """
    crowd = {30: 40} | dict.fromkeys(range(24), 1)
    rows = {(account, 30) for account in (0, 1)}
    for identifier, accounts in shared:
        # What was there first stays: a second mention is no new evidence.
        if (0, identifier) not in rows:
            crowd[identifier] = accounts
        rows |= {(0, identifier), (1, identifier)}
    rows |= set(own)
    kinds = {one: KIND_CODES[KINDS[one % len(KINDS)]] for one in range(24)}
    kinds[30] = KIND_CODES["device"]
    table = sorted(rows)
    account = np.array([row[0] for row in table])
    identifier = np.array([row[1] for row in table])
    kind = np.array([kinds[one] for one in identifier.tolist()])
    zeros = np.zeros(len(table))
    seen = Sightings(account, identifier, kind, zeros, zeros, np.full(len(table), 9))
    known = Identifiers.of(np.array([crowd.get(one, 1) for one in range(31)]))
    dealt = seen.only(kind == KIND_CODES["counterparty"])
    norms = linking.profile_norms(dealt, known, 3000, 2, RULES)
    pairs = linking.expand_pairs(linking.sort_sightings(seen))
    return float(combining.combine(pairs, known, norms, 3000, RULES).probability[0])


@pytest.mark.django_db
def test_the_command_learns_from_verdicts_and_takes_it_back(capsys, monkeypatch):
    monkeypatch.setattr("riskops.links.learning.LEAST_PAIRS", 10)
    build = Builder(3)
    build.people(60)
    ring = build.ring(6, how="rotating")
    build.done()
    detect_all()
    with pytest.raises(CommandError):
        call_command("calibrate_links")
    pairs = RelatedAccount.objects.filter(low_id__in=ring, high_id__in=ring)
    before = pairs.first().probability
    assert pairs.update(status=LinkStatus.DISMISSED, decided_at=timezone.now()) == 15
    call_command("calibrate_links")
    assert "learnt from 15 judged pairs (device 15)" in capsys.readouterr().out
    assert LinkCalibration.objects.get(is_active=True).pairs == {"device": 15}
    detect_all()
    assert pairs.first().probability < before - 0.2
    assert AuditEntry.objects.filter(action="riskops.link_calibration.learnt").exists()
    call_command("calibrate_links", "--reset")
    detect_all()
    assert pairs.first().probability == before
