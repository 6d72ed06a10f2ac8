"""`manage.py backtest_decisions`: what decision rules would have done in a past time."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from riskops.decisions.backtest import DAYS, Backtest, backtest
from riskops.decisions.rulebook import rule_of
from riskops.models import DecisionRule
from systemadmin.foundation.context import context

EPILOG = """
Scores are those of that time, measures count up to each event, lists are as they are now. Rules
that are off or in shadow mode are tried too. Exit code 2: there is no such rule.
"""


class Command(BaseCommand):
    help = "Show what decision rules would have matched among the events of the last days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = EPILOG
        parser.add_argument("rule", nargs="*", help="codes of rules; all without")
        parser.add_argument("--days", type=int, default=DAYS, help=f"days back ({DAYS})")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["days"] <= 400:
            raise CommandError("--days must be from 1 to 400.", returncode=2)
        rules = DecisionRule.objects.in_order()
        if options["rule"]:
            rules = rules.filter(code__in=options["rule"])
            missing = set(options["rule"]) - set(rules.values_list("code", flat=True))
            if missing:
                raise CommandError(f"No such rule: {', '.join(sorted(missing))}", returncode=2)
        end = timezone.now()
        start = end - timedelta(days=options["days"])
        with context(source="command"):
            for rule in rules:
                started = time.perf_counter()
                found = backtest(rule_of(rule), start=start, end=end)
                self._show(rule, found, time.perf_counter() - started)

    def _show(self, rule: DecisionRule, found: Backtest, spent: float) -> None:
        self.stdout.write(
            f"{rule.code} ({rule.outcome}): {found.matched} of {found.events} events, "
            f"{found.accounts} accounts, {spent:.1f} s"
        )
        self.stdout.write(
            f"  known fraud: {found.fraud_accounts} accounts ({found.fraud_events} events); "
            f"known legitimate: {found.good_accounts} accounts ({found.good_events} events)"
        )
        if found.precision is not None and found.recall is not None:
            self.stdout.write(
                f"  precision {found.precision:.2f}, of all known fraud {found.recall:.2f}"
            )
        for total in found.totals:
            self.stdout.write(f"  {total.currency}: {total.events} events, {total.amount}")
