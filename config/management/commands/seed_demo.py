"""Fill an empty installation with a believable small marketplace."""

import random
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from systemadmin import audit
from systemadmin.foundation import plugins
from systemadmin.foundation.context import context
from systemadmin.services.demo import has_demo_rows
from systemadmin.services.demo_2fa import demo_code
from systemadmin.services.notifications import hold_back_demo_notices
from systemadmin.services.second_person import without_second_person


class Command(BaseCommand):
    """`manage.py seed_demo`: every desk adds its part, the lowest floor first."""

    help = "Create the demo's people and what they did; all of it is marked as demo."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="do nothing if there is demo data")
        parser.add_argument("--seed", type=int, default=2026, help="another number, another town")

    def handle(self, *args: Any, once: bool, seed: int, **options: Any) -> None:
        if not settings.DEMO_MODE:
            raise CommandError("Demo accounts have published passwords: set DEMO_MODE=1 first.")
        if has_demo_rows():
            if once:
                return
            raise CommandError("There is demo data already. Remove it first: manage.py purge_demo")
        now = timezone.now().replace(minute=0, second=0, microsecond=0)
        # Not a secret: the same seed must give the same town.
        world = plugins.DemoWorld(rng=random.Random(seed), now=now)  # noqa: S311
        with context(source="command"), without_second_person(), transaction.atomic():
            for desk in plugins.modules("demo"):
                began = time.perf_counter()
                desk.seed(world)
                name = desk.__name__.split(".")[0]
                self.stdout.write(f"  {name:<12} {time.perf_counter() - began:5.1f} s")
            hold_back_demo_notices()
            audit.record("systemadmin.demo.seeded", actor=None, metadata={"seed": seed})
        if settings.REQUIRE_STAFF_2FA:
            self.stdout.write(f"  Demo staff enter the one-time code {demo_code()}.")
