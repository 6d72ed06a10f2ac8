"""What the support desk holds about a person; see systemadmin/foundation/personal_data.py."""

from typing import Any, Final

from django.db.models import Q

from support.models import (
    AgentNotice,
    Attachment,
    BlockedSender,
    FaqVote,
    FileLink,
    InboundMessage,
    InboundReference,
    NoticePreference,
    OutboundMessage,
    Reply,
    ReplyDraft,
    ReplyRevision,
    SavedView,
    SlaBreach,
    Ticket,
    TicketEvent,
    TicketLink,
    TicketParticipant,
    TicketPresence,
    TicketRating,
    TicketRead,
    TicketSearch,
    TicketSearchPart,
)
from systemadmin.foundation.personal_data import ERASED, OnErasure, PersonalTable, StoredFile

_FIGURES: Final = "Numbers and times of tickets are the desk's figures."
_IN_REPLIES: Final = "The texts are in the replies."


def _tickets(prefix: str = "") -> Any:
    """Return the condition for what hangs on tickets that the account opened, by app or by mail."""

    def rows(account: Any) -> Q:
        found = Q(**{f"{prefix}requester": account})
        if account.email:
            found |= Q(**{f"{prefix}requester_email__iexact": account.email})
        return found

    return rows


def _or_address(rows: Any, *columns: str) -> Any:
    def either(account: Any) -> Q:
        found: Q = rows(account)
        for column in columns if account.email else ():
            found |= Q(**{f"{column}__iexact": account.email})
        return found

    return either


def _or_author(prefix: str, author: str) -> Any:
    return lambda account: _tickets(prefix)(account) | Q(**{author: account})


def _own(account: Any) -> Q:
    """Return public replies of the member's own tickets: what the member sees in the app."""
    return Q(ticket__requester=account, kind=Reply.Kind.PUBLIC)


def _own_files(account: Any) -> Q:
    return Q(reply__ticket__requester=account, reply__kind=Reply.Kind.PUBLIC)


