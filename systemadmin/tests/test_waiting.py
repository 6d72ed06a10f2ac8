"""What waits at each desk: on the rail, on the home page, counted once for all who look."""

import pytest
from django.core.cache import cache
from django.utils import timezone

from systemadmin.desk_counts import by_desk, waiting_for
from systemadmin.foundation.plugins import collect
from systemadmin.foundation.waiting import count_up_to, shown_count
from systemadmin.models import Alert, User
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(staff):
    return staff("operator")


def alert(key="", severity="warning"):
    return Alert.objects.create(
        rule="test", key=key, severity=severity, summary="Disk full", last_seen_at=timezone.now()
    )


def test_the_rail_says_how_much_waits_and_that_some_is_urgent(operator, admin_client_for):
    browser = admin_client_for(operator)
    before = browser.get("/admin/waiting/").content.decode()
    assert 'id="waits-system"' in before
    assert "at-desk-n" not in before
    alert()
    cache.clear()
    after = browser.get("/admin/waiting/").content.decode()
    assert "at-desk-n at-desk-n-bad" in after
    assert ">1<" in after


def test_only_desks_of_the_role_are_on_the_rail(staff, admin_client_for):
    page = admin_client_for(staff("support_agent")).get("/admin/").content.decode()
    assert "waits-support" in page
    assert "waits-system" not in page


def test_a_second_look_within_seconds_counts_nothing_anew(operator):
    alert()
    waiting_for(operator)
    asked = waiting_for(operator)
    alert("other")
    assert by_desk(waiting_for(operator)) == by_desk(asked)
    assert by_desk(waiting_for(operator, fresh=True))["system"].count == 2


def test_counting_stops_at_a_thousand():
    UserFactory.create_batch(3)
    assert count_up_to(User.objects.all(), 2) == 2
    assert shown_count(999) == "999"
    assert shown_count(1000) == "999+"


def test_every_list_has_a_code_of_its_own_and_a_desk():
    lists = collect("worklists", "WORKLISTS")
    assert len({one.code for one in lists}) == len(lists)
