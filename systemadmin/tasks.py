"""Queue tasks of the base app: thin."""

from systemadmin.models import Notification
from systemadmin.services import backups
from systemadmin.services.audit_chain import seal_audit_trail
from systemadmin.services.notifications import send_by_email
from systemadmin.services.pruning import prune_expired as prune


def deliver_notification(notification_id: int) -> None:
    """Send one queued notice, once."""
    notice = (
        Notification.objects.filter(pk=notification_id, status=Notification.Status.PENDING)
        .select_related("user")
        .first()
    )
    if notice is not None and notice.channel == Notification.Channel.EMAIL:
        send_by_email(notice)


def seal_audit() -> int:
    """Add new audit rows to the hash chain."""
    return seal_audit_trail()


def prune_expired() -> dict[str, int]:
    """Remove what has expired."""
    return prune()


def run_backup(backup_id: int) -> None:
    """Make a queued backup."""
    backups.run_backup(backup_id)


def run_verification(verification_id: int) -> None:
    """Prove a queued backup by a trial restore."""
    backups.run_verification(verification_id)


def run_restore(restore_id: int) -> None:
    """Replace the live database as asked."""
    backups.run_restore(restore_id)


def tend_backups() -> None:
    """One round of upkeep: tidy, start what is due, say what is late."""
    backups.tend_backups()
