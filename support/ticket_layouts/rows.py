"""Reads a row of an export by its layout; a row that cannot be taken in raises `Fault`."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.utils.translation import gettext as _

from support import lifecycle
from support.ticket_layouts.layouts import Layout
from support.ticket_layouts.tickets import ImportedFile, ImportedMessage, ImportedTicket, Person
from systemadmin.foundation.parsing import Unreadable, parse_moment_or_day

MOST_MESSAGES: Final = 5000
MOST_FILES: Final = 200
MOST_TAGS: Final = 100
LONGEST_ID: Final = 150
LONGEST_TEXT: Final = 1_000_000


class Fault(Exception):
    """A row cannot be taken in because of one field."""

    def __init__(self, name: str, detail: str, code: str = "invalid") -> None:
        super().__init__(detail)
        self.error = {"field": name, "code": code, "detail": detail}


def read_ticket(layout: Layout, row: Any, *, now: datetime) -> ImportedTicket:
    """Return the ticket of a row of an export; raises `Fault`."""
    if not isinstance(row, dict):
        raise Fault("", _("The row cannot be read."), "not_an_object")
    key = _key(layout, row)
    requester = _person(_get(row, layout.ticket["requester"]), row.get("requester_id"))
    messages = sorted(_messages(layout, row, requester, now), key=lambda one: one.at)
    created = _moment(layout, row, "created_at", now) or (messages[0].at if messages else None)
    if created is None:
        raise Fault("created_at", _("Say when it was opened."), "required")
    latest = max([created, *(one.at for one in messages)])
    status = _word(layout.status, _get(row, layout.ticket["status"]), "status", "new")
    return ImportedTicket(
        key=key,
        subject=_text(_get(row, layout.ticket["subject"]), 1000),
        status=status,
        priority=_word(layout.priority, _get(row, layout.ticket["priority"]), "priority", "medium"),
        category=_text(_get(row, layout.ticket["category"]), 100).strip(),
        tags=_tags(_get(row, layout.ticket["tags"])),
        language=_text(_get(row, layout.ticket["language"]), 10)[:2].lower(),
        created_at=created,
        updated_at=max(_moment(layout, row, "updated_at", now) or latest, created),
        resolved_at=_resolved(layout, row, status, now, created, latest),
        requester=requester,
        assignee=_person(_get(row, layout.ticket["assignee"]), row.get("assignee_id")),
        messages=messages,
    )


def _key(layout: Layout, row: dict[str, Any]) -> str:
    key = _text(_get(row, layout.ticket["external_id"]), 1000).strip()
    if not 0 < len(key) <= LONGEST_ID or not key.isprintable():
        raise Fault("external_id", _("From 1 to 150 visible characters."), "required")
    return key


def _resolved(
    layout: Layout,
    row: dict[str, Any],
    status: str,
    now: datetime,
    created: datetime,
    latest: datetime,
) -> datetime | None:
    """Return when a ticket that is done was resolved: as said, or when it last changed."""
    if status not in lifecycle.DONE_STATUSES:
        return None
    said = _moment(layout, row, "resolved_at", now)
    return max(said or _moment(layout, row, "updated_at", now) or latest, created)


def _get(row: Any, paths: tuple[str, ...]) -> Any:
    for path in paths:
        found = row
        for part in [path] if isinstance(row, dict) and path in row else path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found not in (None, ""):
            return found
    return None


def _text(value: Any, limit: int) -> str:
    """Return a value as text that every database takes."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value)[:limit].replace("\x00", "")
    return text.encode("utf-8", "replace").decode("utf-8")


def _word(words: Mapping[str, str], value: Any, name: str, usual: str) -> str:
    said = _text(value, 100).strip().lower()
    if not said:
        return usual
    if said not in words:
        known = ", ".join(words)
        raise Fault(name, _("Not one of: %(known)s.") % {"known": known}, "unknown")
    return words[said]


def _moment(layout: Layout, row: Any, name: str, now: datetime) -> datetime | None:
    return _read_moment(_get(row, layout.ticket[name]), name, now)


def _read_moment(value: Any, name: str, now: datetime) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, str):
        # "2024-03-01 10:00:00 UTC" is how some exports write it.
        value = value.strip().removesuffix(" UTC")
    try:
        found = parse_moment_or_day(value, UTC)
    except Unreadable as error:
        raise Fault(name, str(error)) from error
    if found > now:
        raise Fault(name, _("The moment lies in the future."))
    return found


def _tags(value: Any) -> list[str]:
    listed = value.replace(";", ",").split(",") if isinstance(value, str) else value
    if not isinstance(listed, list):
        return []
    named = [one.get("name") if isinstance(one, dict) else one for one in listed[:MOST_TAGS]]
    return [text for one in named if (text := _text(one, 50).strip())]


