"""What this desk does by the clock."""

from systemadmin.foundation.plugins import Schedule

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
]
