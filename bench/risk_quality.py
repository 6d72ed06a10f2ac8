"""How well the score finds fraud on other people's data, beside what peers reach.

    python bench/risk_quality.py shop|payments [--data DIR] [--keep DIR] [--weeks N]

Loads a data set into a database of its own by the commands of docs/risk.md, runs detection and
the recompute, and reads the scores from the product's own tables; only then are they compared
with the labels that the data set gives. The peers learn from one half of these labels and are
measured on the other half, on which the product is measured too: with the shipped rules, and with
points that it learned from the outcomes of the first half.

The database is SQLite in a directory that is removed at the end, or kept with `--keep DIR` and not
loaded a second time; with DATABASE_URL=postgres://… it is made on that server and dropped.

`payments` follows the Fraud Detection Handbook: what became of a payment is known after seven days;
points are learned as of the day before a week; each day of that week the product lists the hundred
accounts with most points, those left out of which fraud of the two weeks before or later is known.
Card Precision@100 is the share of them with fraud on that day. Outcomes are loaded of fraud alone,
as a place hears of chargebacks.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
from databases import empty_database
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
SCORES = (
    "SELECT u.external_id, s.score FROM riskops_riskscore AS s "
    "JOIN systemadmin_user AS u ON u.id = s.account_id"
)
Row = dict[str, str]
Loader = Callable[[str, Path], None]
Numbers = NDArray[np.float64]


def rows_of(path: Path) -> list[Row]:
    """Return the rows of a gzipped CSV file."""
    with gzip.open(path, "rt", newline="") as file:
        return list(csv.DictReader(file))


@contextmanager
def database(name: str, keep: Path | None) -> Iterator[str]:
    """Yield the URL of a database: on the server of DATABASE_URL, else SQLite in a directory."""
    server = os.environ.get("DATABASE_URL", "")
    if server.startswith("postgres"):
        with empty_database(server, name) as url:
            yield url
        return
    with tempfile.TemporaryDirectory() as directory:
        place = (keep or Path(directory)).resolve()
        place.mkdir(parents=True, exist_ok=True)
        yield f"sqlite:///{place / name}.sqlite3"


def file_of(url: str) -> str:
    """Return the file of a SQLite database; empty for one on a server."""
    return url.removeprefix("sqlite:///") if url.startswith("sqlite") else ""


def load_once(url: str, load: Loader, data: Path) -> None:
    """Load a database unless it was kept loaded; what was loaded in part begins anew."""
    file = file_of(url)
    if not file:
        load(url, data)
        return
    mark = Path(f"{file}.loaded")
    if mark.is_file():
        print(f"  {url} is loaded already")
        return
    for rest in ("", "-wal", "-shm"):
        Path(f"{file}{rest}").unlink(missing_ok=True)
    load(url, data)
    mark.touch()


def run(url: str, *arguments: str) -> str:
    """Run a command of the product on a database, with how long it took; returns what it says."""
    env = os.environ | {"DATABASE_URL": url, "DJANGO_DEBUG": "1", "LOG_DIR": ""}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"manage.py {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    print(f"  {time.perf_counter() - started:6.1f} s  manage.py {' '.join(arguments)[:88]}")
    return done.stdout


def load_shop(url: str, data: Path) -> None:
    """Sign-ups and purchases, links, anomalies, scores."""
    run(url, "migrate", "-v0")
    signups, purchases = str(data / "signups.csv.gz"), str(data / "purchases.csv.gz")
    account = ("--kind", "account_created", "--create-accounts")
    run(url, "ingest_events", signups, "--source", "shop-signups", *account)
    run(url, "ingest_events", purchases, "--source", "shop-purchases", "--kind", "purchase")
    run(url, "detect_related_accounts")
    run(url, "detect_anomalies", "--all-history")
    run(url, "recompute_risk", "--all")


def learn_shop(url: str, judged: Sequence[Row]) -> None:
    """Load outcomes of accounts, learn points from them, publish these, score everyone again.

    A database that was kept is no longer what it was loaded as.
    """
    if file_of(url):
        Path(f"{file_of(url)}.loaded").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        outcomes = Path(directory) / "outcomes.csv"
        with outcomes.open("w", newline="") as written:
            writer = csv.DictWriter(written, ["account_external_id", "fraud"])
            writer.writeheader()
            writer.writerows(judged)
        run(url, "ingest_outcomes", str(outcomes))
    draft = re.search(r"Draft (\d+) saved", run(url, "learn_rules", "--by", "account"))
    if draft is None:
        raise SystemExit("learn_rules saved no draft.")
    run(url, "shell", "-v0", "-c", PUBLISH.format(draft[1]))
    run(url, "recompute_risk", "--all")


def scores_of(url: str) -> dict[str, float]:
    """Return the score of each account as the product stored it."""
    file = file_of(url)
    with sqlite3.connect(file) if file else psycopg.connect(url) as connection:
        return {name: float(score) for name, score in connection.execute(SCORES).fetchall()}


# -- what is measured ------------------------------------------------------------


def figures(scores: Numbers, bad: NDArray[np.bool_]) -> dict[str, float]:
    """AUC, average precision and recall at 5 % false positives; equal scores share their rank."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    found = np.cumsum(bad[order])[last]
    wrong = np.cumsum(~bad[order])[last]
    recall, alarms = found / bad.sum(), wrong / (~bad).sum()
    steps = np.diff(recall, prepend=0.0)
    return {
        "AUC": float(np.trapezoid(np.append(0, recall), np.append(0, alarms))),
        "average precision": float((steps * found / (found + wrong)).sum()),
        "recall at 5 %": float(np.interp(0.05, np.append(0, alarms), np.append(0, recall))),
    }


