"""The index of the words of tickets; only PostgreSQL has such a thing."""

from django.db import migrations

CREATE = """
CREATE INDEX ticket_search_words ON support_ticketsearch
USING gin (array_to_tsvector(string_to_array(document, ' ')))
"""
DROP = "DROP INDEX IF EXISTS ticket_search_words"


def create_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE)


def drop_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


class Migration(migrations.Migration):
    dependencies = [("support", "0001_initial")]

    operations = [migrations.RunPython(create_index, drop_index)]
