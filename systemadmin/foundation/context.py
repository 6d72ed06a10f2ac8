"""Who is asking and why, carried beside the call: request id, address, user, source.

One context variable serves web requests, queue tasks and commands alike, so a log
line or an audit row written deep inside a service still names its cause.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import unquote

from systemadmin.foundation.readable_text import visible_text

# Says why an act should be done whose own body has no `reason`; percent-encoded UTF-8.
REASON_HEADER: Final = "Approval-Reason"
LONGEST_REASON: Final = 1000
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")


@dataclass(slots=True)
class CallContext:
    """What is known about the call in progress; every field may be empty."""

    request_id: str = ""
    ip: str | None = None
    user_id: int | None = None
    source: str = ""  # "web", "task", "command"
    path: str = ""
    user_agent: str = ""
    # Why, where the body of a request has no place for it (header `Approval-Reason`).
    stated_reason: str = ""
    # The account of the service key that calls in a member's name.
    service_id: int | None = None
    # Who approved, while an act runs that waited for a second person.
    approver_id: int | None = None
    # Added to the details of every audit row of the call.
    audit_details: Mapping[str, Any] = field(default_factory=dict)


_current: ContextVar[CallContext | None] = ContextVar("atalaya_call", default=None)


def new_request_id() -> str:
    """Return a fresh request id (32 hex digits)."""
    return uuid.uuid4().hex


def sane_request_id(candidate: str | None) -> str:
    """Return the caller's id when it is safe to log, else a fresh one."""
    if candidate and SANE_REQUEST_ID.fullmatch(candidate):
        return candidate
    return new_request_id()


def stated_reason(header: str) -> str:
    """Return what the header says, decoded and bounded."""
    return visible_text(unquote(header))[:LONGEST_REASON]


def current() -> CallContext:
    """Return the context in force; an empty one outside any call."""
    return _current.get() or CallContext()


@contextmanager
def context(**fields: Any) -> Iterator[CallContext]:
    """Put a context in force for the block; unnamed fields are inherited."""
    call = replace(current(), **fields)
    call.request_id = call.request_id or new_request_id()
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def note_details(details: Mapping[str, Any]) -> None:
    """Have every audit row of the call say this too."""
    call = _current.get()
    if call is not None:
        call.audit_details = {**call.audit_details, **details}


def note_service(account_id: int) -> None:
    """Note in the context which service key calls in a member's name."""
    call = _current.get()
    if call is not None:
        call.service_id = account_id


def note_user(user_id: int | None) -> None:
    """Note in the context whom the request authenticated as.

    DRF authenticates inside the view, later than any middleware: without this, log
    lines and audit rows of token users would be anonymous.
    """
    call = _current.get()
    if call is not None:
        call.user_id = user_id