def untied(scores: Numbers, bad: NDArray[np.bool_]) -> float:
    """Average precision with equal scores in a random order, the mean of twenty orders.

    Whole numbers from 0 to 100 leave thousands of accounts equal, of which nothing is known; a
    learner's probabilities put them into some order.
    """
    order, chance = np.unique(scores, return_inverse=True)[1], np.random.default_rng(1)
    draws = [figures(order + chance.random(len(order)), bad) for _draw in range(20)]
    return float(np.mean([draw["average precision"] for draw in draws]))


def show(name: str, scores: Numbers, bad: NDArray[np.bool_]) -> None:
    found = (*figures(scores, bad).values(), untied(scores, bad))
    print(f"  {name:<40}" + "".join(f"{value:>12.3f}" for value in found))


# -- peers -----------------------------------------------------------------------


def shop_features(data: Path) -> tuple[list[str], Numbers]:
    """For each account: accounts on its device and address, time to purchase, amount."""
    signups = {row["account_external_id"]: row for row in rows_of(data / "signups.csv.gz")}
    purchases = {row["account_external_id"]: row for row in rows_of(data / "purchases.csv.gz")}
    behind: dict[tuple[str, str], set[str]] = {}
    for row in (*signups.values(), *purchases.values()):
        for kind in ("device", "ip"):
            behind.setdefault((kind, row[kind]), set()).add(row["account_external_id"])
    names = sorted(signups)
    features = []
    for name in names:
        row, bought = signups[name], purchases.get(name)
        waited = 1e9
        if bought is not None:
            moments = (row["occurred_at"], bought["occurred_at"])
            first, then = (datetime.fromisoformat(moment) for moment in moments)
            waited = (then - first).total_seconds()
        devices, addresses = (len(behind[kind, row[kind]]) - 1 for kind in ("device", "ip"))
        amount = float(bought["amount"]) if bought else 0.0
        features.append([devices, addresses, np.log1p(waited), amount])
    return names, np.array(features)


def show_peers(data: Path, names: Sequence[str], bad: NDArray[np.bool_]) -> None:
    """Plain counting and two learners on the second half of the labelled accounts."""
    everyone, features = shop_features(data)
    place = {name: row for row, name in enumerate(everyone)}
    known = features[[place[name] for name in names]]
    half = len(names) // 2
    show("accounts per device", known[half:, 0], bad[half:])
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError:
        print("  (scikit-learn is not installed: no learning peers)")
        return
    for title, model in (
        ("logistic regression", make_pipeline(StandardScaler(), LogisticRegression())),
        ("gradient boosting", HistGradientBoostingClassifier(random_state=1)),
    ):
        model.fit(known[:half], bad[:half])
        show(title, model.predict_proba(known[half:])[:, 1], bad[half:])


# Staff publish a draft on its page; there is no command for it.
PUBLISH = """
from riskops.models import RiskRuleset
from riskops.scores.rulesets import publish_ruleset
publish_ruleset(actor=None, ruleset=RiskRuleset.objects.get(pk={}))
"""


def measure_shop(url: str, data: Path) -> None:
    """Load, score, compare."""
    load_once(url, load_shop, data)
    scores = scores_of(url)
    outcomes = sorted(rows_of(data / "outcomes.csv.gz"), key=lambda r: r["account_external_id"])
    # The same order for everyone, without a pattern in the names.
    order = np.random.default_rng(1).permutation(len(outcomes))
    names = [outcomes[row]["account_external_id"] for row in order]
    bad = np.array([outcomes[row]["fraud"] == "1" for row in order])
    found = np.array([scores[name] for name in names])
    half = len(names) // 2
    print(f"\n  {'':<40}{'AUC':>12}{'av. prec.':>12}{'R at 5 %':>12}{'untied':>12}")
    show(f"shipped rules, all {len(names):,} labelled", found, bad)
    show(f"shipped rules, {len(names) - half:,} of them", found[half:], bad[half:])
    learn_shop(url, [outcomes[row] for row in order[:half]])
    learned = scores_of(url)
    show("learned points, the same", np.array([learned[n] for n in names[half:]]), bad[half:])
    show_peers(data, names, bad)


