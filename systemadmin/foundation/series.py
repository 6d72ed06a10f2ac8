"""Figures over time: spans, buckets in a time zone, counts and sums by bucket.

A bucket is a calendar day, week (from Monday) or month of the chosen zone, so a day on
which the clock changes has 23 or 25 hours and still is one bucket.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Trunc

GRANULARITIES = ("day", "week", "month")


def bucket_of(moment: datetime, granularity: str, tz: tzinfo) -> datetime:
    """Return the start of the bucket that holds the moment."""
    local = moment.astimezone(tz).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if granularity == "week":
        local -= timedelta(days=local.weekday())
    if granularity == "month":
        local = local.replace(day=1)
    return local


def following(bucket: datetime, granularity: str) -> datetime:
    """Return the start of the next bucket (local calendar arithmetic)."""
    if granularity == "month":
        return (bucket.replace(day=28) + timedelta(days=4)).replace(day=1)
    return bucket + timedelta(days=7 if granularity == "week" else 1)


def buckets(start: datetime, end: datetime, granularity: str, tz: tzinfo) -> Iterator[datetime]:
    """Yield the starts of all buckets that overlap [start, end)."""
    bucket = bucket_of(start, granularity, tz)
    while bucket < end:
        yield bucket
        bucket = following(bucket, granularity)


def between(queryset: QuerySet, field: str, start: datetime, end: datetime) -> QuerySet:
    """Return the rows whose `field` is from `start` to before `end`."""
    return queryset.filter(**{f"{field}__gte": start, f"{field}__lt": end})


def per_bucket(
    queryset: QuerySet,
    field: str,
    start: datetime,
    end: datetime,
    granularity: str,
    tz: tzinfo,
    total: str = "",
) -> list[tuple[datetime, Any]]:
    """Return [(bucket start, count or sum of `total`)], empty buckets as 0."""
    figure = Sum(total) if total else Count("pk")
    found = dict(
        between(queryset, field, start, end)
        .annotate(bucket=Trunc(field, granularity, tzinfo=tz))
        .values_list("bucket")
        .annotate(figure=figure)
        .order_by("bucket")
    )
    return [(bucket, found.get(bucket) or 0) for bucket in buckets(start, end, granularity, tz)]
