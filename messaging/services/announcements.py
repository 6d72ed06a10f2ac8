"""What the messaging desk publishes in the event log."""

from messaging.models import MessageReport
from systemadmin.services import publish_event


def announce_report(report: MessageReport, what: str) -> None:
    """Publish that a message was reported, or that staff decided about it."""
    publish_event(
        f"message.{what}",
        key=f"report-{report.pk}-{what}-v{report.version}",
        data={
            "id": report.pk,
            "reported": report.reported_id,
            "reporter": report.reporter_id,
            "message": report.message_id,
            "reason": report.reason,
            "status": report.status,
        },
    )
