"""The desk's figures for a spreadsheet."""

from collections.abc import Iterator
from typing import Any

from support.querysets.reports import Report, Row
from systemadmin.foundation.csv_export import csv_lines

MAX_DAYS = 366
COLUMNS = (
    "section",
    "name",
    "tickets",
    "first_response_median_s",
    "first_response_p90_s",
    "resolution_median_s",
    "resolution_p90_s",
    "breaches",
    "rating",
)


def csv_of(report: Report) -> str:
    """Return one table: a section, a name, and its figures in seconds."""
    return "".join(csv_lines(COLUMNS, _rows(report)))


def _rows(report: Report) -> Iterator[list[Any]]:
    total = Row("", report.speed, sum(report.breaches.values()), report.rating_average)
    for section, rows in (
        ("total", [total]),
        ("agent", report.agents),
        ("category", report.categories),
    ):
        for row in rows:
            yield [section, *_figures(row)]
    for section, days in (
        ("opened", report.opened_by_day),
        ("resolved", report.resolved_by_day),
    ):
        for day, count in days:
            yield [section, day, count, "", "", "", "", "", ""]


def _figures(row: Row) -> list[Any]:
    speed = row.speed
    figures = [
        speed.first_response_median,
        speed.first_response_p90,
        speed.resolution_median,
        speed.resolution_p90,
    ]
    rounded = ["" if value is None else round(value) for value in figures]
    rating = "" if row.rating is None else f"{row.rating:.2f}"
    return [row.name, speed.count, *rounded, row.breaches, rating]
