"""Batches that arrive at the same time: nobody waits in a circle, nothing is lost."""

import pytest

from riskops.account_sets import Accounts
from riskops.ingest.rebuild import rebuild_facts, rebuild_identifiers
from riskops.models import AccountEvent, AccountFacts, Identifier, PendingScore
from riskops.models.scores import Cause
from riskops.scores.recompute import start_run, work_on
from riskops.services import record_events
from riskops.tests.factories import event
from systemadmin.foundation.testing import run_threads
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

THREADS = 4
BATCHES = 5


def batch(people, number, own):
    """Overlapping accounts, addresses and wallets; in another order for every thread."""
    step = 1 if number % 2 else -1
    return [
        event(
            person,
            "transfer",
            external_id=f"{own}-{i}",
            ip=f"10.0.0.{i % 7}",
            device=f"d{i % 5}",
            wallet=f"w{i % 6}",
            counterparty_wallet=f"w{(i + 3) % 6}",
        )
        for i, person in enumerate(people[::step] * 3)
    ]


def test_parallel_batches_and_a_recompute_agree_in_the_end():
    people = [UserFactory() for _ in range(12)]
    run = start_run(cause=Cause.SCHEDULE, chunk_size=3)

    def work(number):
        if number == THREADS:
            return work_on(run)
        for round_ in range(BATCHES):
            # The last batch is sent by all: it must count once.
            own = "same" if round_ == BATCHES - 1 else f"{number}-{round_}"
            record_events(batch(people, number, own), source="test")
        return True

    assert run_threads(work, THREADS + 1) == [True] * (THREADS + 1)
    batches = THREADS * (BATCHES - 1) + 1
    assert AccountEvent.objects.count() == batches * 36
    assert set(AccountFacts.objects.values_list("transfers", flat=True)) == {batches * 3}
    assert rebuild_facts(Accounts(1, 2**62)) == 0
    assert rebuild_identifiers() == 0
    assert Identifier.objects.filter(kind="wallet").count() == 6
    assert PendingScore.objects.exists()
