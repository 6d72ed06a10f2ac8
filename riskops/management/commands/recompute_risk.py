"""`manage.py recompute_risk`: score accounts again, or tell what other rules would change."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count
from django.utils import timezone
from tqdm import tqdm

from riskops.account_sets import Accounts
from riskops.errors import LogTooShort
from riskops.management.past_moment import past_moment
from riskops.models import PendingScore, RecomputeRun, RiskRuleset
from riskops.models.scores import Cause
from riskops.scores import recompute, replay
from riskops.scores.account_days import found_out
from riskops.scores.calculate import Scored
from riskops.scores.due import account_ranges
from riskops.scores.rules import LEVELS, Ruleset
from riskops.scores.rulesets import current_ruleset
from systemadmin.foundation.context import context
from systemadmin.models import User

EPILOG = """
examples:
  manage.py recompute_risk                     accounts touched since they were scored
  manage.py recompute_risk --all               everyone; killed and started again it goes on
  manage.py recompute_risk 12 15               these accounts
  manage.py recompute_risk --all --rebuild     facts derived again from the raw log first
  manage.py recompute_risk --all --dry-run --diff          who would change
  manage.py recompute_risk --ruleset 3 --dry-run --diff    who would cross which threshold
  manage.py recompute_risk --as-of 2026-01-31 --diff       then and now
  manage.py recompute_risk --as-of 2026-01-31 --top 100 --leave-out-known 14   whom to look at

