"""Django's settings of the database."""

from typing import Any

import environ


def database_settings(
    url: str, *, is_testing: bool, is_persistent: bool, pool_size: int
) -> dict[str, Any]:
    """Return Django's settings for one database URL, tuned as for production.

    Persistent connections are plain ones; others come from a pool of `pool_size`.
    """
    database = environ.Env.db_url_config(url)
    if "sqlite" in database["ENGINE"]:
        database["OPTIONS"] = {
            # A write transaction takes its lock at BEGIN: no deadlock on upgrade, and
            # "read, check, write" in one atomic block is safe as it stands.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
                "PRAGMA mmap_size=134217728; PRAGMA cache_size=-20000;"
            ),
        }
        if is_testing:
            database["TEST"] = {"NAME": None}
    else:
        options = database.setdefault("OPTIONS", {})
        # Django turns prepared statements off. With this, and only where the code asks for it, a
        # statement is planned once a connection; the ORM's are sent as before.
        options.setdefault("prepare_threshold", 5)
        if is_persistent:
            database["CONN_MAX_AGE"] = 0 if is_testing else 600
            database["CONN_HEALTH_CHECKS"] = True
        else:
            # A restore or a server's restart ends pooled sessions; hand out living ones only.
            database["CONN_HEALTH_CHECKS"] = True
            options["pool"] = {
                "min_size": 1,
                "max_size": pool_size,
                "timeout": 5,
                "reconnect_timeout": 5,
            }
            # Its pool refuses at once while the server is away.
            database["ENGINE"] = "systemadmin.foundation.postgresql"
    return database
