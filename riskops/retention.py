"""What the risk desk keeps: of whom, why, how long."""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q

from riskops.ingest.event_sums import add_to_sums
from riskops.ingest.refused_files import delete_refused_files, due_refused_files
from riskops.models import EventSum, SumAspect
from riskops.scores.history import RULE as SCORE_DETAILS
from riskops.scores.history import due_changes, thin_out
from systemadmin.foundation.retention import Job, Rows, Span, Table

WITH_ACCOUNT = "as long as the account"
SEEN = (
    "as long as the account: related accounts are calculated from all of it, and a device that an "
    "owner of banned accounts used years ago is how the next account is recognised"
)
DECISION = "as long as the account: a decision of staff about it, and the precision of the rules"
LOADS = Span(setting="retention.load_days")

# The events a hit was found in are only kept as sums: it cannot be found a second time.
_LOG_IS_GONE = Exists(
    EventSum.objects.filter(
        account=OuterRef("account"), aspect=SumAspect.KIND, last_at__gte=OuterRef("at")
    )
)

LOG = [
    Table(
        model="riskops.AccountEvent",
        holds="sign-ins, transfers, purchases and other acts with address, device and wallet",
        purpose="risk scores and anomalies",
        owners=["account"],
        rules=[
            Rows(
                name="events",
                span=Span(setting="retention.event_days"),
                moment="occurred_at",
                before=add_to_sums,
                needs_backup=True,
            )
        ],
    ),
    Table(
        model="riskops.EventOutcome",
        holds="which acts turned out to be fraud or legitimate, and since when that is known",
        purpose="the share of bad outcomes of counterparties in risk scores",
        owners=["account"],
        rules=[
            Rows(
                name="event_outcomes",
                span=Span(setting="retention.event_days"),
                moment="occurred_at",
            )
        ],
    ),
    Table(
        model="riskops.EventSum",
        holds="numbers, first and last moments of deleted events",
        purpose="scores, facts and links stay as they were when events are deleted",
        owners=["account"],
        kept=WITH_ACCOUNT,
    ),
    Table(
        model="riskops.IngestCheckpoint",
        holds="how far a file was loaded",
        purpose="a killed load goes on",
        rules=[
            Rows(name="loads", span=LOADS, moment="finished_at"),
            Job(
                name="refused_files",
                span=Span(setting="retention.refused_file_days"),
                run=lambda _seconds: delete_refused_files(),
                due=due_refused_files,
                says="files of refused rows in the data folder are deleted",
            ),
        ],
        kept="while the load is not finished",
    ),
    Table(
        model="riskops.DetectionMark",
        holds="how far anomalies were looked for",
        purpose="looking once",
        kept="one row",
    ),
]

FACTS = [
    Table(
        model="riskops.AccountFacts",
        holds="counters and moments of each account",
        purpose="risk scores",
        owners=["account"],
        kept=WITH_ACCOUNT,
    ),
    Table(
        model="riskops.AccountCountry",
        holds="countries an account signed in from",
        purpose="risk scores; unusual sign-ins",
        owners=["account"],
        kept=WITH_ACCOUNT,
    ),
    Table(
        model="riskops.Identifier",
        holds="addresses, devices and wallets, with how many accounts use them",
        purpose="related accounts",
        kept="for ever: it names no account; sightings do",
    ),
    Table(
        model="riskops.Sighting",
        holds="which account used which address, device or wallet, first, last and how often",
        purpose="related accounts",
        owners=["account"],
        kept=SEEN,
    ),
    Table(
        model="riskops.Dealing",
        holds="which account dealt with which wallet, first, last and how often",
        purpose="related accounts",
        owners=["account"],
        kept=SEEN,
    ),
    Table(
        model="riskops.LinkCalibration",
        holds="what each kind of evidence is worth, from how many verdicts, by whom",
        purpose="probabilities of related accounts, and how they came about",
        kept="always: one row for each time it is learnt",
    ),
    Table(
        model="riskops.OutsideDealing",
        holds="which wallets without an account dealt with a wallet",
        purpose="related accounts: a wallet that deals with many others joins nobody",
        kept="as long as the wallets",
    ),
    Table(
        model="riskops.PendingScore",
        holds="accounts whose score is to be calculated",
        purpose="calculating once",
        owners=["account"],
        kept="until it is calculated",
    ),
    Table(
        model="riskops.PendingLink",
        holds="accounts whose links are to be calculated",
        purpose="calculating once",
        owners=["account"],
        kept="until they are calculated",
    ),
    Table(
        model="riskops.IpRange",
        holds="public lists of addresses",
        purpose="risk scores",
        rules=[Rows(name="listed_addresses", span=Span(fixed=timedelta(0)), moment="expires_at")],
        kept="until the list is replaced",
    ),
]

