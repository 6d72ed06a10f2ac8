"""Where each desk's export keeps what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from support import lifecycle

PRIORITIES: Final = {name: name for name in ("low", "medium", "high", "urgent")}
STATUSES: Final = {name: name for name in lifecycle.STATUSES}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a desk keeps what: each field has paths (`a.b`) that are tried in turn."""

    ticket: Mapping[str, tuple[str, ...]]
    message: Mapping[str, tuple[str, ...]]
    messages: tuple[str, ...]
    status: Mapping[str, str]
    priority: Mapping[str, str]
    # Names of columns of a CSV file, and the fields of ours that they are.
    columns: Mapping[str, str] = field(default_factory=dict)


_TICKET: Final[dict[str, tuple[str, ...]]] = {
    "external_id": ("external_id",),
    "subject": ("subject",),
    "status": ("status",),
    "priority": ("priority",),
    "category": ("category",),
    "tags": ("tags",),
    "language": ("language",),
    "created_at": ("created_at",),
    "updated_at": ("updated_at",),
    "resolved_at": ("resolved_at", "closed_at"),
    "requester": ("requester",),
    "assignee": ("assignee",),
    "opening": (),
    "opening_html": (),
}
_MESSAGE: Final[dict[str, tuple[str, ...]]] = {
    "external_id": ("external_id",),
    "body": ("body",),
    "html": ("html",),
    "at": ("at",),
    "is_internal": ("is_internal",),
    "is_public": (),
    "is_from_customer": ("is_from_customer",),
    "sender": ("from",),
    "author": ("author",),
    "author_key": (),
    "content_type": (),
    "files": ("files",),
}

LAYOUTS: Final[dict[str, Layout]] = {
    "atalaya": Layout(_TICKET, _MESSAGE, ("messages",), STATUSES, PRIORITIES),
    # The JSON export of an account, and tickets of the API with their `comments`.
    "zendesk": Layout(
        {
            **_TICKET,
            "external_id": ("id",),
            "subject": ("subject", "raw_subject"),
            "category": ("ticket_form", "type"),
            "resolved_at": ("solved_at", "metric_set.solved_at", "dates.solved_at"),
            "language": ("requester.locale",),
        },
        {
            **_MESSAGE,
            "external_id": ("id",),
            "body": ("plain_body", "body"),
            "html": ("html_body",),
            "at": ("created_at",),
            "is_internal": (),
            "is_public": ("public",),
            "is_from_customer": (),
            "author_key": ("author_id",),
            "files": ("attachments",),
        },
        ("comments",),
        {
            "new": "new",
            "open": "in_progress",
            "pending": "waiting_customer",
            "hold": "in_progress",
            "solved": "resolved",
            "closed": "closed",
        },
        {"low": "low", "normal": "medium", "high": "high", "urgent": "urgent"},
    ),
    # Tickets of API v2, with include=requester,stats,conversations.
    "freshdesk": Layout(
        {
            **_TICKET,
            "external_id": ("id",),
            "category": ("type",),
            "resolved_at": ("stats.resolved_at", "stats.closed_at"),
            "assignee": ("responder",),
            "opening": ("description_text",),
            "opening_html": ("description",),
        },
        {
            **_MESSAGE,
            "external_id": ("id",),
            "body": ("body_text",),
            "html": ("body",),
            "at": ("created_at",),
            "is_internal": ("private",),
            "is_from_customer": ("incoming",),
            "author_key": ("user_id",),
            "files": ("attachments",),
        },
        ("conversations",),
        {"2": "in_progress", "3": "waiting_customer", "4": "resolved", "5": "closed"},
        {"1": "low", "2": "medium", "3": "high", "4": "urgent"},
    ),
    # Tickets with expand=true, their `articles` beside them.
    "zammad": Layout(
        {
            **_TICKET,
            "external_id": ("number", "id"),
            "subject": ("title",),
            "status": ("state",),
            "category": ("group",),
            "resolved_at": ("close_at",),
            "requester": ("customer",),
            "assignee": ("owner",),
        },
        {
            **_MESSAGE,
            "external_id": ("id",),
            "body": (),
            "html": ("body",),
            "at": ("created_at",),
            "is_internal": ("internal",),
            "is_from_customer": (),
            "sender": ("sender",),
            "author": ("created_by",),
            "content_type": ("content_type",),
            "files": ("attachments",),
        },
        ("articles",),
        {
            "new": "new",
            "open": "in_progress",
            "pending reminder": "waiting_customer",
            "pending close": "waiting_customer",
            "closed": "closed",
            "merged": "closed",
        },
        {"1 low": "low", "2 normal": "medium", "3 high": "high"},
    ),
}
