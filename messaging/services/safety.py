"""What a member can do against another one: block, and report to the team."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from messaging.errors import AlreadyReported, CannotReport
from messaging.events import message_reported
from messaging.models import Block, Message, MessageKind, MessageReport, ReportReason
from messaging.services.announcements import announce_report
from messaging.services.mailboxes import touch_mailboxes
from messaging.services.risk import report_to_risk
from systemadmin import audit
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput, NotFound
from systemadmin.models import User


@transaction.atomic
def block_member(*, actor: User, user_id: int) -> Block:
    """Keep an account from writing to this one; blocking twice is the first block.

    The account need not exist, and the same is done if it does not: whoever blocks somebody they
    have not met learns nothing.
    """
    if user_id == actor.pk:
        raise InvalidInput("user", _("You cannot block yourself."), code="yourself")
    # Under the lock that sending takes too: what was being sent is either before the block or
    # refused. One mailbox is enough, for a message in either direction locks it.
    touch_mailboxes([actor.pk])
    block, is_new = Block.objects.get_or_create(blocker=actor, blocked_id=user_id)
    if is_new:
        audit.record("messaging.member.blocked", actor=actor, target=_account(user_id))
    return block


@transaction.atomic
def unblock_member(*, actor: User, user_id: int) -> None:
    """Let an account write again."""
    block = Block.objects.filter(blocker=actor, blocked_id=user_id).first()
    if block is None:
        raise NotFound
    block.delete()
    audit.record("messaging.member.unblocked", actor=actor, target=_account(user_id))


def _account(user_id: int) -> User:
    return User.objects.filter(pk=user_id).first() or User(pk=user_id)


@transaction.atomic
def report_message(*, actor: User, message: Message, reason: str, note: str = "") -> MessageReport:
    """Hand a received message to the team, with the few before it, as they read now."""
    if message.sender_id == actor.pk or message.kind != MessageKind.MEMBER:
        raise CannotReport
    if MessageReport.objects.filter(message=message, reporter=actor).exists():
        raise AlreadyReported
    report = MessageReport(
        message=message,
        conversation=message.conversation,
        reporter=actor,
        reported=message.sender,
        reason=ReportReason(reason),
        note=note.strip(),
        excerpt=_excerpt(message, actor),
    )
    report.full_clean(exclude=["message", "conversation", "reporter", "reported"])
    report.save()
    report_to_risk(
        kind="content_reported",
        account=message.sender,
        occurred_at=timezone.now(),
        external_id=f"message-report-{report.pk}",
        data={"reason": report.reason, "message": message.pk, "report": report.pk},
    )
    audit.record(
        "messaging.message.reported",
        actor=actor,
        target=report,
        metadata={"message": message.pk, "reason": report.reason},
    )
    message_reported.send(sender=MessageReport, report_id=report.pk)
    announce_report(report, "reported")
    return report


def _excerpt(message: Message, reporter: User) -> list[dict[str, Any]]:
    """Return the message and the ones before it that its reporter sees, oldest first."""
    rows = (
        Message.objects.filter(conversation_id=message.conversation_id)
        .visible_to(reporter.pk)
        .around(message.seq, before=setting("messaging.excerpt_messages"), after=0)
    )
    return [
        {
            "id": row.pk,
            "seq": row.seq,
            "sender": row.sender_id,
            "body": row.body,
            "created_at": row.created_at.isoformat(),
            "edited_at": row.edited_at.isoformat() if row.edited_at else None,
            "is_reported": row.pk == message.pk,
        }
        for row in rows
    ]
