"""`manage.py learn_rules`: draft a ruleset whose points are learned from outcomes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from riskops.management.past_moment import past_moment
from riskops.scores.account_days import MOST_DAYS, USUAL_DAYS
from riskops.scores.learn import Learned, draft_learned_rules, learn_rules
from systemadmin.foundation.context import context
from systemadmin.foundation.errors import DomainError

EPILOG = """
examples:
  manage.py learn_rules                          from accounts that were judged, if enough were
  manage.py learn_rules --by day --days 28       from what became of the events of 28 days
  manage.py learn_rules --as-of 2026-03-01       the same, with what was known then

The draft counts for nothing until it is published: try it by What-if or by
recompute_risk --ruleset -ID --dry-run. Exit code 2: there are too few outcomes.
"""


class Command(BaseCommand):
    help = "Draft a ruleset whose points are learned from outcomes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = EPILOG
        parser.add_argument("--dry-run", action="store_true", help="show it, save nothing")
        parser.add_argument(
            "--by", choices=("account", "day"), help="judged accounts, or days with their events"
        )
        parser.add_argument(
            "--days", type=int, default=USUAL_DAYS, help="by day: so many (default 28)"
        )
        parser.add_argument("--as-of", help="by day: with what was known at a past moment")
        parser.add_argument("--note", default="", help="note of the draft")

    def handle(self, *args: Any, **options: Any) -> None:
        how = self._how(options)
        with context(source="command"):
            try:
                if options["dry_run"]:
                    self._show(learn_rules(**how))
                    return
                found, draft = draft_learned_rules(actor=None, note=options["note"][:400], **how)
            except DomainError as fault:
                raise CommandError(str(fault), returncode=2) from fault
        self._show(found)
        self.stdout.write(f"Draft {draft.pk} saved.")

    def _how(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["by"] == "account" and options["as_of"]:
            raise CommandError("--as-of is for learning by day.", returncode=2)
        if not 1 <= options["days"] <= MOST_DAYS:
            raise CommandError(f"--days: 1 to {MOST_DAYS}.", returncode=2)
        return {
            "by": options["by"],
            "as_of": past_moment(options["as_of"]),
            "days": options["days"],
        }

    def _show(self, found: Learned) -> None:
        what = "accounts" if found.by == "account" else "days of accounts"
        self.stdout.write(
            f"{found.accounts} {what} with an outcome, {found.fraud} of them fraud; "
            f"{found.apart} kept apart"
        )
        self.stdout.write(f"{'on those kept apart':<34}{'AUC':>8}{'av. precision':>16}")
        for name, one in (("rules in force", found.before), ("learned points", found.after)):
            self.stdout.write(f"  {name:<32}{one.auc:>8.3f}{one.average_precision:>16.3f}")
        self.stdout.write("probability predicted -> share of fraud, accounts")
        for line in found.calibration:
            share = f"{line.predicted:.2f} -> {line.fraud:.2f}"
            self.stdout.write(f"  {line.low:>3} % and more  {share}{line.accounts:>8}")
        for factor in found.points.factors:
            steps = ", ".join(f"{count}={points}" for count, points in factor.steps)
            self.stdout.write(
                f"  {factor.code:<28}{factor.accounts:>8} {what}, {factor.fraud} fraud: {steps}"
            )
