"""Every table has its decision: what it holds, why, whose it is, how long, and what prunes it."""

import runpy
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import connection, models
from django.utils import timezone

from systemadmin.foundation.configuration import declared_settings, setting
from systemadmin.foundation.plugins import collect
from systemadmin.foundation.retention import Elsewhere, Job, Rows, declared_rules, declared_tables
from systemadmin.models import BatchFailure, PruningState, User
from systemadmin.services import change_settings
from systemadmin.services.retention.chunks import due_rows, first_window
from systemadmin.services.retention.nightly import due_of, prunable_rules, prune_nightly

pytestmark = pytest.mark.django_db
ENTRIES = collect("retention", "TABLES")
TABLES = declared_tables()
RULES = declared_rules()
ROWS = {name: pair for name, pair in RULES.items() if isinstance(pair[1], Rows)}
# Tables that the engine keeps for itself, not the project.
OF_THE_ENGINE = ("sqlite_", "support_ticketsearch_", "support_faq_")


def schema():
    """The tables of the database and of every model, whatever makes them."""
    found = set(connection.introspection.table_names())
    found |= {
        model._meta.db_table
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
    return {name for name in found if not name.startswith(OF_THE_ENGINE)}


def test_every_table_is_listed_and_nothing_else():
    assert schema() - set(TABLES) == set(), "say in the app's retention.py how long it is kept"
    # The cache's table is there only where the cache is in the database.
    assert set(TABLES) - schema() <= {"cache_entries"}


def test_no_table_and_no_rule_is_listed_twice():
    tables = [entry.db_table for entry in ENTRIES]
    assert len(tables) == len(set(tables))
    rules = [rule.name for entry in ENTRIES for rule in entry.rules]
    assert len(rules) == len(set(rules))


def test_each_entry_says_what_why_whose_and_how_long():
    for entry in ENTRIES:
        assert entry.holds, entry
        assert entry.purpose, entry
        assert entry.rules or entry.kept, entry
        if all(isinstance(rule, Rows) and rule.blank for rule in entry.rules):
            assert entry.kept, "what a rule only empties is kept for a reason"
        for owner in entry.owners:
            # The lookup leads to an account.
            entry.model_class._base_manager.filter(**{f"{owner}__in": User.objects.values("pk")})


def test_whose_data_a_table_is_names_every_account_it_belongs_to():
    """A table that goes with an account says so; only what staff did to others' rows may not."""
    silent = []
    for entry in ENTRIES:
        if entry.table or entry.owners:
            continue
        silent += [
            f"{entry.model}.{field.name}"
            for field in entry.model_class._meta.concrete_fields
            if field.is_relation
            and field.related_model is User
            and field.remote_field.on_delete is models.CASCADE
        ]
    assert silent == []


def test_each_rule_has_a_setting_or_a_fixed_span():
    for _table, rule in RULES.values():
        assert bool(rule.span.setting) != (rule.span.fixed is not None), rule.name
        if rule.span.setting:
            declared = declared_settings()[rule.span.setting]
            assert declared.type is int
            assert setting(declared.key) == declared.default


def test_each_rule_is_applied_by_a_schedule():
    schedules = {item.name for item in collect("schedules", "SCHEDULES")}
    for name, (_table, rule) in RULES.items():
        if isinstance(rule, Elsewhere):
            assert rule.schedule in schedules
            continue
        assert name in prunable_rules()
        assert due_of(name) == 0
        if isinstance(rule, Job):
            assert rule.run(1.0) == 0


def test_the_nightly_run_applies_every_rule():
    prune_nightly()
    ran = set(PruningState.objects.filter(error="").values_list("rule", flat=True))
    assert ran == set(prunable_rules())
    assert not BatchFailure.objects.exists()


def test_each_setting_of_retention_is_used():
    used = {rule.span.setting for _table, rule in RULES.values()}
    declared = {key for key in declared_settings() if key.startswith("retention.")}
    assert declared - used == set()


def test_zero_days_keep_for_ever():
    endless = [key for key, item in declared_settings().items() if item.min == 0]
    keys = {rule.span.setting for _table, rule in RULES.values()} & set(endless)
    assert len(keys) > 10
    change_settings(actor=None, values=dict.fromkeys(keys, 0))
    for _table, rule in RULES.values():
        if rule.span.setting in keys:
            assert rule.span.cutoff(timezone.now()) is None


def test_the_bounds_of_a_setting_are_said(as_user, staff):
    client = as_user(staff("operator"))
    answer = client.put("/api/admin/config", {"retention.event_days": 399})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "retention.event_days"
    assert "400" in answer.json()["errors"][0]["detail"]
    assert client.put("/api/admin/config", {"retention.event_days": 0}).status_code == 200
    wrong = client.put("/api/admin/config", {"retention.finished_task_days": 0})
    assert wrong.status_code == 400


def test_foreign_keys_to_pruned_rows_are_indexed():
    """PostgreSQL looks for references before it deletes a row: once per row, by an index or not."""
    pruned = {table.model_class for table, rule in ROWS.values() if rule.blank is None}
    gone = {model for table in pruned for model in going_with(table)}
    slow = {
        f"{other._meta.label}.{field.name}"
        for other in apps.get_models(include_auto_created=True)
        for field in other._meta.concrete_fields
        if field.is_relation and field.related_model in gone and field.db_constraint
        if not is_indexed(other, field)
    }
    assert slow == set()


def going_with(model):
    """The model and those whose rows are deleted with its rows."""
    found, waiting = set(), [model]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        for relation in one._meta.related_objects:
            if relation.on_delete is models.CASCADE:
                waiting.append(relation.related_model)
    return found


def is_indexed(model, field):
    first = [index.fields[0].lstrip("-") for index in model._meta.indexes if not index.condition]
    first += [
        constraint.fields[0]
        for constraint in model._meta.constraints
        if isinstance(constraint, models.UniqueConstraint) and not constraint.condition
    ]
    first += [group[0] for group in model._meta.unique_together]
    return field.db_index or field.unique or field.primary_key or field.name in first


@pytest.mark.postgres
def test_each_rule_finds_its_rows_by_an_index():
    """Walks along the primary key or the moment; with sequential scans made dear it shows."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    for table, rule in ROWS.values():
        window = first_window(table, rule, timezone.now() - timedelta(days=500))
        plan = window.explain()
        assert f"Seq Scan on {table.db_table} " not in plan, plan


def test_the_page_is_what_the_code_says():
    tool = runpy.run_path(str(Path(settings.BASE_DIR) / "docs/list_retention.py"))
    text = (Path(settings.BASE_DIR) / "docs/privacy.md").read_text()
    assert tool["BEGIN"] in text
    assert text == tool["page"](text), "run: python docs/list_retention.py"


def test_moments_and_files_of_rules_exist():
    for table, rule in ROWS.values():
        due_rows(table, rule, timezone.now()).query.sql_with_params()
        for path in rule.files:
            label, _dot, field = path.rpartition(".")
            model = apps.get_model(label) if label else table.model_class
            assert isinstance(model._meta.get_field(field), models.FileField)
        files = {
            f"{model._meta.label}.{field.name}"
            for model in going_with(table.model_class)
            for field in model._meta.concrete_fields
            if isinstance(field, models.FileField)
        }
        if rule.blank is None:
            named = {
                path if path.count(".") == 2 else f"{table.model}.{path}" for path in rule.files
            }
            assert files == named, "files of rows that go are deleted too"


def test_a_rule_empties_only_fields_that_exist():
    for table, rule in ROWS.values():
        for field in rule.blank or ():
            try:
                table.model_class._meta.get_field(field)
            except FieldDoesNotExist:
                pytest.fail(f"{rule.name}: {field}")
