"""A configured cluster of workers that is silent is missed within two minutes."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from systemadmin.foundation.queue import LONG_CLUSTER, cluster_names
from systemadmin.models import Alert, Heartbeat
from systemadmin.services import clusters, system_status

pytestmark = pytest.mark.django_db


@pytest.fixture
def seen():
    """`seen(cluster)`: one sentinel of it gives a sign of life, by the test's clock."""

    def beat(*names):
        for name in names:
            clusters.beat(name, f"{name}-1", [101])
        # The database's own clock does not travel.
        own = Heartbeat.objects.filter(cluster__in=names)
        own.update(last_seen_at=timezone.now())

    return beat


@pytest.fixture
def shown(as_user, staff):
    """`shown()`: the clusters as the status page has them."""
    operator = as_user(staff("operator"))

    def read():
        system_status.forget_status()
        return operator.get("/api/admin/system/status").json()["queue"]["clusters"]

    yield read
    system_status.forget_status()


def alerts():
    return list(Alert.objects.filter(rule=clusters.RULE).values_list("key", "severity", "status"))


def test_a_silent_cluster_raises_an_alert_within_two_minutes_until_it_is_back(seen, shown):
    began, first = timezone.now(), cluster_names()[0]
    assert LONG_CLUSTER in cluster_names()
    with time_machine.travel(began, tick=False):
        seen(first, LONG_CLUSTER)
        assert clusters.watch() == []

    with time_machine.travel(began + timedelta(minutes=2), tick=False):
        seen(first)
        assert clusters.watch() == [LONG_CLUSTER]
        assert clusters.watch() == [LONG_CLUSTER]
        assert alerts() == [(LONG_CLUSTER, "critical", "firing")], "once, however often it is seen"
        state = shown()
        assert (state[LONG_CLUSTER]["alive"], state[LONG_CLUSTER]["is_missing"]) == (0, True)
        assert state[LONG_CLUSTER]["last_seen_seconds"] == 120
        assert not state[first]["is_missing"]

        seen(LONG_CLUSTER)
        assert clusters.watch() == []
        assert alerts() == [(LONG_CLUSTER, "critical", "resolved")]
        assert not shown()[LONG_CLUSTER]["is_missing"]


def test_a_cluster_that_was_never_started_is_missed_once_others_run(seen):
    first, began = cluster_names()[0], timezone.now()
    with time_machine.travel(began, tick=False):
        assert clusters.watch() == [], "an installation that was never started misses nobody"
        seen(first)
        assert clusters.watch() == [], "each has a minute to start"
    with time_machine.travel(began + timedelta(minutes=2), tick=False):
        seen(first)
        assert clusters.watch() == [name for name in cluster_names() if name != first]
