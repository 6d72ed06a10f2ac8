"""Queue tasks of the base app: thin."""

from systemadmin.foundation.batches import Batch
from systemadmin.services import (
    alert_delivery,
    alert_rules,
    approvals,
    audit_heads,
    audit_runs,
    backups,
    erasure,
    event_log,
    notifications,
    personal_exports,
    sign_in_lock,
    telemetry,
    webhooks,
)
from systemadmin.services.audit_chain import seal_audit_trail
from systemadmin.services.retention import prune_nightly

ALERTS = Batch("systemadmin.alerts", is_atomic=False)


def deliver_notification(notification_id: int) -> None:
    """Send one queued notice to an account."""
    notifications.OUTBOX.deliver(notification_id)


def deliver_security_notice(notification_id: int) -> None:
    """Send one queued notice about the security of an account; also while the queue is paused."""
    notifications.OUTBOX.deliver(notification_id)


def send_sign_in_code(user_id: int) -> None:
    """Send the one-time code of a locked sign-in; 0 names no account and does nothing."""
    sign_in_lock.send_code(user_id)


def send_alert_notice(notice_id: int) -> None:
    """Send one queued notice to an alert channel."""
    alert_delivery.OUTBOX.deliver(notice_id)


def tell_and_retry() -> dict[str, int]:
    """Evaluate alert rules, send new notices, retry failed ones."""
    return ALERTS.parts(
        firing=alert_rules.evaluate_rules,
        notices=alert_delivery.send_due_notices,
        notifications=lambda: len(notifications.OUTBOX.deliver_due()),
    )


def heartbeat() -> None:
    """Leave the worker's sign of life."""
    telemetry.heartbeat_of_worker()


def seal_audit() -> int:
    """Add new audit rows to the hash chain."""
    return seal_audit_trail()


def publish_audit_head() -> None:
    """Keep the head of the audit trail outside the database when it is due."""
    audit_heads.publish_head()


def verify_audit() -> None:
    """Verify the audit trail, once a night."""
    audit_runs.verify_by_the_clock()


def run_audit_verification(run_id: int) -> None:
    """Verify the audit trail as asked."""
    audit_runs.run_verification(run_id)


def prune_expired() -> dict[str, int]:
    """Remove what is past its retention, table by table."""
    return prune_nightly()


def run_backup(backup_id: int) -> None:
    """Make a queued backup."""
    backups.run_backup(backup_id)


def run_verification(verification_id: int) -> None:
    """Verify a queued backup by a trial restore."""
    backups.run_verification(verification_id)


def run_restore(restore_id: int) -> None:
    """Replace the live database as asked."""
    backups.run_restore(restore_id)


def tend_backups() -> None:
    """Run the schedule of backups. Rows queued by older releases know it by this name."""
    backups.run_schedule()


def expire_approvals() -> int:
    """Mark requests for a second person whose time is over."""
    return approvals.expire_due()


def run_approved(request_id: int) -> None:
    """Run an approved act that must not run inside a transaction."""
    approvals.run_approved(request_id)


def run_erasure(erasure_id: int) -> None:
    """Erase an account, or go on where a dead process stopped."""
    erasure.run_erasure(erasure_id)


def run_export(export_id: int) -> None:
    """Make the export of an account."""
    personal_exports.run_export(export_id)


def dispatch_events() -> int:
    """Assign numbers to new events and post them to webhooks."""
    return event_log.dispatch_events()


def deliver_webhook(delivery_id: int) -> bool:
    """Try one delivery of a webhook."""
    return webhooks.OUTBOX.deliver(delivery_id)


def deliver_due_webhooks() -> int:
    """Pick up deliveries whose next attempt is due."""
    return len(webhooks.OUTBOX.deliver_due())
