"""What runs by the clock at the risk desk."""

from systemadmin.foundation.plugins import Schedule

SCHEDULES = [
    Schedule(
        name="riskops.recompute_touched",
        task="riskops.tasks.recompute_touched_accounts",
        minutes=1,
        batches=("riskops.recompute_touched",),
    ),
    Schedule(
        name="riskops.recompute_everyone",
        task="riskops.tasks.recompute_everyone",
        cron="17 2 * * *",
        batches=("riskops.recompute_chunks",),
    ),
    Schedule(
        name="riskops.resume_runs",
        task="riskops.tasks.resume_runs",
        minutes=10,
        batches=("riskops.recompute_chunks",),
    ),
    Schedule(
        name="riskops.detect_anomalies",
        task="riskops.tasks.detect_anomalies",
        minutes=1,
        batches=("riskops.anomaly_rules",),
    ),
    Schedule(
        name="riskops.label_addresses",
        task="riskops.tasks.label_addresses",
        minutes=15,
        whole="two statements over all addresses",
    ),
    Schedule(
        name="riskops.link_touched",
        task="riskops.tasks.link_touched",
        minutes=2,
        whole="pairs of accounts in a few statements; what was touched stays on its list",
    ),
    Schedule(
        name="riskops.link_everyone",
        task="riskops.tasks.link_everyone",
        cron="47 3 * * *",
        cluster="long",
        whole="pairs of accounts in a few statements, anew every night",
    ),
]