FINDINGS = [
    Table(
        model="riskops.RiskScore",
        holds="the score of an account and why",
        purpose="which accounts staff look at",
        owners=["account"],
        kept=WITH_ACCOUNT,
    ),
    Table(
        model="riskops.RiskScoreHistory",
        holds="changes of scores",
        purpose="explaining a past decision",
        owners=["account"],
        rules=[
            Job(
                name=SCORE_DETAILS,
                span=Span(setting="retention.score_detail_days"),
                run=thin_out,
                due=due_changes,
                says="the last change of each day is kept, with the number of that day",
            ),
            Rows(
                name="score_history",
                span=Span(setting="retention.score_history_days"),
                moment="at",
            ),
        ],
    ),
    Table(
        model="riskops.RiskOverride",
        holds="scores set by staff with reasons",
        purpose="explaining a past decision",
        owners=["account"],
        kept=DECISION,
    ),
    Table(
        model="riskops.RiskOutcome",
        holds="what staff found an account to be",
        purpose="calibration of the rules",
        owners=["account"],
        kept=DECISION,
    ),
    Table(
        model="riskops.Anomaly",
        holds="unusual behaviour of an account and what staff made of it",
        purpose="which accounts staff look at",
        owners=["account"],
        kept=DECISION,
    ),
    Table(
        model="riskops.AnomalyHit",
        holds="each time a rule struck, with evidence",
        purpose="the same hit counts once",
        owners=["account"],
        rules=[
            Rows(
                name="anomaly_hits",
                span=Span(setting="retention.anomaly_hit_days"),
                moment="at",
                where=Q(anomaly__status="resolved") & Q(_LOG_IS_GONE),
            )
        ],
    ),
    Table(
        model="riskops.AnomalyRule",
        holds="rules that look for anomalies",
        purpose="configuration",
        kept="until staff delete it",
    ),
    Table(
        model="riskops.AnomalyExemption",
        holds="accounts that a rule leaves alone, with reasons",
        purpose="fewer false alarms",
        owners=["account"],
        kept=DECISION,
    ),
    Table(
        model="riskops.RelatedAccount",
        holds="pairs of accounts that may have one owner, with evidence",
        purpose="evasion of bans; nobody decides about themselves",
        owners=["low", "high"],
        kept="as long as both accounts",
    ),
    Table(
        model="riskops.AccountCluster",
        holds="groups of accounts that may have one owner",
        purpose="evasion of bans",
        owners=["members__account"],
        kept="until links no longer support it; one that staff judged stays",
    ),
    Table(
        model="riskops.ClusterMember",
        holds="which account is in which group",
        purpose="evasion of bans",
        owners=["account"],
        kept="as long as the group",
    ),
    Table(
        model="riskops.AccountNote",
        holds="what staff wrote about an account",
        purpose="the next look at it",
        owners=["account"],
        kept=WITH_ACCOUNT,
    ),
    Table(
        model="riskops.Decision",
        holds="what was answered about an act of an account in the moment, and why",
        purpose="explaining a past decision; the same question gets the same answer",
        owners=["account"],
        rules=[
            Rows(
                name="decisions",
                span=Span(setting="retention.decision_days"),
                moment="decided_at",
            )
        ],
    ),
    Table(
        model="riskops.DecisionRule",
        holds="rules that decide in the moment",
        purpose="configuration",
        kept="until staff delete it",
    ),
    Table(
        model="riskops.ListEntry",
        holds="accounts, addresses, devices … that staff allow, deny or watch, with reasons",
        purpose="decisions in the moment",
        owners=["account"],
        rules=[Rows(name="list_entries", span=Span(fixed=timedelta(0)), moment="expires_at")],
        kept="until it expires or staff take it off; one without an end for ever",
    ),
    Table(
        model="riskops.RiskRuleset",
        holds="versions of the risk rules",
        purpose="old scores stay explained",
        kept="for ever: scores name it; a few rows per year",
    ),
    Table(
        model="riskops.RecomputeRun",
        holds="recomputes of all scores",
        purpose="several workers share one",
        rules=[Rows(name="recomputes", span=LOADS, moment="finished_at")],
        kept="while it is not finished",
    ),
    Table(
        model="riskops.RecomputeChunk",
        holds="parts of a recompute",
        purpose="several workers share one",
        kept="as long as the recompute",
    ),
]

TABLES = [*LOG, *FACTS, *FINDINGS]
