"""Guilt travels through confirmed links to confirmed fraud, and leaves as it came."""

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from riskops.account_sets import Accounts
from riskops.links.verdicts import confirm_related, dismiss_related, reopen_related
from riskops.models import LinkStatus, PendingScore, RelatedAccount, RiskScore
from riskops.models.scores import Verdict
from riskops.scores.neighbours import fraud_neighbours
from riskops.scores.outcomes import record_outcome
from riskops.scores.recompute import recompute_touched
from riskops.tests.factories import event, record
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def link(a, b, probability=0.9, status=LinkStatus.CONFIRMED):
    low, high = sorted((a.pk, b.pk))
    return RelatedAccount.objects.create(
        low_id=low,
        high_id=high,
        probability=probability,
        strength=round(probability * 100),
        status=status,
        decided_at=timezone.now() if status != LinkStatus.SUSPECTED else None,
    )


def guilt(*accounts):
    found = fraud_neighbours(Accounts.listed([account.pk for account in accounts]))
    return dict(zip(found["account"].tolist(), found["fraud_permille"].tolist(), strict=True))


@pytest.fixture
def three():
    people = [UserFactory() for _ in range(3)]
    record(*(event(person) for person in people))
    return people


def test_guilt_takes_one_step_through_a_confirmed_link(three):
    a, b, c = three
    link(a, b, 0.93)
    link(b, c, 0.8)
    record_outcome(actor=None, account=a, verdict=Verdict.CONFIRMED_FRAUD)
    assert guilt(a, b, c) == {b.pk: 930}


def test_a_suspected_link_carries_no_guilt(three):
    a, b, _ = three
    link(a, b, status=LinkStatus.SUSPECTED)
    link(a, three[2], status=LinkStatus.DISMISSED)
    record_outcome(actor=None, account=a, verdict=Verdict.CONFIRMED_FRAUD)
    assert guilt(*three) == {}


def test_the_strongest_of_several_counts(three):
    a, b, c = three
    link(a, c, 0.6)
    link(b, c, 0.97)
    for fraud in (a, b):
        record_outcome(actor=None, account=fraud, verdict=Verdict.CONFIRMED_FRAUD)
    assert guilt(c) == {c.pk: 970}


def test_a_verdict_on_the_fraud_has_its_neighbours_scored_again(three):
    a, b, c = three
    link(a, b)
    PendingScore.objects.all().delete()
    record_outcome(actor=None, account=a, verdict=Verdict.CONFIRMED_FRAUD)
    assert set(PendingScore.objects.values_list("account_id", flat=True)) == {a.pk, b.pk}
    assert c.pk not in guilt(*three)


def computed():
    recompute_touched(cause="event")
    return dict(RiskScore.objects.values_list("account_id", "raw"))


@settings(max_examples=15, deadline=None)
@given(
    edges=st.sets(
        st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda e: e[0] < e[1]), max_size=8
    ),
    frauds=st.sets(st.integers(0, 5), max_size=3),
    victim=st.integers(0, 5),
)
def test_undoing_a_fraud_undoes_exactly_its_effect(edges, frauds, victim):
    from django.db import transaction

    with transaction.atomic():
        people = [UserFactory() for _ in range(6)]
        record(*(event(person) for person in people))
        for number, (i, j) in enumerate(sorted(edges)):
            link(people[i], people[j], 0.5 + 0.05 * number)
        for fraud in sorted(frauds - {victim}):
            record_outcome(actor=None, account=people[fraud], verdict=Verdict.CONFIRMED_FRAUD)
        before = computed()
        record_outcome(actor=None, account=people[victim], verdict=Verdict.CONFIRMED_FRAUD)
        computed()
        record_outcome(actor=None, account=people[victim], verdict=Verdict.FALSE_POSITIVE)
        after = computed()
        others = [person.pk for i, person in enumerate(people) if i != victim]
        assert {pk: after[pk] for pk in others} == {pk: before[pk] for pk in others}
        transaction.set_rollback(True)


def test_taking_back_the_link_takes_back_its_effect(three, staff):
    a, b, _ = three
    analyst = staff("risk_analyst")
    pair = link(a, b, 0.9, LinkStatus.SUSPECTED)
    record_outcome(actor=None, account=a, verdict=Verdict.CONFIRMED_FRAUD)
    before = computed()[b.pk]
    confirm_related(actor=analyst, pair=pair)
    # 18 points for the suspected link to fraud become 36; the link's strength counts as before.
    assert computed()[b.pk] == before + 18
    reopen_related(actor=analyst, pair=pair)
    assert computed()[b.pk] == before
    dismiss_related(actor=analyst, pair=pair)
    assert computed()[b.pk] == before - 28
