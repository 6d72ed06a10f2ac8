"""The admin's page of the system status: every block as a table that people can read."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from systemadmin.alert_words import name_accounts
from systemadmin.backups.schedule import outlook
from systemadmin.foundation.display import display_moment
from systemadmin.foundation.plugins import collect
from systemadmin.models import Alert
from systemadmin.services.system_status import system_status
from systemadmin.status_services import STATES, services
from systemadmin.status_words import VALUES, WORDS

# Numbers under these names are bytes.
BYTES: Final = ("memory", "memory_total", "disk_total", "disk_free", "size", "wal_size")
SHOWN_ALERTS: Final = 6
UNITS: Final = {"percent": "%", "ms": "ms", "seconds": "s", "days": "d"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a text, or rows of its own."""

    name: str
    text: str = ""
    rows: tuple["Row", ...] = ()


@cache
def words() -> dict[str, Any]:
    """Return how the page names each key."""
    return {**dict(collect("status", "WORDS")), **dict(WORDS)}


def readable(name: str, value: Any) -> Row:
    """Return a value of the status as people read it: sizes, units, moments, nested tables."""
    title = str(words().get(name, name.replace("_", " ")))
    if isinstance(value, Mapping):
        return Row(title, rows=tuple(readable(key, inner) for key, inner in value.items()))
    if isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        named = enumerate(value, start=1)
        return Row(title, rows=tuple(readable(str(number), one) for number, one in named))
    if isinstance(value, list):
        return Row(title, ", ".join(map(str, value)) or "–")
    return Row(title, _text(name, value))


def _number_text(name: str, value: int | float) -> str:
    """Return a number with the unit that its name tells."""
    if isinstance(value, int) and (name in BYTES or name.endswith("_bytes")):
        return str(filesizeformat(value))
    unit = UNITS.get(name.rpartition("_")[2])
    return f"{value} {unit}" if unit else str(value)


def _text(name: str, value: Any) -> str:
    if value in (None, ""):
        return "–"
    if isinstance(value, str) and value in VALUES:
        return str(VALUES[value])
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float):
        return _number_text(name, value)
    moment = parse_datetime(value) if isinstance(value, str) and "T" in value else None
    return display_moment(moment) if moment else str(value)


def status_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Return the state of the machine and its parts."""
    if not request.user.has_perm("systemadmin.view_systemstatus"):
        raise PermissionDenied
    status = system_status()
    blocks = [
        readable(name, dict(sorted(block.items())))
        for name, block in status.items()
        if isinstance(block, dict)
    ]
    lines = services(status)
    checks = {name: one for name, one in status["checks"].items() if isinstance(one, dict)}
    context = {
        "status": status,
        "tone": STATES.get(status["status"], "warn"),
        "watched": sum(line.state != "good" for line in lines),
        "measured_at": parse_datetime(status["measured_at"]),
        "services": lines,
        "troubled": [
            (STATES.get(str(check.get("status")), "warn"), readable(name, check))
            for name, check in checks.items()
            if check.get("status", "ok") != "ok"
        ],
        "clear": [
            str(words().get(name, name)) for name, check in checks.items()
            if check.get("status", "ok") == "ok"
        ],
        "blocks": blocks,
        **_alerts(request),
    }  # fmt: skip
    if request.GET.get("part") == "figures":
        return TemplateResponse(request, "admin/systemadmin/status_figures.html", context)
    context |= {**site.each_context(request), "title": _("System status")}
    return TemplateResponse(request, "admin/systemadmin/status.html", context)


def _alerts(request: HttpRequest) -> dict[str, Any]:
    """Return the newest alerts that are not over and the state of the backups, by permission."""
    user: Any = request.user
    shown: dict[str, Any] = {"may_acknowledge": user.has_perm("systemadmin.change_alert")}
    if user.has_perm("systemadmin.view_alert"):
        firing = Alert.objects.exclude(status=Alert.Status.RESOLVED).order_by("-pk")
        shown["alerts"] = list(firing.select_related("acknowledged_by")[:SHOWN_ALERTS])
        name_accounts(shown["alerts"], user)
    if user.has_perm("systemadmin.view_backup"):
        shown["outlook"] = outlook()
    return shown
