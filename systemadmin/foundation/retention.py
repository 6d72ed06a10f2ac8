"""What is kept of everything: one entry per table, with the rules that prune it.

An app lists its tables as `TABLES` in `retention.py`. Each entry states what the table holds, why,
whose data it is and how long it is kept: by rules, or for a stated reason. A test compares the
entries with the schema, so that no table is kept without a decision.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db.models import Model, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from systemadmin.foundation.configuration import Setting, setting
from systemadmin.foundation.parsing import Unreadable
from systemadmin.foundation.plugins import Text, collect

LONGEST_DAYS = 36_500

# Further conditions of a rule: fixed, or made for the moment before which rows go.
Where = Q | Callable[[datetime], Q]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How long rows are kept: by a setting (days; 0 for ever), or always the same."""

    setting: str = ""
    fixed: timedelta | None = None

    def cutoff(self, now: datetime) -> datetime | None:
        """Return the moment before which rows go; None while they are kept for ever."""
        if self.fixed is not None:
            return now - self.fixed
        days = int(setting(self.setting))
        return now - timedelta(days=days) if days else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows go, or lose their content, when `moment` is older than the span allows.

    `blank` maps fields to what replaces them; without it the rows are deleted. `before` gets the
    keys that are about to go, inside their transaction: it keeps what is counted from them.
    `files` names file fields of the table, or of one that goes with it as `Model.field`. With
    `needs_backup` a backup of the last day exists before the first row goes.
    """

    name: str
    span: Span
    moment: str
    where: Where = field(default_factory=Q)
    blank: Mapping[str, Any] | None = None
    before: Callable[[Sequence[Any]], None] | None = None
    files: Sequence[str] = ()
    needs_backup: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Pruned by a function of its own that works in chunks: `run(max_seconds)` returns how many.

    `due` counts what would go. `says` states what happens, for the page and the documents.
    """

    name: str
    span: Span
    run: Callable[[float], int]
    due: Callable[[], int]
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Pruned by the work that uses the table, on a schedule of its own."""

    name: str
    span: Span
    schedule: str
    says: str


Rule = Rows | Job | Elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: what it holds, why, whose data it is, and how long it is kept.

    `model` is `app.Model`; `table` the name of a table that has no model. `owners` are lookups to
    the accounts whose data the rows are; empty for none. `kept` states why rows that no rule
    deletes are kept, and until when.
    """

    model: str = ""
    table: str = ""
    holds: str
    purpose: str
    owners: Sequence[str] = ()
    rules: Sequence[Rule] = ()
    kept: str = ""

    @property
    def model_class(self) -> type[Model]:
        """The model; raises `LookupError` for a table without one."""
        return apps.get_model(self.model)

    @property
    def db_table(self) -> str:
        """The name in the database."""
        return self.table or self.model_class._meta.db_table


@lru_cache(maxsize=1)
def declared_tables() -> dict[str, Table]:
    """Return every entry by the name of its table; one listed twice is the last one."""
    return {entry.db_table: entry for entry in collect("retention", "TABLES")}


def declared_rules() -> dict[str, tuple[Table, Rule]]:
    """Return every rule by name with its table."""
    return {
        rule.name: (entry, rule) for entry in declared_tables().values() for rule in entry.rules
    }


def conditions(rule: Rows, cutoff: datetime) -> Q:
    """Return what holds of rows that are due."""
    further = rule.where if isinstance(rule.where, Q) else rule.where(cutoff)
    due = Q(**{f"{rule.moment}__lt": cutoff}) & further
    if rule.blank is None:
        return due
    # What is empty already is not due again.
    return due & ~Q(**dict(rule.blank))


def is_due_now(rule: Rule) -> bool:
    """Return whether the rule lets anything go at all, by its setting."""
    return rule.span.cutoff(timezone.now()) is not None


def days_setting(
    key: str,
    *,
    default: int,
    least: int,
    description: Text,
    may_be_endless: bool = True,
) -> Setting:
    """Declare how many days something is kept; 0 keeps it for ever where that is allowed."""

    def check(days: Any) -> None:
        if (days or not may_be_endless) and days < least:
            message = ngettext("At least %(least)s day.", "At least %(least)s days.", least) % {
                "least": least
            }
            raise Unreadable(message + (" " + _("0 keeps it for ever.") if may_be_endless else ""))

    return Setting(
        key=key,
        type=int,
        default=default,
        min=0 if may_be_endless else least,
        max=LONGEST_DAYS,
        description=description,
        check=check,
    )