def _person(value: Any, key: Any = None) -> Person:
    """Return a person given as an object, or as the e-mail address or name alone."""
    if isinstance(value, dict):
        name = value.get("name") or " ".join(
            _text(value.get(part), 150) for part in ("first_name", "last_name", "firstname")
        )
        return Person(
            key=_text(value.get("id") or key, LONGEST_ID),
            external_id=_text(value.get("external_id"), LONGEST_ID).strip(),
            email=_text(value.get("email"), 254).strip(),
            name=_text(name, 150).strip(),
        )
    text = _text(value, 254).strip()
    is_address = "@" in text and " " not in text
    return Person(
        key=_text(key, LONGEST_ID), email=text if is_address else "",
        name="" if is_address else text[:150],
    )  # fmt: skip


def _messages(
    layout: Layout, row: dict[str, Any], requester: Person, now: datetime
) -> Iterator[ImportedMessage]:
    opening = _text(_get(row, layout.ticket["opening"]), LONGEST_TEXT)
    html = _text(_get(row, layout.ticket["opening_html"]), LONGEST_TEXT)
    began = _moment(layout, row, "created_at", now)
    if (opening or html) and began:
        files = _files({"files": row.get("attachments")}, ("files",))
        yield ImportedMessage("", began, opening, html, False, True, requester, files)
    listed = _get(row, layout.messages) or []
    if not isinstance(listed, list) or len(listed) > MOST_MESSAGES:
        raise Fault("messages", _("A list of up to 5000 messages."))
    people = _people_of(row)
    for number, one in enumerate(listed, 1):
        if not isinstance(one, dict):
            raise Fault(f"messages.{number}", _("The message cannot be read."))
        yield _message(layout, one, number, requester, people, now)


def _people_of(row: dict[str, Any]) -> dict[str, Person]:
    """Return those whom a ticket describes, by the id by which its messages name them."""
    found = [_person(row.get(name)) for name in ("requester", "submitter", "assignee", "responder")]
    more = row.get("users") or row.get("collaborators")
    found += [_person(one) for one in more[:MOST_MESSAGES]] if isinstance(more, list) else []
    return {one.key: one for one in found if one.key}


def _message(
    layout: Layout,
    one: dict[str, Any],
    number: int,
    requester: Person,
    people: Mapping[str, Person],
    now: datetime,
) -> ImportedMessage:
    paths = layout.message
    at = _read_moment(_get(one, paths["at"]), f"messages.{number}.at", now)
    if at is None:
        raise Fault(f"messages.{number}.at", _("Say when it was written."), "required")
    key = _text(_get(one, paths["author_key"]), LONGEST_ID)
    author = people.get(key) or _person(_get(one, paths["author"]), key)
    public = _get(one, paths["is_public"])
    is_internal = public is False or _is_true(_get(one, paths["is_internal"]))
    body = _text(_get(one, paths["body"]), LONGEST_TEXT)
    html = _text(_get(one, paths["html"]), LONGEST_TEXT)
    if _get(one, paths["content_type"]) == "text/plain":
        body, html = html, ""
    return ImportedMessage(
        key=_text(_get(one, paths["external_id"]), LONGEST_ID),
        at=at,
        body=body,
        html=html,
        is_internal=is_internal,
        is_from_customer=not is_internal and _is_customers(paths, one, author, requester),
        author=author,
        files=_files(one, paths["files"]),
    )


def _is_true(value: Any) -> bool:
    return value is True or str(value).strip().lower() in ("true", "1", "yes", "internal")


def _is_customers(paths: Any, one: Any, author: Person, requester: Person) -> bool:
    said = _get(one, paths["is_from_customer"])
    if said is not None:
        return _is_true(said)
    sender = _text(_get(one, paths["sender"]), 50).strip().lower()
    if sender:
        return sender in ("customer", "requester", "user", "end-user")
    # What says nothing was written by whoever asked, if they are the same person.
    pairs = ((author.key, requester.key), (author.email.lower(), requester.email.lower()))
    return any(mine and mine == other for mine, other in pairs)


def _files(one: Any, paths: tuple[str, ...]) -> list[ImportedFile]:
    listed = _get(one, paths)
    if isinstance(listed, str):
        listed = [name for name in listed.split("|") if name.strip()]
    if not isinstance(listed, list):
        return []
    return [_file(item) for item in listed[:MOST_FILES]]


def _file(item: Any) -> ImportedFile:
    if not isinstance(item, dict):
        path = _text(item, 400).strip()
        return ImportedFile(name=path.rsplit("/", 1)[-1] or "file", path=path)
    named = item.get("file_name") or item.get("filename") or item.get("name")
    return ImportedFile(
        name=_text(named, 255) or "file",
        path=_text(item.get("path"), 400),
        url=_text(item.get("content_url") or item.get("attachment_url") or item.get("url"), 2000),
    )
