"""What the page and the API show of retention: size, growth, what goes next, the last run."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from systemadmin.foundation.configuration import setting
from systemadmin.foundation.retention import Elsewhere, Rule, Table, declared_tables
from systemadmin.models import PruningState
from systemadmin.services.retention.samples import Size, rows_on, table_sizes

GROWTH_DAYS = (7, 30)


def retention_overview() -> list[dict[str, Any]]:
    """Return every table with its size, its growth and the state of its rules, largest first.

    Nothing is counted on PostgreSQL: sizes are the planner's estimates.
    """
    sizes, states = table_sizes(), PruningState.objects.in_bulk()
    today = timezone.now().date()
    # A night without a sample does not hide the growth: the one before stands in.
    before = {days: rows_on(today - timedelta(days=days), back=days) for days in GROWTH_DAYS}
    rows = []
    for name, entry in declared_tables().items():
        held = sizes.get(name, Size(0, None))
        growth = {
            f"grown_{days}_days": held.rows - before[days][name] if name in before[days] else None
            for days in GROWTH_DAYS
        }
        rules = [_rule_row(rule, states.get(rule.name)) for rule in entry.rules]
        rows.append(
            {
                "table": name,
                "title": _title(entry),
                "holds": entry.holds,
                "purpose": entry.purpose,
                "owners": list(entry.owners),
                "kept": entry.kept,
                "rows": held.rows,
                "size": held.size,
                **growth,
                "rules": rules,
            }
        )
    return sorted(rows, key=lambda row: (-(row["size"] or 0), -row["rows"], row["table"]))


def _title(entry: Table) -> str:
    if entry.table:
        return entry.table
    meta = entry.model_class._meta
    owner: Any = meta.auto_created
    if owner:
        # Django names the table of a many-to-many relation in English.
        field = next(
            field
            for field in owner._meta.many_to_many
            if field.remote_field.through is entry.model_class
        )
        return f"{owner._meta.verbose_name_plural}: {field.verbose_name}"
    return str(meta.verbose_name_plural)


def _rule_row(rule: Rule, state: PruningState | None) -> dict[str, Any]:
    return {
        "name": rule.name,
        "setting": rule.span.setting,
        "days": int(setting(rule.span.setting)) if rule.span.setting else None,
        "goes_before": rule.span.cutoff(timezone.now()),
        "schedule": rule.schedule if isinstance(rule, Elsewhere) else "systemadmin.prune",
        "last_run_at": state.started_at if state else None,
        "removed": state.removed if state else 0,
        "removed_total": state.removed_total if state else 0,
        "is_complete": state.is_complete if state else True,
        "error": state.error if state else "",
    }


def failing_rules() -> list[str]:
    """Return the rules whose last run ended with an error."""
    return list(
        PruningState.objects.exclude(error="").order_by("rule").values_list("rule", flat=True)
    )


def unfinished_rules() -> int:
    """Return how many rules did not come to their end at their last run."""
    return PruningState.objects.filter(is_complete=False).count()


def rows_removed() -> int:
    """Return how many rows the last run of every rule removed."""
    return sum(PruningState.objects.values_list("removed", flat=True))
