"""Marks the junk among stored identifiers: addresses of no line, placeholders, user agents."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from riskops.ingest.junk_marking import mark_junk_identifiers
from systemadmin.foundation.context import context


class Command(BaseCommand):
    help = "Marks stored identifiers that identify nobody, after an upgrade or new own proxies."

    def handle(self, *args: Any, **options: Any) -> None:
        with context(source="command"):
            marked = mark_junk_identifiers()
        self.stdout.write(
            f"{marked} identifiers marked as junk. Their links change with the next detection."
        )
