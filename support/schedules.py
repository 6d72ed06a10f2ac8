"""What the desk does by the clock."""

from systemadmin.foundation.sockets import Schedule

SCHEDULES = [
    Schedule(name="support.sweep_sla", task="support.tasks.sweep_sla", minutes=1),
    Schedule(name="support.sweep_mail", task="support.tasks.sweep_mail", minutes=1),
    Schedule(name="support.fetch_mail", task="support.tasks.fetch_mail", minutes=2),
    Schedule(name="support.close_resolved", task="support.tasks.close_resolved", cron="15 * * * *"),
]
