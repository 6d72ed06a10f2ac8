"""What this desk does by the clock."""

from systemadmin.foundation.plugins import Schedule
from systemadmin.foundation.queue import LONG_CLUSTER

SCHEDULES = [
    Schedule(
        name="messaging.start_due_broadcasts",
        task="messaging.tasks.start_due_broadcasts",
        minutes=1,
        batches=("messaging.start_due_broadcasts", "messaging.deliver_broadcast"),
    ),
    Schedule(
        name="messaging.send_due_notices",
        task="messaging.tasks.send_due_notices",
        minutes=1,
        batches=("messaging.send_due_notices",),
    ),
    Schedule(
        name="messaging.report_to_risk_engine",
        task="messaging.tasks.report_to_risk_engine",
        minutes=1,
        batches=("messaging.report_to_risk_engine",),
    ),
    # Where backups are made: it may have to make one first.
    Schedule(
        name="messaging.expire",
        task="messaging.tasks.expire",
        cron="20 3 * * *",
        cluster=LONG_CLUSTER,
        batches=("messaging.expire", "messaging.expire_messages"),
    ),
]
