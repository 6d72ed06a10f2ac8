"""Queue tasks of the base app: thin."""

from systemadmin.models import Notification
from systemadmin.services.notifications import send_by_email


def deliver_notification(notification_id: int) -> None:
    """Send one queued notice, once."""
    notice = (
        Notification.objects.filter(pk=notification_id, status=Notification.Status.PENDING)
        .select_related("user")
        .first()
    )
    if notice is not None and notice.channel == Notification.Channel.EMAIL:
        send_by_email(notice)
