"""Databases for a measurement, made on a PostgreSQL server and dropped at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql


@contextmanager
def empty_database(server: str, name: str) -> Iterator[str]:
    """Yield the URL of an empty database on the server of a URL; it is dropped at the end."""
    own = sql.Identifier(name)
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(own)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(drop)
        connection.execute(sql.SQL("CREATE DATABASE {}").format(own))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        # A connection held open all the while might be cut off before the end.
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(drop)


def set_defaults() -> None:
    """Give every column the default of its field, which a bare INSERT does not know.

    A statement that fills a table then goes on working when the table gets another column.
    """
    from django.apps import apps
    from django.db import connection

    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        for model in apps.get_models():
            for field in model._meta.local_concrete_fields:
                if field.null or field.primary_key or field.is_relation or field.generated:
                    continue
                value = field.get_db_prep_save(field.get_default(), connection)
                if value is None:
                    continue
                table, column = quote(model._meta.db_table), quote(field.column)
                cursor.execute(f"ALTER TABLE {table} ALTER {column} SET DEFAULT %s", [value])