TABLES = [
    PersonalTable(
        model=InboundMessage,
        rows=_or_address(_tickets("ticket__"), "sender", "reply_to"),
        exported=_or_address(lambda account: Q(pk__in=[]), "sender"),
        on_erasure=OnErasure.DELETE,
        columns=("sender", "subject", "status", "created_at"),
    ),
    PersonalTable(
        model=InboundReference,
        rows=_tickets("ticket__"),
        on_erasure=OnErasure.DELETE,
        not_exported="Message ids that show which mail answers which.",
    ),
    PersonalTable(
        model=OutboundMessage,
        rows=_or_address(_tickets("ticket__"), "recipient"),
        exported=_or_address(lambda account: Q(pk__in=[]), "recipient"),
        on_erasure=OnErasure.DELETE,
        columns=("recipient", "subject", "text", "status", "created_at", "sent_at"),
    ),
    PersonalTable(
        model=TicketSearch,
        rows=_tickets("ticket__"),
        on_erasure=OnErasure.DELETE,
        not_exported=_IN_REPLIES,
    ),
    PersonalTable(
        model=TicketSearchPart,
        rows=_tickets("ticket__"),
        on_erasure=OnErasure.DELETE,
        not_exported=_IN_REPLIES,
    ),
    PersonalTable(
        model=TicketParticipant,
        rows=_or_address(_tickets("ticket__"), "address"),
        exported=_or_address(lambda account: Q(pk__in=[]), "address"),
        on_erasure=OnErasure.DELETE,
        columns=("ticket", "address", "name", "created_at"),
    ),
    PersonalTable(
        model=AgentNotice,
        rows=_or_author("ticket__", "user"),
        on_erasure=OnErasure.DELETE,
        not_exported="That an agent was told; the ticket is in the export.",
    ),
    PersonalTable(
        model=BlockedSender,
        rows=_or_address(lambda account: Q(pk__in=[]), "address"),
        on_erasure=OnErasure.DELETE,
        not_exported="Which senders the desk does not take mail from.",
    ),
    PersonalTable(
        model=NoticePreference,
        rows=lambda account: Q(user=account),
        on_erasure=OnErasure.DELETE,
        not_exported="How an agent hears of work.",
    ),
    PersonalTable(
        model=FileLink,
        rows=_tickets("message__ticket__"),
        on_erasure=OnErasure.DELETE,
        not_exported="How a file was handed out; the file is in the export.",
    ),
    PersonalTable(
        model=Attachment,
        rows=_or_author("reply__ticket__", "reply__author"),
        exported=_own_files,
        on_erasure=OnErasure.DELETE,
        columns=("reply", "name", "content_type", "size", "created_at"),
        files=(
            StoredFile(file="file", content_type="content_type", size="size", sha256="sha256"),
        ),
    ),
    PersonalTable(
        model=ReplyRevision,
        rows=_or_author("reply__ticket__", "reply__author"),
        exported=lambda account: Q(reply__author=account),
        on_erasure=OnErasure.DELETE,
        columns=("reply", "body", "replaced_at"),
    ),
    PersonalTable(
        model=Reply,
        rows=_or_author("ticket__", "author"),
        exported=_own,
        on_erasure=OnErasure.ANONYMISE,
        columns=("id", "ticket", "is_from_customer", "body", "said_at", "edited_at"),
        emptied={"body": "", "original_text": "", "original_html": "", "author_name": "",
                 "client_key": None},
        reason=_FIGURES,
    ),
    PersonalTable(
        model=TicketEvent,
        rows=lambda account: Q(actor=account),
        exported=lambda account: Q(ticket__requester=account, actor=account),
        on_erasure=OnErasure.ANONYMISE,
        columns=("ticket", "at", "kind"),
        emptied={"actor_name": "", "request_id": ""},
        reason=_FIGURES,
    ),
    PersonalTable(
        model=TicketRating,
        rows=_tickets("ticket__"),
        on_erasure=OnErasure.ANONYMISE,
        columns=("ticket", "score", "comment", "rated_at"),
        emptied={"comment": ""},
        reason=_FIGURES,
    ),
    PersonalTable(
        model=TicketLink,
        rows=lambda account: _tickets("first__")(account) | _tickets("second__")(account),
        on_erasure=OnErasure.ANONYMISE,
        not_exported="Notes of staff about which tickets belong together.",
        emptied={"note": ""},
        reason=_FIGURES,
    ),
    PersonalTable(
        model=SlaBreach,
        rows=_tickets("ticket__"),
        on_erasure=OnErasure.KEEP,
        not_exported="How punctual the desk was.",
        reason=_FIGURES,
    ),
    PersonalTable(
        model=Ticket.tags.through,
        rows=_tickets("ticket__"),
        on_erasure=OnErasure.KEEP,
        not_exported="How the desk sorts its work.",
        reason=_FIGURES,
    ),
    PersonalTable(
        model=TicketPresence,
        rows=lambda account: Q(user=account),
        on_erasure=OnErasure.DELETE,
        not_exported="Who of staff has a ticket open now.",
    ),
    PersonalTable(
        model=TicketRead,
        rows=lambda account: Q(user=account),
        on_erasure=OnErasure.DELETE,
        not_exported="How far an agent has read a ticket.",
    ),
    PersonalTable(
        model=ReplyDraft,
        rows=_or_author("ticket__", "user"),
        on_erasure=OnErasure.DELETE,
        not_exported="Texts of agents that were not sent.",
    ),
    PersonalTable(
        model=SavedView,
        rows=lambda account: Q(owner=account),
        on_erasure=OnErasure.DELETE,
        not_exported="How an agent sorts the desk's work.",
    ),
    PersonalTable(
        model=FaqVote,
        rows=lambda account: Q(user=account),
        on_erasure=OnErasure.DELETE,
        columns=("faq", "is_helpful", "voted_at"),
    ),
    PersonalTable(
        model=Ticket,
        rows=_tickets(),
        exported=lambda account: Q(requester=account),
        on_erasure=OnErasure.ANONYMISE,
        columns=("id", "number", "subject", "requester_email", "requester_name", "status",
                 "priority", "channel", "created_at", "resolved_at", "closed_at"),
        emptied={"subject": ERASED, "requester_email": "", "requester_name": ""},
        reason=_FIGURES,
    ),
]  # fmt: skip