Exit code 0: done, or nothing would change; 1: --dry-run found changes; 2: an option is wrong.
"""


class Command(BaseCommand):
    help = "Recompute risk scores."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = EPILOG
        parser.add_argument("accounts", nargs="*", type=int, help="ids of accounts")
        parser.add_argument("--all", action="store_true", help="every account")
        parser.add_argument("--rebuild", action="store_true", help="derive facts from the log")
        parser.add_argument("--dry-run", action="store_true", help="write nothing")
        parser.add_argument("--diff", action="store_true", help="name who crosses a threshold")
        parser.add_argument(
            "--ruleset", type=int, help="number of a ruleset, or minus a draft's id"
        )
        parser.add_argument(
            "--as-of", help="score for a past moment, from the log (writes nothing)"
        )
        parser.add_argument(
            "--top", type=int, default=0, help="list so many accounts with most points"
        )
        parser.add_argument(
            "--leave-out-known",
            type=int,
            metavar="DAYS",
            help="--top without accounts of which fraud became known in so many days before",
        )
        parser.add_argument("--chunk", type=int, default=recompute.CHUNK, help="accounts a chunk")
        parser.add_argument("--json", action="store_true", help="the summary as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        self.options = options
        self._check()
        started = time.monotonic()
        with context(source="command"):
            looks_only = options["dry_run"] or options["as_of"] or options["ruleset"] is not None
            changes = self._look() if looks_only else self._write()
        if not options["json"]:
            self.stdout.write(f"{time.monotonic() - started:.2f} s")
        if changes:
            sys.exit(1)

    def _check(self) -> None:
        options = self.options
        if options["accounts"] and options["all"]:
            raise CommandError("Give account ids or --all, not both.", returncode=2)
        if options["ruleset"] is not None and not options["dry_run"]:
            raise CommandError(
                "--ruleset tries rules out and needs --dry-run; to put them in force, publish "
                "them.",
                returncode=2,
            )
        self._check_numbers()
        wanted = set(options["accounts"])
        missing = wanted - set(User.objects.filter(pk__in=wanted).values_list("pk", flat=True))
        if missing:
            raise CommandError(f"No such account: {sorted(missing)}", returncode=2)

    def _check_numbers(self) -> None:
        options = self.options
        if not 0 <= options["top"] <= 10_000:
            raise CommandError("--top: 0 to 10000.", returncode=2)
        days = options["leave_out_known"]
        if days is not None and not (options["top"] and 1 <= days <= 3660):
            raise CommandError("--leave-out-known: 1 to 3660 days, with --top.", returncode=2)
        if not 1 <= options["chunk"] <= 1_000_000:
            raise CommandError("--chunk: 1 to 1000000.", returncode=2)

    # -- writing -----------------------------------------------------------------

    def _write(self) -> bool:
        options = self.options
        if options["accounts"]:
            with self._bar(len(options["accounts"])) as bar:
                total = recompute.recompute_accounts(
                    options["accounts"],
                    rebuild=options["rebuild"],
                    progress=lambda part: bar.update(part.scored),
                )
        elif options["all"] or options["rebuild"]:
            total = self._run_all()
        else:
            with self._bar(PendingScore.objects.count()) as bar:
                total = recompute.recompute_touched(
                    cause=Cause.MANUAL, progress=lambda part: bar.update(part.scored)
                )
        self._summary(total)
        return False

    def _run_all(self) -> Scored:
        rebuild = self.options["rebuild"]
        run = recompute.unfinished_run(current_ruleset(), rebuild=rebuild)
        if run is not None:
            self.stderr.write(f"Going on with the run of {run.created_at:%Y-%m-%d %H:%M}.")
        else:
            run = recompute.start_run(
                cause=Cause.MANUAL, rebuild=rebuild, chunk_size=self.options["chunk"]
            )
        with self._bar(User.objects.count()) as bar:
            bar.update(recompute.total_of(run).scored)
            while not recompute.work_on(run, progress=lambda part: bar.update(part.scored)):
                self._wait_for_others(run)
        return recompute.total_of(run)

    def _wait_for_others(self, run: RecomputeRun) -> None:
        working = run.chunks.filter(done_at__isnull=True).aggregate(number=Count("pk"))
        self.stderr.write(f"{working['number']} chunks are still with other workers.")
        time.sleep(2)

    def _summary(self, total: Scored) -> None:
        by_level = dict(zip(LEVELS, total.by_level, strict=True))
        if self.options["json"]:
            summary = {"scored": total.scored, "written": total.written, "by_level": by_level}
            self.stdout.write(json.dumps(summary))
            return
        self.stdout.write(f"{total.scored} accounts scored, {total.written} written")
        for level, number in by_level.items():
            self.stdout.write(f"  {level:<10}{number:>10}")

    # -- looking -----------------------------------------------------------------

    def _look(self) -> bool:
        moment = past_moment(self.options["as_of"]) or timezone.now()
        before = current_ruleset().rules
        after = self._ruleset() if self.options["ruleset"] is not None else before
        trying = self.options["ruleset"] is not None
        from_log = bool(self.options["as_of"]) or self.options["rebuild"]
        total, top = replay.Comparison(), self.options["top"]
        days = self.options["leave_out_known"]
        known = found_out(moment, days) if days else None
        with self._bar(User.objects.count()) as bar:
            for accounts in self._ranges():
                try:
                    part = (
                        replay.compare_rulesets(
                            accounts,
                            before,
                            after,
                            at=moment,
                            from_log=from_log,
                            top=top,
                            left_out=known,
                        )
                        if trying
                        else replay.compare_with_stored(
                            accounts, after, at=moment, from_log=from_log, top=top, left_out=known
                        )
                    )
                except LogTooShort as refusal:
                    raise CommandError(str(refusal.detail), returncode=2) from refusal
                bar.update(part.scored)
                self._show_crossings(part)
                replay.add_up(total, part, keep=0)
        self._compared(total)
        return bool(total.crossed) and not self.options["as_of"]

    def _ranges(self) -> list[Accounts]:
        if self.options["accounts"]:
            return [Accounts.listed(self.options["accounts"])]
        return [Accounts(low, high) for low, high in account_ranges(self.options["chunk"])]

    def _ruleset(self) -> Ruleset:
        number = self.options["ruleset"]
        lookup = {"number": number} if number > 0 else {"pk": -number, "number__isnull": True}
        found = RiskRuleset.objects.filter(**lookup).first()
        if found is None:
            raise CommandError(f"There is no ruleset {number}.", returncode=2)
        return found.rules

    def _show_crossings(self, part: replay.Comparison) -> None:
        if not self.options["diff"] or self.options["json"]:
            return
        for c in part.crossings:
            alert = {(False, True): " alert", (True, False): " no more alert"}.get(
                (c.alert_before, c.alert_after), ""
            )
            self.stdout.write(
                f"{c.account}: {c.score_before} {c.level_before} -> "
                f"{c.score_after} {c.level_after}{alert}"
            )

    def _compared(self, total: replay.Comparison) -> None:
        levels = [
            {"level": level, "before": before, "after": after}
            for level, before, after in zip(
                LEVELS, total.by_level_before, total.by_level_after, strict=True
            )
        ]
        judgements = {"before": total.judgement_before, "after": total.judgement_after}
        judged = {
            when: {"precision": found.precision, "recall": found.recall}
            for when, found in judgements.items()
        }
        if self.options["json"]:
            summary = {"scored": total.scored, "crossed": total.crossed, "levels": levels}
            summary |= {"against_outcomes": judged, "riskiest": self._named(total.riskiest)}
            self.stdout.write(json.dumps(summary))
            return
        for one in self._named(total.riskiest):
            self.stdout.write(
                f"{one['account']} {one['external_id']}: {one['score']} ({one['raw']} points)"
            )
        self.stdout.write(f"{total.scored} accounts scored, {total.crossed} would cross")
        for row in levels:
            self.stdout.write(f"  {row['level']:<10}{row['before']:>10} -> {row['after']:>10}")
        for when, found in judged.items():
            if found["precision"] is not None or found["recall"] is not None:
                self.stdout.write(
                    f"  against staff outcomes, {when}: precision {_percent(found['precision'])}, "
                    f"recall {_percent(found['recall'])}"
                )

    def _named(self, riskiest: list[replay.RankedAccount]) -> list[dict[str, Any]]:
        users = User.objects.filter(pk__in=[one.account for one in riskiest])
        names = dict(users.values_list("pk", "external_id"))
        return [{**asdict(one), "external_id": names.get(one.account)} for one in riskiest]

    def _bar(self, total: int) -> Any:
        return tqdm(total=total or None, unit=" accounts", disable=None, file=self.stderr._out)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
