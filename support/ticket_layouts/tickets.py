"""What a row of another desk's export becomes: a ticket with its people, messages and files."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as an export names them; each part may be empty."""

    key: str = ""
    external_id: str = ""
    email: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file of a message: a name, where it lies in the folder of files, and its address."""

    name: str
    path: str = ""
    url: str = ""


@dataclass(slots=True)
class ImportedMessage:
    """One message; `body` is text, `html` its HTML where there is no text."""

    key: str
    at: datetime
    body: str
    html: str
    is_internal: bool
    is_from_customer: bool
    author: Person
    files: list[ImportedFile] = field(default_factory=list)


@dataclass(slots=True)
class ImportedTicket:
    """A ticket with its conversation, in the order of time."""

    key: str
    subject: str
    status: str
    priority: str
    category: str
    tags: list[str]
    language: str
    created_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    requester: Person
    assignee: Person
    messages: list[ImportedMessage]
