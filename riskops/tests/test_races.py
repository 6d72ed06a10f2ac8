"""Two at once: analysts who resolve, workers who detect. On PostgreSQL, with real threads."""

from datetime import timedelta

import pytest
from django.db import transaction

from riskops.anomalies import detection
from riskops.anomalies.detection import detect_history, detect_new
from riskops.anomalies.handling import resolve_anomaly, ship_default_rules
from riskops.errors import AlreadyJudged, AnomalyAlreadyResolved
from riskops.links.clusters import rebuild_clusters
from riskops.links.detect import detect_all, detect_touched
from riskops.links.verdicts import confirm_related
from riskops.models import Anomaly, AnomalyHit, RelatedAccount
from riskops.tests.factories import event, record
from riskops.tests.worlds import Builder
from systemadmin.foundation.testing import run_threads
from systemadmin.tests.factories import StaffFactory, UserFactory


def hits():
    return sorted(AnomalyHit.objects.values_list("rule__code", "account", "key", "anomaly__hits"))


def many_bursts(people=8):
    for _ in range(people):
        user = UserFactory()
        for hour in (3, 6, 9):
            record(
                *(
                    event(user, "transfer", ago=timedelta(hours=hour, seconds=20 * i))
                    for i in range(10)
                )
            )


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_analysts_one_wins():
    ship_default_rules()
    many_bursts(1)
    detect_new()
    anomaly = Anomaly.objects.get()
    analysts = [StaffFactory() for _ in range(4)]
    outcomes = run_threads(
        lambda i: resolve_anomaly(actor=analysts[i], anomaly=anomaly, outcome="confirmed"), 4
    )
    refused = [o for o in outcomes if isinstance(o, AnomalyAlreadyResolved)]
    assert len(refused) == 3, outcomes


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_workers_who_detect_at_once_yield_the_same_rows():
    ship_default_rules()
    many_bursts()
    outcomes = run_threads(lambda _: detect_history(), 3)
    assert not [o for o in outcomes if isinstance(o, Exception)], outcomes
    assert Anomaly.objects.count() == 8
    assert set(Anomaly.objects.values_list("hits", flat=True)) == {3}
    assert AnomalyHit.objects.count() == 24
    before = hits()
    detect_history()
    assert hits() == before


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_two_verdicts_at_once_one_counts():
    build = Builder(3)
    build.people(40)
    ring = sorted(build.ring(2))
    build.done()
    detect_all()
    pair = RelatedAccount.objects.get(low_id=ring[0], high_id=ring[1])
    analysts = [StaffFactory() for _ in range(3)]
    outcomes = run_threads(lambda i: confirm_related(actor=analysts[i], pair=pair), 3)
    assert len([o for o in outcomes if isinstance(o, AlreadyJudged)]) == 2, outcomes


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_workers_who_link_at_once_find_the_same_pairs():
    build = Builder(3)
    build.people(40)
    build.ring(4)
    build.done()
    outcomes = run_threads(lambda _: (detect_touched(), rebuild_clusters()), 3)
    assert not [o for o in outcomes if isinstance(o, Exception)], outcomes
    found = list(RelatedAccount.objects.order_by("low_id", "high_id").values_list("low", "high"))
    RelatedAccount.objects.all().delete()
    detect_all()
    again = list(RelatedAccount.objects.order_by("low_id", "high_id").values_list("low", "high"))
    assert found == again


class KilledError(BaseException):
    """Stands for kill -9."""


@pytest.mark.django_db
def test_a_killed_detection_ends_with_the_same_rows(monkeypatch):
    ship_default_rules()
    many_bursts(4)
    for at in range(1, 6):
        calls = iter(range(1, 100))
        write = detection.write_hits

        def dying(rule, found, at=at, calls=calls, write=write):
            if next(calls) == at:
                with transaction.atomic():
                    write(rule, found)
                    raise KilledError
            return write(rule, found)

        monkeypatch.setattr(detection, "write_hits", dying)
        with pytest.raises(KilledError), transaction.atomic():
            detect_new()
        monkeypatch.undo()
    detect_new()
    survived = hits()
    Anomaly.objects.all().delete()
    detect_history()
    assert survived == hits()
    assert len(survived) == 12
