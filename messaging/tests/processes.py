"""The environment of real processes that share the test's database."""

import os
from pathlib import Path

from django.conf import settings
from django.db import connection

ROOT = Path(settings.BASE_DIR)


def environment_of(tmp_path):
    """The test's PostgreSQL database, or a fresh SQLite file; no other state is shared."""
    env = {
        **os.environ,
        "DJANGO_DEBUG": "1",
        "VAR_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/stream.sqlite3",
        "REDIS_URL": "",
        "PYTHONUNBUFFERED": "1",
    }
    if connection.vendor == "postgresql":
        db = connection.settings_dict
        port = db["PORT"] or 5432
        env["DATABASE_URL"] = (
            f"postgres://{db['USER']}:{db['PASSWORD']}@{db['HOST']}:{port}/{db['NAME']}"
        )
    return env
