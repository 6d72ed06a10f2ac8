"""Liveness and readiness, for load balancers and process managers."""

import time
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation import queue
from systemadmin.foundation.api import PublicViewSet

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
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return "ok" if not plan else f"error: {len(plan)} migrations not applied"


def check_cache() -> str:
    """Write and read one value."""
    value = str(time.time())
    cache.set("health", value, 30)
    return "ok" if cache.get("health") == value else "error: cache lost a value"


def check_queue() -> str:
    """Read the queue's table."""
    queue.depth()
    return "ok"


CHECKS = {
    "database": check_database,
    "migrations": check_migrations,
    "cache": check_cache,
    "queue": check_queue,
}


def run_checks() -> dict[str, str]:
    """Run every readiness check; one that fails names its exception, never its text.

    Exception texts may hold connection strings.
    """
    results = {}
    for name, check in CHECKS.items():
        try:
            results[name] = check()
        except Exception as error:
            results[name] = f"error: {type(error).__name__}"
    return results


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
        """The process answers; it asks nobody."""
        return Response({"status": "ok"})

    @extend_schema(
        responses={200: ReadySerializer, 503: ReadySerializer}, summary="Readiness", auth=[]
    )
    @action(detail=False, url_path="ready")
    def ready(self, request: Request) -> Response:
        """Database, migrations, cache and queue answer; 503 when one does not."""
        checks = run_checks()
        healthy = all(result == "ok" for result in checks.values())
        body = {"status": "ok" if healthy else "error", "checks": checks}
        return Response(body, status=200 if healthy else 503)
