"""The desks' figures over time equal a recount of raw rows, in any zone, with no bucket missing."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from marketplace import services as marketplace
from marketplace.models import Dispute, Order, Refund
from marketplace.tests import factories as shop
from messaging.models import Message
from messaging.tests.factories import send
from riskops.models import AccountEvent, Anomaly, AnomalyRule
from support.models import Ticket
from support.tests.factories import make_ticket
from systemadmin.models import User
from systemadmin.services.statistics import Span, forget_statistics, statistics
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

# Figure, its section, the model with the moment that it counts by.
FIGURES = [
    ("members_joined", "overview", User, "date_joined"),
    ("tickets_opened", "overview", Ticket, "created_at"),
    ("tickets_resolved", "overview", Ticket, "resolved_at"),
    ("messages_sent", "overview", Message, "created_at"),
    ("anomalies_found", "overview", Anomaly, "detected_at"),
    ("orders_paid", "transactions", Order, "paid_at"),
    ("refunds", "transactions", Refund, "created_at"),
    ("disputes", "transactions", Dispute, "created_at"),
]
HAS_SERIES = {code for code, *_ in FIGURES} - {"refunds", "disputes"}
# Totals and breakdowns: figure, its section, and what to ask the tables. {t} is a span of time.
SQL = [
    ("members", "users", "SELECT count(*) FROM {User} WHERE NOT is_staff AND date_joined < {end}"),
    (
        "by_country",
        "users",
        "SELECT CASE country WHEN '' THEN '??' ELSE country END, count(*) FROM {User}"
        " WHERE NOT is_staff AND date_joined < {end} GROUP BY 1",
    ),
    (
        "accounts_with_events",
        "users",
        "SELECT count(DISTINCT account_id) FROM {AccountEvent} WHERE occurred_at {t}",
    ),
    (
        "turnover",
        "transactions",
        "SELECT currency, sum(total) FROM {Order} WHERE paid_at {t} GROUP BY 1",
    ),
    (
        "refunded",
        "transactions",
        "SELECT o.currency, sum(r.amount) FROM {Refund} r JOIN {Order} o ON o.id = r.order_id"
        " WHERE r.created_at {t} GROUP BY 1",
    ),
    (
        "orders_by_status",
        "transactions",
        "SELECT status, count(*) FROM {Order} WHERE paid_at {t} GROUP BY 1",
    ),
    ("buyers", "users", "SELECT count(DISTINCT buyer_id) FROM {Order} WHERE paid_at {t}"),
    (
        "tickets_by_status",
        "overview",
        "SELECT status, count(*) FROM {Ticket} WHERE created_at {t} GROUP BY 1",
    ),
    (
        "message_writers",
        "users",
        "SELECT count(DISTINCT sender_id) FROM {Message} WHERE created_at {t}",
    ),
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
    for amount in (300, 500):
        refunded = shop.completed()
        marketplace.refund_order(actor=shop.root(), order=refunded, amount=amount, reason="worn")
        marketplace.open_dispute(
            actor=refunded.buyer, order=shop.paid(), reason="not_received", body="?"
        )
    reader = UserFactory(country="ES")
    rules = list(AnomalyRule.objects.all()[:4])
    for writer, rule in zip(UserFactory.create_batch(4), rules, strict=True):
        send(writer, reader)
        now = timezone.now()
        Anomaly.objects.create(
            rule=rule, account=writer, severity="low", first_hit_at=now, last_hit_at=now
        )


def raw_moments(model, field):
    """What the table holds, past the ORM's own time zones."""
    with connection.cursor() as cursor:
        condition = "NOT is_staff" if model is User else f"{field} IS NOT NULL"
        cursor.execute(f"SELECT {field} FROM {model._meta.db_table} WHERE {condition}")
        found = [row[0] for row in cursor.fetchall()]
    return [
        (datetime.fromisoformat(one) if isinstance(one, str) else one.astimezone(UTC)).replace(
            tzinfo=UTC
        )
        for one in found
    ]


def ask(query, start, end):
    """A number, or for rows of two columns a breakdown, from the tables themselves."""
    models = (User, Order, Refund, Ticket, Message, AccountEvent)
    names = {model.__name__: model._meta.db_table for model in models}
    first, last, end = (
        f"'{connection.ops.adapt_datetimefield_value(one)}'"
        for one in (start, end - timedelta(microseconds=1), end)
    )
    with connection.cursor() as cursor:
        cursor.execute(query.format(**names, end=end, t=f"BETWEEN {first} AND {last}"))
        found = cursor.fetchall()
    if len(found[0]) == 1 if found else False:
        return found[0][0]
    return dict(found)


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
    for _code, _section, model, field in [*FIGURES, ("", "", AccountEvent, "occurred_at")]:
        for pk in model.objects.values_list("pk", flat=True):
            model.objects.filter(pk=pk).update(**{field: data.draw(MOMENTS)})
    tz = ZoneInfo(zone)
    start, end = START.replace(tzinfo=tz), END.replace(tzinfo=tz)
    forget_statistics()
    span = Span(start, end, granularity, tz)
    figures = {
        (section, figure["code"]): figure
        for section in ("overview", "users", "transactions")
        for figure in statistics(section, span)["figures"]
    }
    days = [(START + timedelta(days=number)).date() for number in range((END - START).days)]
    wanted_labels = sorted({label(day, granularity) for day in days})
    for code, section, model, field in FIGURES:
        figure = figures[section, code]
        inside = [one for one in raw_moments(model, field) if start <= one < end]
        counted = Counter(label(one.astimezone(tz).date(), granularity) for one in inside)
        assert figure["value"] == len(inside), code
        if code not in HAS_SERIES:
            continue
        series = {
            datetime.fromisoformat(point["at"]).astimezone(tz).date(): point["value"]
            for point in figure["series"]
        }
        assert sorted(series) == wanted_labels, f"{code}: no bucket is missing"
        assert series == {one: counted[one] for one in wanted_labels}, code
    for code, section, query in SQL:
        assert figures[section, code]["value"] == ask(query, start, end), code
    forget_statistics()
