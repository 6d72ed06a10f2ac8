"""What the base app does by the clock."""

from systemadmin.foundation.queue import LONG_CLUSTER
from systemadmin.foundation.sockets import Schedule

SCHEDULES = [
    Schedule(name="systemadmin.heartbeat", task="systemadmin.tasks.heartbeat", minutes=1),
    Schedule(name="systemadmin.seal_audit", task="systemadmin.tasks.seal_audit", minutes=1),
    Schedule(
        name="systemadmin.publish_audit_head",
        task="systemadmin.tasks.publish_audit_head",
        minutes=60,
    ),
    Schedule(
        name="systemadmin.verify_audit",
        task="systemadmin.tasks.verify_audit",
        cron="40 2 * * *",
        cluster=LONG_CLUSTER,
    ),
    # Where backups are made: it may have to make one before rows of the audit trail go.
    Schedule(
        name="systemadmin.prune",
        task="systemadmin.tasks.prune_expired",
        cron="20 3 * * *",
        cluster=LONG_CLUSTER,
    ),
    Schedule(
        name="systemadmin.tend_backups",
        task="systemadmin.tasks.tend_backups",
        minutes=5,
    ),
    Schedule(name="systemadmin.alerts", task="systemadmin.tasks.tell_and_retry", minutes=1),
]
