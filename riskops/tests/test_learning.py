"""Points learned from outcomes: monotone, explained as rows, judged on accounts kept apart."""

import io
import re
from datetime import timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from riskops.models import RiskRuleset
from riskops.scores.calculate import calculate_score
from riskops.scores.factors import Factor
from riskops.scores.learning import cut_points, fit_logistic, learn, monotone, ranking_quality
from riskops.scores.rulesets import publish_ruleset
from riskops.tests.factories import NOW, event, record
from systemadmin.models import AuditEntry, User

pytestmark = pytest.mark.django_db

SOME = st.lists(st.tuples(st.floats(-9, 9), st.integers(1, 50)), min_size=1, max_size=8)


@given(SOME)
def test_a_monotone_sequence_is_no_further_than_any_constant(pairs):
    values, weights = np.array([p[0] for p in pairs]), np.array([float(p[1]) for p in pairs])
    smooth = monotone(values, weights)
    steps = np.diff(smooth)
    assert (steps >= -1e-9).all() or (steps <= 1e-9).all()
    constant = np.average(values, weights=weights)
    assert (weights * (values - smooth) ** 2).sum() <= (
        weights * (values - constant) ** 2
    ).sum() + 1e-6


@given(SOME)
def test_a_sequence_that_is_monotone_stays_as_it_is(pairs):
    values = np.sort(np.array([p[0] for p in pairs]))
    weights = np.array([float(p[1]) for p in pairs])
    assert np.allclose(monotone(values, weights), values)
    assert np.allclose(monotone(values[::-1], weights), values[::-1])


def test_the_fit_finds_the_odds_that_made_the_data():
    rng = np.random.default_rng(3)
    design = (rng.random((40_000, 2)) < 0.3).astype(float)
    odds = -2 + 1.5 * design[:, 0] + 0.7 * design[:, 1]
    fraud = rng.random(40_000) < 1 / (1 + np.exp(-odds))
    weights, intercept = fit_logistic(design, fraud)
    assert np.abs(weights - [1.5, 0.7]).max() < 0.1
    assert abs(intercept + 2) < 0.1


def test_factors_that_say_the_same_share_their_points():
    rng = np.random.default_rng(4)
    fraud = rng.random(6_000) < 0.2
    seen = np.where(fraud, rng.random(6_000) < 0.7, rng.random(6_000) < 0.05).astype(np.int64)
    factors = [Factor(code, "sharing", 10) for code in ("one", "two")]
    alone = learn(seen[:, None], fraud, factors[:1], [0], 60).factors[0].steps[0][1]
    both = learn(np.column_stack([seen, seen]), fraud, factors, [0, 1], 60).factors
    assert abs(sum(one.steps[0][1] for one in both) - alone) <= 3
    assert alone > 20


def test_trust_never_gives_points_and_suspicion_never_takes_them():
    rng = np.random.default_rng(5)
    fraud = rng.random(6_000) < 0.2
    seen = np.where(fraud, rng.random(6_000) < 0.7, rng.random(6_000) < 0.05).astype(np.int64)
    counts = np.column_stack([seen, 1 - seen])
    factors = [Factor("old", "trust", -5), Factor("odd", "velocity", 5)]
    for one in learn(counts, fraud, factors, [0, 1], 60).factors:
        assert one.steps == ((1, 0),)


def test_steps_begin_where_the_share_of_fraud_changes():
    rng = np.random.default_rng(6)
    counts = rng.integers(0, 1_000, 20_000)
    fraud = rng.random(20_000) < np.where((counts > 0) & (counts <= 60), 0.9, 0.05)
    factor = Factor("soon", "velocity", 0, mode="steps", steps=((61, 0),))
    assert cut_points(counts, fraud, factor) == [1, 61]


def test_the_quality_of_a_ranking_knows_ties():
    fraud = np.array([True, False, True, False])
    assert ranking_quality(np.array([4, 3, 2, 1]), fraud) == (0.75, pytest.approx(5 / 6))
    assert ranking_quality(np.array([1, 1, 1, 1]), fraud) == (0.5, 0.5)


# -- through the front doors -------------------------------------------------------------


@pytest.fixture
def judged():
    """Fraud buys within seconds of signing up, on shared devices; others do not."""
    names = [f"j{n}" for n in range(420)]
    User.objects.bulk_create([User(username=n, date_joined=NOW - timedelta(9)) for n in names])
    people = list(User.objects.filter(username__in=names).order_by("pk"))
    events = []
    for number, person in enumerate(people):
        # One in three, but not every third: those may all be kept apart, by their keys.
        fraud = number % 3 == number // 3 % 3
        odd = number % 10 == 0  # as many of either kind look like the other
        quick = fraud != odd
        begun, device = NOW - timedelta(days=5), f"d{number // 6}" if quick else f"own{number}"
        bought = begun + (timedelta(seconds=5) if quick else timedelta(days=2))
        verdict = "confirmed_fraud" if fraud else "confirmed_legitimate"
        events += [
            event(person, "account_created", occurred_at=begun, device=device),
            event(person, "purchase", occurred_at=bought, device=device),
            event(person, verdict),
        ]
    record(*events)
    return people


def run(*arguments):
    out = io.StringIO()
    call_command("learn_rules", *arguments, stdout=out)
    return out.getvalue()


def test_too_few_outcomes_are_refused(member):
    record(event(member, "confirmed_fraud"))
    with pytest.raises(CommandError, match="100 outcomes") as refused:
        run()
    assert refused.value.returncode == 2
    assert not RiskRuleset.objects.drafts().exists()


def test_the_command_drafts_rows_with_points(judged):
    told = run("--dry-run")
    apart = re.search(r"420 accounts with an outcome, 140 of them fraud; (\d+) kept apart", told)
    assert apart is not None, told
    assert 105 < int(apart[1]) < 175
    assert not RiskRuleset.objects.drafts().exists()
    out = run("--note", "spring")
    draft = RiskRuleset.objects.drafts().get()
    assert (draft.note, f"Draft {draft.pk} saved." in out) == ("spring", True)
    learned = draft.rules.factor("quick_purchase")
    assert learned.steps[0][1] > 20
    assert draft.rules.factor("confirmed_fraud").points == 180
    assert draft.rules.factor("suspected_fraud_link").mode == "each"
    publish_ruleset(actor=None, ruleset=draft)
    score = calculate_score(account=judged[1], at=NOW)
    assert sum(line[1] for line in score.breakdown) == score.raw


def test_an_analyst_drafts_learned_rules_on_the_calibration_page(judged, staff, admin_client_for):
    url = reverse("admin:riskops_calibration")
    analyst = staff("risk_analyst")
    browser = admin_client_for(analyst)
    assert "Draft learned points" in browser.get(url).content.decode()
    answer = browser.post(url, {"learn": "1"}, follow=True)
    draft = RiskRuleset.objects.drafts().get()
    assert draft.created_by == analyst
    assert "420" in answer.content.decode()
    assert AuditEntry.objects.filter(action="riskops.ruleset.drafted", actor=analyst).exists()
    looker = admin_client_for(staff("auditor"))
    assert "Draft learned points" not in looker.get(url).content.decode()
    assert looker.post(url, {"learn": "1"}).status_code == 403
    assert RiskRuleset.objects.drafts().count() == 1


def test_too_few_outcomes_are_said_on_the_page(staff, admin_client_for):
    browser = admin_client_for(staff("risk_analyst"))
    page = browser.post(reverse("admin:riskops_calibration"), {"learn": "1"}).content.decode()
    assert "100 outcomes" in page
