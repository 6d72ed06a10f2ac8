"""Figures: equal to a recount, correct at day bounds, and one failing hides no other."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from systemadmin.foundation import plugins
from systemadmin.foundation.series import buckets, following
from systemadmin.foundation.testing import problem
from systemadmin.models import User
from systemadmin.services import statistics as service
from systemadmin.services.statistics import Span, forget_statistics
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
URL = "/api/admin/stats"


@pytest.fixture(autouse=True)
def fresh_figures():
    forget_statistics()
    yield
    forget_statistics()


@pytest.fixture
def auditor(as_user, staff):
    return as_user(staff("auditor"))


def figure(answer, code):
    return next(item for item in answer["figures"] if item["code"] == code)


MOMENTS = st.datetimes(
    min_value=datetime(2026, 3, 20), max_value=datetime(2026, 4, 5), timezones=st.just(UTC)
)


@settings(max_examples=25, deadline=None)
@given(
    moments=st.lists(MOMENTS, max_size=12),
    zone=st.sampled_from(["UTC", "Europe/Madrid", "America/Bogota", "Pacific/Apia"]),
    granularity=st.sampled_from(["day", "week", "month"]),
)
def test_series_equal_a_recount_in_plain_python(moments, zone, granularity):
    User.objects.all().delete()
    for moment in moments:
        UserFactory(date_joined=moment)
    tz = ZoneInfo(zone)
    start, end = datetime(2026, 3, 25, tzinfo=tz), datetime(2026, 4, 2, tzinfo=tz)
    forget_statistics()
    answer = service.statistics("users", Span(start, end, granularity, tz))
    joined = figure(answer, "joined")
    inside = [moment for moment in moments if start <= moment < end]
    assert joined["value"] == len(inside)

    def bucket(moment):
        local = moment.astimezone(tz).date()
        if granularity == "week":
            return local - timedelta(days=local.weekday())
        return local.replace(day=1) if granularity == "month" else local

    expected = Counter(bucket(moment) for moment in inside)
    got = {datetime.fromisoformat(p["at"]).date(): p["value"] for p in joined["series"]}
    assert {day: count for day, count in got.items() if count} == dict(expected)


def test_a_day_on_which_the_clock_changes_is_one_bucket():
    tz = ZoneInfo("Europe/Madrid")
    days = list(
        buckets(datetime(2026, 3, 28, tzinfo=tz), datetime(2026, 3, 31, tzinfo=tz), "day", tz)
    )
    assert [day.day for day in days] == [28, 29, 30]
    assert following(days[1], "day").utcoffset() == timedelta(hours=2)


def test_the_period_before_and_the_change(auditor):
    now = datetime.now(UTC)
    UserFactory.create_batch(2, date_joined=now - timedelta(days=40))
    UserFactory.create_batch(3, date_joined=now - timedelta(days=5))
    joined = figure(auditor.get(f"{URL}/users").json(), "joined")
    assert (joined["value"], joined["previous"], joined["change_percent"]) == (3, 2, 50.0)
    assert sum(point["value"] for point in joined["series"]) == 3


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("granularity=hour", "granularity"),
        ("timezone=Mars/Olympus", "timezone"),
        ("from=soon", "from"),
        ("from=2026-01-02&to=2026-01-01", "from"),
        ("from=2001-01-01&to=2026-01-01", "from"),
        ("to=0001-01-01", "to"),
        ("frm=2026-01-01", "frm"),
    ],
)
def test_wrong_parameters_are_named(auditor, query, field):
    problem(auditor.get(f"{URL}/overview?{query}"), 400, field=field)


def test_one_failing_figure_hides_no_other(auditor, monkeypatch):
    def broken(start, end):
        raise RuntimeError("no")

    bad = plugins.Stat(code="bad", title="Bad", section="users", compute=broken)
    real = service.collect
    monkeypatch.setattr(service, "collect", lambda *names: [bad, *real(*names)])
    answer = auditor.get(f"{URL}/users").json()
    assert figure(answer, "bad")["error"] == "unavailable"
    assert figure(answer, "joined")["value"] == 0


def test_every_section_answers(auditor):
    for section in ("overview", "users", "transactions"):
        answer = auditor.get(f"{URL}/{section}?granularity=week&timezone=Europe/Madrid").json()
        assert answer["section"] == section
        assert not [item for item in answer["figures"] if "error" in item]


def test_how_things_stand_now_has_nothing_before(as_user, superuser):
    client = as_user(superuser)
    figures = client.get("/api/admin/stats/overview").json()["figures"]
    (high,) = [one for one in figures if one["code"] == "high_risk_accounts"]
    assert (high["previous"], high["change_percent"]) == (None, None)
