"""One account or everyone, kept or rebuilt, at once or in pieces: always the same score."""

import random

import numpy as np
import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from riskops.account_sets import Accounts
from riskops.ingest.rebuild import rebuild_facts, rebuild_identifiers
from riskops.integrity import check_facts
from riskops.models import (
    AccountCountry,
    AccountFacts,
    Dealing,
    Identifier,
    PendingScore,
    RiskScore,
    RiskScoreHistory,
    Sighting,
)
from riskops.models.scores import Cause
from riskops.scores.calculate import calculate_score
from riskops.scores.facts import read_dossier
from riskops.scores.recompute import recompute_touched, start_run, work_on
from riskops.scores.replay import fresh_scores
from riskops.scores.rules import Ruleset
from riskops.scores.rulesets import current_ruleset, draft_ruleset, publish_ruleset
from riskops.services import record_events
from riskops.tests.factories import NOW
from riskops.tests.histories import history
from systemadmin.models import User
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

EVERYONE = Accounts(1, 2**62)
SCORED = ("raw", "computed", "standing", "score", "level", "breakdown", "fingerprint", "changes_at")
KEPT = (AccountFacts, Sighting, Dealing, AccountCountry)

examples = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


class Undo(Exception):
    """Ends an example without leaving anything behind."""


def isolated(test):
    """Runs each example in a transaction that is rolled back."""

    def run(seed):
        try:
            with transaction.atomic():
                test(random.Random(seed))
                raise Undo
        except Undo:
            pass

    run.__name__ = test.__name__
    return examples(given(seed=st.integers(0, 10**9))(run))


def world(rng):
    """Some accounts with a past, taken in in batches; risky countries in the rules."""
    accounts = [UserFactory(date_joined=NOW) for _ in range(rng.randrange(2, 8))]
    events = history(rng, accounts, rng.randrange(5, 160))
    step = rng.choice((1, 7, 50, 500)) if len(events) < 40 else 50
    for start in range(0, len(events), step):
        assert not record_events(events[start : start + step], source="test").refused
    Identifier.objects.filter(value__endswith=".1").update(listing="vpn")
    draft = draft_ruleset(actor=None, definition={"high_risk_countries": ["KP"], "cool_down": 0})
    publish_ruleset(actor=None, ruleset=draft)
    return accounts


def scores():
    return list(RiskScore.objects.order_by("pk").values("account_id", *SCORED))


def kept():
    rows = {model: list(model.objects.order_by("pk").values()) for model in KEPT}
    for table in rows.values():
        for row in table:
            row.pop("id", None)
        table.sort(key=repr)
    rows[Identifier] = list(
        Identifier.objects.order_by("kind", "value").values(
            "kind", "value", "accounts", "dealers", "first_seen", "last_seen"
        )
    )
    return rows


@isolated
def test_the_single_calculation_equals_the_bulk_one(rng):
    accounts = world(rng)
    for account in accounts:
        calculate_score(account=account, at=NOW)
    single = scores()
    RiskScoreHistory.objects.all().delete()
    RiskScore.objects.all().delete()
    work_on(start_run(cause=Cause.SCHEDULE, at=NOW, chunk_size=rng.randrange(1, 9)))
    assert scores() == single
    assert len(single) == len(accounts)


@isolated
def test_the_touched_ones_are_enough(rng):
    world(rng)
    recompute_touched(at=NOW)
    touched = scores()
    assert not PendingScore.objects.exists()
    work_on(start_run(cause=Cause.SCHEDULE, at=NOW))
    with_events = set(AccountFacts.objects.values_list("pk", flat=True))
    assert [row for row in scores() if row["account_id"] in with_events] == touched


@isolated
def test_maintained_facts_equal_rebuilt_ones(rng):
    world(rng)
    before = kept()
    assert rebuild_facts(EVERYONE) == 0
    assert rebuild_identifiers() == 0
    assert kept() == before
    assert check_facts() == []
    AccountFacts.objects.update(logins=99, verified_at=None)
    number = AccountFacts.objects.count()
    assert check_facts() == [
        f"the facts of {number} accounts differ from the event log: recompute_risk --rebuild"
    ]
    Sighting.objects.update(hits=1000)
    AccountCountry.objects.all().delete()
    Identifier.objects.update(accounts=77, dealers=5)
    Dealing.objects.update(hits=9)
    rebuild_facts(EVERYONE)
    rebuild_identifiers()
    assert kept() == before


@isolated
def test_the_log_gives_the_same_score_as_the_facts(rng):
    world(rng)
    rules = current_ruleset().rules
    from_facts = fresh_scores(EVERYONE, rules, at=NOW)
    from_log = fresh_scores(EVERYONE, rules, at=NOW, from_log=True)
    known = np.isin(from_facts.account, from_log.account)
    assert (from_facts.account[known] == from_log.account).all()
    assert (from_facts.points.given[known] == from_log.points.given).all()
    assert (from_facts.fingerprint[known] == from_log.fingerprint).all()


@isolated
def test_a_stored_breakdown_sums_to_raw(rng):
    world(rng)
    recompute_touched(at=NOW)
    for score in RiskScore.objects.all():
        assert sum(line[1] for line in score.breakdown) == score.raw
        assert score.computed == min(max(score.raw, 0), 100)


@isolated
def test_listed_accounts_are_read_alone(rng):
    accounts = world(rng)
    chosen = [account.pk for account in accounts[::2]]
    dossier = read_dossier(Accounts.listed(chosen), Ruleset(), at=NOW)
    assert dossier.facts.account.tolist() == sorted(chosen)
    assert User.objects.count() >= len(chosen)
