"""The team's side of a report: decide, or look further with a reason that is kept."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from messaging.errors import ReportAlreadyHandled
from messaging.events import report_handled
from messaging.models import Message, MessageReport, ReportStatus
from messaging.services import concerned
from messaging.services.announcements import announce_report
from messaging.services.erasing import erase_message
from messaging.services.sending import send_system_message
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible, visible_text
from systemadmin.models import User
from systemadmin.services.duties import decides


@decides(
    "messaging.uphold_report",
    permission="messaging.handle_messagereport",
    concerns=concerned.parties_of_report,
)
@transaction.atomic
def uphold_report(
    *,
    actor: User,
    report: MessageReport,
    resolution: str,
    erase: bool = False,
    warn: bool = False,
    expected_version: int | None = None,
) -> MessageReport:
    """Agree with the reporter; optionally erase the message and warn its author."""
    locked = _close(actor, report, ReportStatus.UPHELD, resolution, expected_version)
    if erase and locked.message is not None and locked.message.erased_at is None:
        erase_message(actor=actor, message=locked.message, reason=resolution)
    if warn:
        with translation.override(locked.reported.language):
            body = _(
                "One of your messages was reported and broke our rules. "
                "If it happens again, your account may be suspended."
            )
        send_system_message(actor=actor, recipient=locked.reported, body=body)
    return locked


@decides(
    "messaging.dismiss_report",
    permission="messaging.handle_messagereport",
    concerns=concerned.parties_of_report,
)
@transaction.atomic
def dismiss_report(
    *,
    actor: User,
    report: MessageReport,
    resolution: str,
    expected_version: int | None = None,
) -> MessageReport:
    """Find nothing wrong with the message."""
    return _close(actor, report, ReportStatus.DISMISSED, resolution, expected_version)


def _close(
    actor: User,
    report: MessageReport,
    status: ReportStatus,
    resolution: str,
    expected_version: int | None,
) -> MessageReport:
    locked = lock_row(
        MessageReport.objects.select_related("message__conversation", "reported"),
        pk=report.pk,
        expected_version=expected_version,
    )
    if locked.status != ReportStatus.OPEN:
        raise ReportAlreadyHandled
    if not is_visible(resolution):
        raise InvalidInput("resolution", _("Say what was decided, and why."), code="required")
    locked.status = status
    locked.resolution = resolution.strip()
    locked.handled_by = actor
    locked.handled_at = timezone.now()
    locked.bump()
    locked.save()
    audit.record(
        f"messaging.report.{status}",
        actor=actor,
        target=locked,
        before={"status": ReportStatus.OPEN},
        after={"status": status},
        reason=locked.resolution,
    )
    report_handled.send(sender=MessageReport, report_id=locked.pk)
    announce_report(locked, "report_handled")
    return locked


@decides(
    "messaging.disclose_conversation",
    permission="messaging.read_conversation",
    concerns=concerned.parties_of_report,
)
@transaction.atomic
def disclose_conversation(
    *, actor: User, report: MessageReport, reason: str
) -> list[dict[str, Any]]:
    """Show staff what surrounds a reported message; who looked, and why, is kept for ever."""
    if len(visible_text(reason)) < 10:
        raise InvalidInput(
            "reason", _("Give a reason of at least ten characters."), code="required"
        )
    seq = next((row["seq"] for row in report.excerpt if row.get("is_reported")), None)
    if seq is None or report.conversation_id is None:
        return []
    rows = list(
        Message.objects.filter(conversation_id=report.conversation_id)
        .around(seq)
        .select_related("sender")
    )
    audit.record(
        "messaging.conversation.disclosed",
        actor=actor,
        target=report,
        reason=reason.strip(),
        metadata={
            "conversation": report.conversation_id,
            "from_seq": rows[0].seq if rows else None,
            "to_seq": rows[-1].seq if rows else None,
        },
    )
    return [
        {
            "seq": row.seq,
            "sender": row.sender.username,
            "created_at": row.created_at,
            "body": row.body,
            "is_reported": row.seq == seq,
        }
        for row in rows
    ]