# -- card payments -----------------------------------------------------------------

FIRST_DAY = datetime(2018, 5, 11, tzinfo=UTC)
# The last three weeks of 68 days.
WEEKS = (47, 54, 61)
LIST = 100
DELAY = 7  # days
PAYMENT = {
    "external_id": "external_id",
    "account_external_id": "account_external_id",
    "occurred_at": "occurred_at",
    "counterparty_wallet": "counterparty",
    "amount": "amount",
}


def load_payments(url: str, data: Path) -> None:
    """Payments, and which of them were fraud, seven days later."""
    file = str(data / "payments.csv.gz")
    columns = ",".join(f"{field}={column}" for field, column in PAYMENT.items())
    run(url, "migrate", "-v0")
    how = ("--kind", "purchase", "--create-accounts", "--set", "currency=EUR", "--map", columns)
    run(url, "ingest_events", file, "--source", "cards", "--batch", "5000", *how)
    known = ("--known-after", str(DELAY), "--batch", "5000")
    with tempfile.TemporaryDirectory() as directory:
        outcomes = Path(directory) / "outcomes.csv"
        with outcomes.open("w", newline="") as written:
            fraud = [row for row in rows_of(data / "payments.csv.gz") if row["fraud"] == "1"]
            csv.writer(written).writerows(
                [("event", "fraud"), *((row["external_id"], "1") for row in fraud)]
            )
        run(url, "ingest_outcomes", str(outcomes), "--source", "cards", *known)


def day_at(number: int) -> str:
    """Return the beginning of a day as commands take it."""
    return (FIRST_DAY + timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def learned_draft(url: str, week: int) -> str:
    """Learn from what was known before a week; returns the draft as `--ruleset` takes it."""
    output = run(url, "learn_rules", "--as-of", day_at(week), "--days", str(DELAY * 4))
    draft = re.search(r"Draft (\d+) saved", output)
    if draft is None:
        raise SystemExit(output)
    return f"-{draft[1]}"


def daily_list(url: str, week: int, day: int, draft: str | None) -> set[str]:
    """Return the accounts listed at the end of a day, by the rules in force or a draft."""
    output = run(
        url,
        *("recompute_risk", "--as-of", day_at(day + 1), "--top", str(LIST), "--json"),
        *("--leave-out-known", str(day + 1 - week + DELAY), "--dry-run"),
        *(("--ruleset", draft) if draft else ()),
    )
    return {one["external_id"] for one in json.loads(output)["riskiest"]}


def measure_payments(url: str, data: Path, weeks: int) -> None:
    """Load, learn before each week, list each day, compare."""
    load_once(url, load_payments, data)
    show_payments(url, rows_of(data / "payments.csv.gz"), WEEKS[-weeks:])


def fraud_by_day(rows: Sequence[Row]) -> dict[int, set[str]]:
    """Return the accounts with a fraudulent payment, by the number of the day."""
    fraud: dict[int, set[str]] = {}
    for row in rows:
        if row["fraud"] == "1":
            number = (datetime.fromisoformat(row["occurred_at"]) - FIRST_DAY).days
            fraud.setdefault(number, set()).add(row["account_external_id"])
    return fraud


def show_payments(url: str, rows: Sequence[Row], weeks: Sequence[int]) -> None:
    """Compare the daily lists of a loaded database with what became of the payments."""
    fraud = fraud_by_day(rows)
    shipped, learned = [], []
    for week in weeks:
        draft = learned_draft(url, week)
        for ruleset, precisions in ((None, shipped), (draft, learned)):
            found = [
                len(daily_list(url, week, day, ruleset) & fraud[day]) / LIST
                for day in range(week, week + 7)
            ]
            precisions.append(float(np.mean(found)))
            print(f"  from day {week}, {ruleset or 'shipped rules'}: {precisions[-1]:.3f}")
    titles = [*(f"from day {week}" for week in weeks), "mean"]
    print(f"\n  Card Precision@{LIST:<22}" + "".join(f"{title:>12}" for title in titles))
    for name, values in (("shipped rules", shipped), ("learned points", learned)):
        figures = "".join(f"{value:>12.3f}" for value in values)
        print(f"  {name:<37}{figures}{np.mean(values):>12.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("set", choices=["shop", "payments"])
    parser.add_argument("--data", type=Path, default=DATA, help="where the data sets lie")
    parser.add_argument("--keep", type=Path, help="keep the SQLite database in this directory")
    parser.add_argument(
        "--weeks",
        type=int,
        default=len(WEEKS),
        choices=range(1, len(WEEKS) + 1),
        help="of payments: only the last so many weeks",
    )
    options = parser.parse_args()
    data = options.data / options.set
    if not data.is_dir():
        print(f"There is no data in {data}: nothing is measured.")
        return 0
    with database(f"risk_quality_{options.set}", options.keep) as url:
        if options.set == "shop":
            measure_shop(url, data)
        else:
            measure_payments(url, data, options.weeks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
