"""What messaging holds about a person; see systemadmin/foundation/personal_data.py."""

from typing import Any, Final

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from messaging.models import (
    Attachment,
    Block,
    Conversation,
    Mailbox,
    Message,
    MessageReport,
    MessageRevision,
    Participant,
    Preferences,
    ReportStatus,
    StreamEvent,
)
from messaging.services.erasing import PART, erase_chunk, erase_everything_of
from systemadmin.foundation.personal_data import (
    ErasedPart,
    OnErasure,
    OpenBusiness,
    PersonalTable,
    StoredFile,
)

_PLACE: Final = "The other party keeps the order and the counters of the conversation."


def _seen(prefix: str) -> Any:
    """Return what the member sent or received and still sees."""

    def rows(account: Any) -> Q:
        sent = Q(**{f"{prefix}sender": account, f"{prefix}is_hidden_for_sender": False})
        received = (
            (
                Q(**{f"{prefix}conversation__lower": account})
                | Q(**{f"{prefix}conversation__higher": account})
            )
            & ~Q(**{f"{prefix}sender": account})
            & Q(**{f"{prefix}is_hidden_for_recipient": False})
        )
        return sent | received

    return rows


def _not_erased(rows: Any) -> Any:
    """Return the same without what a legal hold keeps of erased messages."""
    return lambda account: rows(account) & Q(message__erased_at__isnull=True)


def _of(*lookups: str) -> Any:
    def rows(account: Any) -> Q:
        found = Q()
        for lookup in lookups:
            found |= Q(**{lookup: account})
        return found

    return rows


TABLES = [
    PersonalTable(
        model=MessageRevision,
        rows=_of("message__sender"),
        exported=_not_erased(_of("message__sender")),
        on_erasure=OnErasure.DELETE,
        columns=("message", "body", "replaced_at"),
    ),
    PersonalTable(
        model=Attachment,
        rows=_of("message__sender"),
        exported=_not_erased(_seen("message__")),
        on_erasure=OnErasure.DELETE,
        columns=("message", "name", "content_type", "size"),
        files=(
            StoredFile(file="file", content_type="content_type", size="size", sha256="sha256"),
        ),
    ),
    PersonalTable(
        model=Message,
        rows=_of("sender"),
        exported=_seen(""),
        on_erasure=OnErasure.ANONYMISE,
        columns=("id", "conversation", "sender", "kind", "body", "created_at", "edited_at"),
        emptied={"client_id": None},
        reason=_PLACE,
        erase=erase_chunk,
    ),
    PersonalTable(
        model=MessageReport,
        rows=_of("reporter", "reported"),
        exported=_of("reporter"),
        on_erasure=OnErasure.ANONYMISE,
        columns=("id", "reason", "note", "status", "created_at"),
        emptied={"excerpt": [], "note": "", "resolution": ""},
        reason="How many reports were handled is part of the desk's figures.",
    ),
    PersonalTable(
        model=Block,
        rows=_of("blocker", "blocked"),
        exported=_of("blocker"),
        on_erasure=OnErasure.DELETE,
        columns=("blocked", "created_at"),
    ),
    PersonalTable(
        model=Preferences,
        rows=_of("user"),
        on_erasure=OnErasure.DELETE,
        columns=("who_may_write", "email_notices", "telegram_notices", "notice_delay_minutes",
                 "urgent_by_telegram", "promotions"),
    ),
    PersonalTable(
        model=StreamEvent,
        rows=_of("user"),
        on_erasure=OnErasure.DELETE,
        not_exported="What was announced to open apps; the messages are in the export.",
    ),
    *(
        PersonalTable(
            model=model,
            rows=rows,
            on_erasure=OnErasure.KEEP,
            not_exported="Counters and places in lists; they hold no text.",
            reason=_PLACE,
        )
        for model, rows in (
            (Participant, _of("user", "peer")),
            (Conversation, _of("lower", "higher")),
            (Mailbox, _of("user")),
        )
    ),
]  # fmt: skip

OPEN_BUSINESS = [
    OpenBusiness(
        code="open_reports",
        title=_("Open reports of messages"),
        count=lambda account: MessageReport.objects.filter(
            reported=account, status=ReportStatus.OPEN
        ).count(),
    ),
]

ERASED_PARTS = [ErasedPart(code=PART, erase=erase_everything_of)]
