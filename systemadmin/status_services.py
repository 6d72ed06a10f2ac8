"""What the status page says of each service in one line: how it is, its figure now, and why."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.template.defaultfilters import filesizeformat
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from systemadmin.status_words import VALUES

STATES: Final = {"ok": "good", "warning": "warn", "error": "bad"}
# Per cent of requests, of the processor, of memory and of the disk.
_LIMITS: Final = {
    "errors": (1.0, 5.0),
    "machine": (90.0, 101.0),
    "memory": (90.0, 97.0),
    "disk": (85.0, 95.0),
}
_WINDOW: Final = "5m"


@dataclass(frozen=True, slots=True)
class Service:
    """One line of the table; `state` is good, warn or bad."""

    code: str
    icon: str
    name: Any
    about: str
    state: str
    now: str
    detail: str

    @property
    def state_text(self) -> str:
        """The state in a word."""
        words = {"good": _("Well"), "warn": _("Watch"), "bad": _("Does not work")}
        return words[self.state]


def services(status: Mapping[str, Any]) -> list[Service]:
    """Return the lines of those blocks that could be read."""
    return [
        *_traffic(status.get("requests", {}).get(_WINDOW), status.get("queue", {})),
        *_stores(status),
        *_queue(status["queue"]),
        *_machine(status["machine"]),
    ]


def _by_limit(code: str, value: float) -> str:
    watch, bad = _LIMITS[code]
    return "bad" if value >= bad else "warn" if value >= watch else "good"


def _state(block: Mapping[str, Any]) -> str:
    return STATES.get(block.get("status", "ok"), "warn")


def _percent(value: float) -> str:
    return f"{number_format(round(value, 1), use_l10n=True)} %"


def _failed(block: Mapping[str, Any], code: str, icon: str, name: str) -> Service:
    return Service(code, icon, name, "", "bad", "–", str(block.get("error", "")))


def _traffic(window: Mapping[str, Any] | None, queue: Mapping[str, Any]) -> Iterator[Service]:
    if not window:
        return
    processes = queue.get("web_processes") or 1
    about = ngettext("%(count)d process", "%(count)d processes", processes) % {"count": processes}
    each = _("%(number)s requests a second") % {"number": number_format(window["per_second"], 2)}
    yield Service(
        "web", "globe", _("Web"), about, "good", f"{window['p95_ms']:.0f} ms",
        _("95 of 100 answers are faster") + f" · {each}",
    )  # fmt: skip
    yield Service(
        "errors", "circle-alert", _("Errors"), _("answers 5xx"),
        _by_limit("errors", window["error_percent"]), _percent(window["error_percent"]),
        _("of %(number)s requests in 5 min") % {"number": number_format(window["requests"])},
    )  # fmt: skip


def _stores(status: Mapping[str, Any]) -> Iterator[Service]:
    database, cache = status["database"], status["cache"]
    if "engine" not in database:
        yield _failed(database, "database", "database", _("Database"))
    else:
        yield Service(
            "database", "database", _("Database"), str(database["engine"]), _state(database),
            str(filesizeformat(database["size"])) if "size" in database else "–",
            ", ".join(_database_details(database)),
        )  # fmt: skip
    if "backend" not in cache:
        yield _failed(cache, "cache", "zap", _("Cache"))
    else:
        yield Service(
            "cache", "zap", _("Cache"), str(VALUES.get(cache["backend"], cache["backend"])),
            _state(cache), f"{number_format(cache['round_trip_ms'], 1)} ms",
            _("to write a value and read it"),
        )  # fmt: skip


def _database_details(block: Mapping[str, Any]) -> Iterator[str]:
    waiting = block.get("unapplied_migrations")
    if waiting:
        yield ngettext(
            "%(count)d migration is not applied", "%(count)d migrations are not applied", waiting
        ) % {"count": waiting}
    if block.get("max_connections"):
        yield _("%(used)s of %(most)s connections") % {
            "used": block.get("connections", 0),
            "most": block["max_connections"],
        }
    if block.get("integrity") == "ok":
        yield _("in order")


def _queue(block: Mapping[str, Any]) -> Iterator[Service]:
    if "depth" not in block:
        yield _failed(block, "queue", "inbox", _("Queue"))
        return
    workers, depth = block["workers"], block["depth"]
    parts = [ngettext("%(count)d task waits", "%(count)d tasks wait", depth) % {"count": depth}]
    if block["failures_24h"]:
        parts.append(_("%(count)d failed in 24 h") % {"count": block["failures_24h"]})
    if block["quarantined"]:
        parts.append(_("%(count)d set aside") % {"count": block["quarantined"]})
    about = ngettext("%(count)d worker", "%(count)d workers", workers) % {"count": workers}
    seconds = f"{number_format(round(block['oldest_seconds']))} s"
    yield Service("queue", "inbox", _("Queue"), about, _state(block), seconds, ", ".join(parts))


def _machine(block: Mapping[str, Any]) -> Iterator[Service]:
    if "cpu_count" not in block:
        yield _failed(block, "machine", "cpu", _("Machine"))
        return
    cores = block["cpu_count"] or 1
    load = ", ".join(number_format(value, 1) for value in block["load"])
    yield Service(
        "machine", "cpu", _("Processor"),
        ngettext("%(count)d core", "%(count)d cores", cores) % {"count": cores},
        _by_limit("machine", block["cpu_percent"]), _percent(block["cpu_percent"]),
        _("load %(load)s (1, 5, 15 min)") % {"load": load},
    )  # fmt: skip
    yield Service(
        "memory", "memory-stick", _("Memory"), str(filesizeformat(block["memory_total"])),
        _by_limit("memory", block["memory_used_percent"]),
        _percent(block["memory_used_percent"]), _("in use"),
    )  # fmt: skip
    used = 100 - block["disk_free_percent"]
    yield Service(
        "disk", "hard-drive", _("Disk"), str(filesizeformat(block["disk_total"])),
        _by_limit("disk", used), _percent(used),
        _("%(size)s free") % {"size": filesizeformat(block["disk_free"])},
    )  # fmt: skip
