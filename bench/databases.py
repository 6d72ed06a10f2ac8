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
