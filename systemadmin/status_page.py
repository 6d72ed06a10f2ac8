"""The admin's page of the system status: every block as a table that people can read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import date, filesizeformat
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from systemadmin.services.system_status import system_status

# Numbers under these names are bytes.
BYTES: Final = ("memory", "memory_total", "disk_total", "disk_free", "size", "wal_size")
UNITS: Final = {"percent": "%", "ms": "ms", "seconds": "s", "days": "d"}


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a text, or rows of its own."""

    name: str
    text: str = ""
    rows: tuple["Row", ...] = ()


def readable(name: str, value: Any) -> Row:
    """A value of the status as people read it: sizes, units, moments, nested tables."""
    title = name.replace("_", " ")
    if isinstance(value, Mapping):
        return Row(title, rows=tuple(readable(key, inner) for key, inner in value.items()))
    if isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
        named = enumerate(value, start=1)
        return Row(title, rows=tuple(readable(str(number), one) for number, one in named))
    if isinstance(value, list):
        return Row(title, ", ".join(map(str, value)) or "–")
    return Row(title, _text(name, value))


def _text(name: str, value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int) and (name in BYTES or name.endswith("_bytes")):
        return str(filesizeformat(value))
    unit = UNITS.get(name.rpartition("_")[2])
    if unit and isinstance(value, int | float):
        return f"{value} {unit}"
    moment = parse_datetime(value) if isinstance(value, str) and "T" in value else None
    return date(moment, "Y-m-d H:i:s e") if moment else str(value)


def status_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """The state of the machine and its parts."""
    if not request.user.has_perm("systemadmin.view_systemstatus"):
        raise PermissionDenied
    status = system_status()
    blocks = [
        readable(name, dict(sorted(block.items())))
        for name, block in status.items()
        if isinstance(block, dict)
    ]
    context = {
        **site.each_context(request),
        "title": _("System status"),
        "status": status,
        "measured_at": parse_datetime(status["measured_at"]),
        "blocks": blocks,
    }
    return TemplateResponse(request, "admin/systemadmin/status.html", context)
