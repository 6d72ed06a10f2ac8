"""What the base app does by the clock."""

from systemadmin.foundation.plugins import Schedule
from systemadmin.foundation.queue import LONG_CLUSTER

SCHEDULES = [
    Schedule(
        name="systemadmin.heartbeat",
        task="systemadmin.tasks.heartbeat",
        minutes=1,
        whole="one row",
    ),
    Schedule(
        name="systemadmin.seal_audit",
        task="systemadmin.tasks.seal_audit",
        minutes=1,
        whole="a chain: each seal contains the one before",
    ),
    Schedule(
        name="systemadmin.publish_audit_head",
        task="systemadmin.tasks.publish_audit_head",
        minutes=60,
        whole="one file",
    ),
    Schedule(
        name="systemadmin.verify_audit",
        task="systemadmin.tasks.verify_audit",
        cron="40 2 * * *",
        cluster=LONG_CLUSTER,
        whole="one run over the chain, which goes on where it stopped",
    ),
    # Where backups are made: it may have to make one before rows of the audit trail go.
    Schedule(
        name="systemadmin.prune",
        task="systemadmin.tasks.prune_expired",
        cron="20 3 * * *",
        cluster=LONG_CLUSTER,
        batches=("systemadmin.prune", "systemadmin.pruned_files"),
    ),
    Schedule(
        name="systemadmin.tend_backups",
        task="systemadmin.tasks.tend_backups",
        # Work of a process that died is marked, and made anew, within two minutes.
        minutes=1,
        whole="four parts that each go on when another fails, with an alert of their own",
    ),
    Schedule(
        name="systemadmin.dispatch_events",
        task="systemadmin.tasks.dispatch_events",
        minutes=1,
        whole="numbers without a gap, given by one statement",
    ),
    Schedule(
        name="systemadmin.deliver_due_webhooks",
        task="systemadmin.tasks.deliver_due_webhooks",
        minutes=1,
        batches=("systemadmin.tasks.deliver_webhook",),
    ),
    Schedule(
        name="systemadmin.expire_approvals",
        task="systemadmin.tasks.expire_approvals",
        minutes=5,
        batches=("systemadmin.expire_approvals",),
    ),
    Schedule(
        name="systemadmin.alerts",
        task="systemadmin.tasks.tell_and_retry",
        minutes=1,
        batches=(
            "systemadmin.alerts",
            "systemadmin.alert_rules",
            "systemadmin.alert_notices",
            "systemadmin.tasks.send_alert_notice",
            "systemadmin.tasks.deliver_notification",
        ),
    ),
]
