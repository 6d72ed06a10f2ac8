"""What runs by the clock at the risk desk."""

from systemadmin.foundation.sockets import Schedule

SCHEDULES = [
    Schedule(
        name="riskops.recompute_touched",
        task="riskops.tasks.recompute_touched_accounts",
        minutes=1,
    ),
    Schedule(
        name="riskops.recompute_everyone",
        task="riskops.tasks.recompute_everyone",
        cron="17 2 * * *",
    ),
    Schedule(name="riskops.resume_runs", task="riskops.tasks.resume_runs", minutes=10),
    Schedule(name="riskops.detect_anomalies", task="riskops.tasks.detect_anomalies", minutes=1),
    Schedule(name="riskops.label_addresses", task="riskops.tasks.label_addresses", minutes=15),
    Schedule(name="riskops.link_touched", task="riskops.tasks.link_touched", minutes=2),
    Schedule(
        name="riskops.link_everyone",
        task="riskops.tasks.link_everyone",
        cron="47 3 * * *",
        cluster="long",
    ),
]
