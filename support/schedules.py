"""What the desk does by the clock."""

from systemadmin.foundation.plugins import Schedule

SCHEDULES = [
    Schedule(
        name="support.sweep_sla",
        task="support.tasks.sweep_sla",
        minutes=1,
        batches=("support.sweep_sla",),
    ),
    Schedule(
        name="support.sweep_mail",
        task="support.tasks.sweep_mail",
        minutes=1,
        batches=("support.sweep_mail", "support.sweep_inbox", "support.tasks.deliver_mail"),
    ),
    Schedule(
        name="support.send_agent_notices",
        task="support.tasks.send_agent_notices",
        minutes=1,
        batches=("support.send_agent_notices",),
    ),
    Schedule(
        name="support.fetch_mail",
        task="support.tasks.fetch_mail",
        minutes=2,
        batches=("support.fetch_mail",),
    ),
    Schedule(
        name="support.close_resolved",
        task="support.tasks.close_resolved",
        cron="15 * * * *",
        batches=("support.close_and_forget", "support.close_resolved"),
    ),
]
