"""Indexes for how names, external ids and addresses of accounts begin, whatever their case.

Only PostgreSQL can use them: on SQLite `LIKE` with an escape character reads the table.
"""

from django.db import migrations

COLUMNS = ("username", "first_name", "last_name", "external_id", "email")


def _run(schema_editor, statement):
    if schema_editor.connection.vendor == "postgresql":
        for column in COLUMNS:
            schema_editor.execute(statement.format(name=f"user_{column}_begins", column=column))


def make(apps, schema_editor):
    _run(
        schema_editor,
        "CREATE INDEX {name} ON systemadmin_user (upper({column}::text) text_pattern_ops)",
    )


def drop(apps, schema_editor):
    _run(schema_editor, "DROP INDEX {name}")


class Migration(migrations.Migration):
    dependencies = [("systemadmin", "0013_alert_facts")]
    operations = [migrations.RunPython(make, drop)]
