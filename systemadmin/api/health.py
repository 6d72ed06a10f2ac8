"""Liveness and readiness, for load balancers and process managers."""

import threading
import time
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation import queue
from systemadmin.foundation.api import PublicViewSet
from systemadmin.foundation.hard_maintenance import hard_state
from systemadmin.services.clusters import missing_clusters

# A probe that waits longer than this for another one's measurement is answered with an error.
WAIT_SECONDS: Final = 2.0

HealthSerializer = inline_serializer("Health", {"status": serializers.CharField()})
ReadySerializer = inline_serializer(
    "Readiness",
    {
        "status": serializers.CharField(),
        "checks": serializers.DictField(child=serializers.CharField()),
    },
)


def check_database() -> str:
    """Ask the database for one row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def check_migrations() -> str:
    """Compare applied migrations with those of the code."""
    global _complete
    applied = frozenset(MigrationRecorder(connection).applied_migrations())
    # The code does not change while it runs: the whole plan is made once per change of the table.
    if applied != _complete:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            return f"error: {len(plan)} migrations not applied"
        _complete = applied
    return "ok"


def check_cache() -> str:
    """Write and read one value; without the cache a process still serves."""
    value = str(time.time())
    try:
        cache.set("health", value, 30)
        return "ok" if cache.get("health") == value else "degraded: cache lost a value"
    except Exception as error:
        return f"degraded: {type(error).__name__}"


def check_queue() -> str:
    """Read the queue's table and who works on it; neither is a reason to refuse requests."""
    try:
        queue.depth()
        missing = missing_clusters()
    except Exception as error:
        return f"degraded: {type(error).__name__}"
    return f"degraded: no worker of {', '.join(missing)}" if missing else "ok"


def check_maintenance() -> str:
    """Refuse during a restore: every other request is refused then."""
    return "ok" if hard_state() is None else "error: a restore is running"


CHECKS = {
    "database": check_database,
    "migrations": check_migrations,
    "cache": check_cache,
    "queue": check_queue,
}
_complete: frozenset[tuple[str, str]] = frozenset()


def run_checks() -> dict[str, str]:
    """Run every readiness check; one that fails names its exception, never its text.

    Exception texts may hold connection strings. During a restore nothing asks the database.
    """
    results = {"maintenance": check_maintenance()}
    if results["maintenance"] != "ok":
        return results
    for name, check in CHECKS.items():
        try:
            results[name] = check()
        except Exception as error:
            results[name] = f"error: {type(error).__name__}"
    return results


class Readiness:
    """The last result of this process, measured by one caller at a time.

    A database that hangs would otherwise hold one thread for each probe, until none is left.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._measured_at = float("-inf")
        self._checks: dict[str, str] = {}

    def checks(self) -> dict[str, str]:
        """Return the checks, at most `READINESS_MAX_AGE` old; an error when they do not end."""
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            return {"database": "error: no answer in time"}
        try:
            if time.monotonic() - self._measured_at >= settings.READINESS_MAX_AGE:
                self._checks = run_checks()
                self._measured_at = time.monotonic()
            return self._checks
        finally:
            self._lock.release()


readiness = Readiness()


class HealthViewSet(PublicViewSet):
    """Open to anyone and never limited: a probe must not be refused."""

    singular = {"list"}
    open_in_maintenance = True
    authentication_classes: list[Any] = []
    throttle_classes: list[Any] = []
    serializer_class = None
    pagination_class = None
    filter_backends: list[Any] = []

    @extend_schema(responses=HealthSerializer, summary="Liveness", auth=[])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Answer from this process; it asks nobody."""
        return Response({"status": "ok"})

    @extend_schema(
        responses={200: ReadySerializer, 503: ReadySerializer}, summary="Readiness", auth=[]
    )
    @action(detail=False, url_path="ready")
    def ready(self, request: Request) -> Response:
        """503 without the database, with migrations missing and during a restore.

        A cache or a queue that does not answer, or a queue cluster that is missing, is `degraded`:
        the answer stays 200.
        """
        checks = readiness.checks()
        status = _worst(checks)
        return Response(
            {"status": status, "checks": checks}, status=503 if status == "error" else 200
        )


def _worst(checks: dict[str, str]) -> str:
    states = {result.partition(":")[0] for result in checks.values()}
    return next((state for state in ("error", "degraded") if state in states), "ok")
