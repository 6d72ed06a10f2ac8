"""The desk's figures for a spreadsheet."""

import csv
import io
from typing import Any

from support.querysets.reports import Report, Row

MAX_DAYS = 366
# A spreadsheet runs what begins so; a quote in front makes it text.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_of(report: Report) -> str:
    """One table: a section, a name, and its figures in seconds."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(
        ["section", "name", "tickets", "first_response_median_s", "first_response_p90_s",
         "resolution_median_s", "resolution_p90_s", "breaches", "rating"]
    )  # fmt: skip
    total = Row("", report.speed, sum(report.breaches.values()), report.rating_average)
    for section, rows in (
        ("total", [total]),
        ("agent", report.agents),
        ("category", report.categories),
    ):
        for row in rows:
            writer.writerow([section, *_csv_row(row)])
    for section, days in (
        ("opened", report.opened_by_day),
        ("resolved", report.resolved_by_day),
    ):
        for day, count in days:
            writer.writerow([section, day.isoformat(), count, "", "", "", "", "", ""])
    return stream.getvalue()


def _csv_row(row: Row) -> list[Any]:
    name = f"'{row.name}" if row.name.startswith(FORMULA) else row.name
    speed = row.speed
    figures = [
        speed.first_response_median,
        speed.first_response_p90,
        speed.resolution_median,
        speed.resolution_p90,
    ]
    rounded = ["" if value is None else round(value) for value in figures]
    rating = "" if row.rating is None else f"{row.rating:.2f}"
    return [name, speed.count, *rounded, row.breaches, rating]
