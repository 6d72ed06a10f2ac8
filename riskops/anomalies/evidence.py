"""What was seen at an anomaly, in words, money and moments instead of codes and minor units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext_lazy as _

from riskops.scores.facts import from_micros
from systemadmin.foundation.money import format_money, is_currency

LABELS: Mapping[str, Any] = {
    "bits": _("How unusual"),
    "compared_with": _("Compared with"),
    "count": _("How many"),
    "country": _("Country"),
    "devices": _("Devices"),
    "from": _("From"),
    "hour": _("Hour of the day"),
    "km": _("Distance"),
    "known_since": _("Known since"),
    "logins": _("Sign-ins so far"),
    "logins_before": _("Sign-ins before"),
    "logins_near_that_hour": _("Of them near that hour"),
    "median": _("Usual"),
    "minutes": _("Time between"),
    "new_address": _("New address"),
    "new_country": _("New country"),
    "new_device": _("New device"),
    "threshold": _("Limit"),
    "to": _("Until"),
    "total": _("Total"),
    "z": _("Times the usual spread"),
}
WORDS: Mapping[str, Any] = {"own days": _("its own days"), "peers": _("other accounts")}
MONEY = ("total", "median", "threshold")
MOMENTS = ("from", "to", "known_since")


def evidence_rows(evidence: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Return what was seen as pairs of label and value, amounts in their currency."""
    currency = evidence.get("currency", "")
    return [
        (LABELS.get(name, name.replace("_", " ")), _shown(name, value, currency))
        for name, value in evidence.items()
        if name != "currency"
    ]


def _moment(value: int | str) -> Any:
    """Return a moment kept as microseconds or as text; text that is none stays as it is."""
    return from_micros(value) if isinstance(value, int) else parse_datetime(value) or value


def _shown(name: str, value: Any, currency: Any) -> Any:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name in MONEY and isinstance(value, int) and is_currency(str(currency)):
        return format_money(value, str(currency))
    if name in MOMENTS and isinstance(value, int | str):
        return _moment(value)
    units = {"km": f"{value} km", "minutes": f"{value} min", "hour": f"{value}:00"}
    return units.get(name, WORDS.get(value, value) if isinstance(value, str) else value)
