"""The desks' figures over time equal a recount of raw rows, in any zone, with no bucket missing."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace.models import Order
from marketplace.tests import factories as shop
from messaging.models import Message
from messaging.tests.factories import send
from support.models import Ticket
from support.tests.factories import make_ticket
from systemadmin.services.statistics import Span, forget_statistics, statistics
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

# Figure, its section, the model with the moment that it counts by.
FIGURES = [
    ("tickets_opened", "overview", Ticket, "created_at"),
    ("tickets_resolved", "overview", Ticket, "resolved_at"),
    ("messages_sent", "overview", Message, "created_at"),
    ("orders_paid", "transactions", Order, "paid_at"),
]
START, END = datetime(2026, 3, 25), datetime(2026, 4, 2)  # the clocks change on the 29th
MOMENTS = st.datetimes(
    min_value=START - timedelta(days=2), max_value=END + timedelta(days=2), timezones=st.just(UTC)
)


@pytest.fixture
def rows():
    """A few rows of each desk; when they happened is told by the test."""
    for _ in range(4):
        make_ticket()
        shop.paid()
    Ticket.objects.update(status="resolved", resolved_at=timezone.now())
    reader = UserFactory()
    for writer in UserFactory.create_batch(4):
        send(writer, reader)


def raw_moments(model, field):
    """What the table holds, past the ORM's own time zones."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {field} FROM {model._meta.db_table} WHERE {field} IS NOT NULL")
        found = [row[0] for row in cursor.fetchall()]
    return [
        (datetime.fromisoformat(one) if isinstance(one, str) else one.astimezone(UTC)).replace(
            tzinfo=UTC
        )
        for one in found
    ]


def label(day: date, granularity):
    if granularity == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if granularity == "month" else day


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.data(),
    zone=st.sampled_from(["UTC", "Europe/Madrid", "America/Bogota", "Pacific/Apia"]),
    granularity=st.sampled_from(["day", "week", "month"]),
)
def test_every_series_equals_a_recount(rows, data, zone, granularity):
    for _code, _section, model, field in FIGURES:
        for pk in model.objects.values_list("pk", flat=True):
            model.objects.filter(pk=pk).update(**{field: data.draw(MOMENTS)})
    tz = ZoneInfo(zone)
    start, end = START.replace(tzinfo=tz), END.replace(tzinfo=tz)
    forget_statistics()
    span = Span(start, end, granularity, tz)
    answers = {section: statistics(section, span) for section in ("overview", "transactions")}
    days = [(START + timedelta(days=number)).date() for number in range((END - START).days)]
    wanted_labels = sorted({label(day, granularity) for day in days})
    for code, section, model, field in FIGURES:
        figure = next(one for one in answers[section]["figures"] if one["code"] == code)
        inside = [one for one in raw_moments(model, field) if start <= one < end]
        counted = Counter(label(one.astimezone(tz).date(), granularity) for one in inside)
        assert figure["value"] == len(inside), code
        series = {
            datetime.fromisoformat(point["at"]).astimezone(tz).date(): point["value"]
            for point in figure["series"]
        }
        assert sorted(series) == wanted_labels, f"{code}: no bucket is missing"
        assert series == {one: counted[one] for one in wanted_labels}, code
    forget_statistics()
