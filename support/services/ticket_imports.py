"""Tickets of another desk taken in as history: nobody is notified, no promise is counted.

Each ticket comes in whole, with its conversation, or not at all; one that is known is left alone.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from support import lifecycle
from support.mail_html import html_to_text
from support.models import Category, Reply, Ticket, TicketEvent
from support.services import clocks, indexing
from support.services.assignment import check_agent
from support.services.attachments import MEGABYTE, attach_uploads
from support.services.history import note
from support.services.mail_places import account_of
from support.services.tickets import (
    MAX_BODY,
    check_fields,
    next_number,
    one_line,
    tags_named,
    version_for,
)
from support.ticket_layouts import (
    Fault,
    ImportedFile,
    ImportedMessage,
    ImportedTicket,
    Layout,
    Person,
    read_ticket,
)
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import DomainError, InvalidInput
from systemadmin.foundation.outgoing_fetch import FetchFailed, fetch
from systemadmin.foundation.readable_text import visible_text
from systemadmin.foundation.single_line import single_line
from systemadmin.models import User
from systemadmin.services.members import upsert_member

_FETCH_SECONDS: Final = 20.0
_KNOWN_PEOPLE: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How an export is taken in.

    `files` is the folder with the files of messages; `fetches_files` lets them be read from their
    addresses; `makes_people` makes members whom the export names by an external id.
    """

    source: str
    layout: Layout
    files: Path | None = None
    fetches_files: bool = False
    makes_people: bool = False
    is_dry_run: bool = False


@dataclass(slots=True)
class Outcome:
    """What became of a row: `created`, `unchanged` or `refused`; `errors` may name lost files."""

    index: int
    status: str
    errors: list[dict[str, str]] = field(default_factory=list)


class TicketImport:
    """Takes in one export; remembers whom it has looked up."""

    def __init__(self, options: ImportOptions) -> None:
        self.options = options
        self._people: dict[tuple[str, str], int | None] = {}

    def apply(self, rows: Sequence[Any]) -> list[Outcome]:
        """Take in a batch of rows, each in a savepoint of its own; return an outcome per row."""
        with transaction.atomic():
            found = [self._one(index, row) for index, row in enumerate(rows)]
            if self.options.is_dry_run:
                transaction.set_rollback(True)
        if self.options.is_dry_run:
            self._people.clear()  # it may name members that were rolled back
        return found

    def _one(self, index: int, row: Any) -> Outcome:
        outcome = Outcome(index, "created")
        try:
            with transaction.atomic():
                ticket = read_ticket(self.options.layout, row, now=timezone.now())
                if Ticket.objects.filter(external_id=self._key(ticket)).exists():
                    outcome.status = "unchanged"
                else:
                    outcome.errors = self._store(ticket)
        except (Fault, DomainError, ValidationError) as refusal:
            outcome.errors = _errors_of(refusal)
        except IntegrityError:
            # Another process took the same ticket in at this moment.
            outcome.status = "unchanged"
            return outcome
        if outcome.errors and not any(one["code"] == "file_left" for one in outcome.errors):
            outcome.status = "refused"
        return outcome

    def _key(self, ticket: ImportedTicket) -> str:
        return f"{self.options.source}:{ticket.key}"

    # -- one ticket ----------------------------------------------------------------------

    def _store(self, found: ImportedTicket) -> list[dict[str, str]]:
        ticket = self._ticket(found)
        ticket.number = next_number(found.created_at.year)
        check_fields(ticket)
        ticket.save()
        names = list(found.tags)
        if found.category and ticket.category is None:
            names.append(found.category)  # what is no category here stays findable
        ticket.tags.set(tags_named(names))
        left: list[dict[str, str]] = []
        replies = [self._reply(ticket, found, one, left) for one in found.messages]
        self._note_history(ticket, found.created_at, replies)
        _sum_up(ticket, replies)
        clocks.refresh(ticket, now=timezone.now())
        ticket.save()
        indexing.index_ticket(
            ticket, found.key, *(text for one in replies for text in (one.body, one.original_text))
        )
        # Last: saving sets these to the present moment.
        Ticket.objects.filter(pk=ticket.pk).update(
            created_at=found.created_at, updated_at=found.updated_at
        )
        return left

    def _ticket(self, found: ImportedTicket) -> Ticket:
        requester = self._requester(found.requester)
        address = found.requester.email.lower()
        if requester is None and not address:
            raise InvalidInput(
                "requester", _("Neither a known external id nor an e-mail address."),
                code="required",
            )  # fmt: skip
        is_done = found.status in lifecycle.DONE_STATUSES
        ticket = Ticket(
            external_id=self._key(found),
            subject=_subject(found),
            requester=requester,
            requester_email="" if requester else address,
            requester_name="" if requester else single_line(found.requester.name, 150),
            language=found.language if found.language in User.Language.values else "en",
            priority=found.priority,
            status=_status(found),
            category=self._category(found.category),
            channel=Ticket.Channel.EMAIL if not requester else Ticket.Channel.API,
            resolved_at=found.resolved_at,
        )
        ticket.closed_at = found.resolved_at if ticket.status == lifecycle.CLOSED else None
        ticket.assignee = self._assignee(found.assignee, must_answer=not is_done)
        # Promises are for what is still to be answered, from now on.
        ticket.sla_version = None if is_done else version_for(ticket)
        return ticket

    def _category(self, name: str) -> Category | None:
        if not name:
            return None
        by_code = Category.objects.filter(code__iexact=name).first()
        return by_code or Category.objects.filter(name__iexact=name).first()

    def _reply(
        self,
        ticket: Ticket,
        found: ImportedTicket,
        one: ImportedMessage,
        left: list[dict[str, str]],
    ) -> Reply:
        author = ticket.requester if one.is_from_customer else self._staff(one.author)
        text = visible_text(one.body) or visible_text(html_to_text(one.html) if one.html else "")
        text = text.replace("\r\n", "\n") or _("[no text]")
        reply = Reply.objects.create(
            ticket=ticket,
            kind=Reply.Kind.INTERNAL if one.is_internal else Reply.Kind.PUBLIC,
            is_from_customer=one.is_from_customer,
            author=author,
            author_name=_name_of(author, one, ticket),
            body=text[:MAX_BODY],
            original_text=text if len(text) > MAX_BODY else "",
            source=Reply.Source.SYSTEM,
            said_at=one.at,
        )
        for file in one.files:
            problem = self._attach(reply, found, one, file)
            if problem:
                detail = f"{file.name}: {problem}"
                left.append({"field": "files", "code": "file_left", "detail": detail})
        return reply

    def _note_history(self, ticket: Ticket, opened: datetime, replies: list[Reply]) -> None:
        """Write the facts from which the clocks are computed.

        Of an open ticket they begin now: the promise of this desk does not count the other's time.
        """
        now, is_done = timezone.now(), ticket.is_done
        note(
            ticket, TicketEvent.Kind.OPENED, actor=None,
            at=opened if is_done else now,
            version=ticket.sla_version_id, imported=self.options.source,
        )  # fmt: skip
        if not is_done:
            if any(not one.is_from_customer and not one.is_internal for one in replies):
                note(ticket, TicketEvent.Kind.STAFF_REPLY, actor=None, at=now)
            if ticket.status != lifecycle.NEW:
                data = {"from": lifecycle.NEW, "to": ticket.status}
                note(ticket, TicketEvent.Kind.STATUS, actor=None, at=now, **data)
            return
        for one in replies:
            kind = _kind_of(one)
            note(ticket, kind, actor=None, at=one.said_at, reply=one.pk)
        last = max([ticket.resolved_at or now, *(one.said_at for one in replies)])
        data = {"from": lifecycle.NEW, "to": ticket.status}
        note(ticket, TicketEvent.Kind.STATUS, actor=None, at=last, **data)

    # -- people --------------------------------------------------------------------------

    def _requester(self, person: Person) -> User | None:
        found = self._person(person)
        if found is None and person.external_id and self.options.makes_people:
            values = {"email": person.email} if person.email else {}
            first, _space, last = single_line(person.name).partition(" ")
            values |= {"first_name": first[:150], "last_name": last[:150]}
            found = upsert_member(actor=None, external_id=person.external_id, values=values)[0]
            self._people[("id", person.external_id)] = found.pk
        return found

    def _person(self, person: Person) -> User | None:
        """Return the account of an external id or, without one, of an e-mail address."""
        if person.external_id:
            found = self._looked_up(
                "id", person.external_id,
                lambda: User.objects.filter(external_id=person.external_id).first(),
            )  # fmt: skip
            if found is not None:
                return found
        if not person.email:
            return None
        return self._looked_up("email", person.email.lower(), lambda: account_of(person.email))

    def _looked_up(self, kind: str, key: str, look_up: Callable[[], User | None]) -> User | None:
        if (kind, key) not in self._people:
            if len(self._people) >= _KNOWN_PEOPLE:
                self._people.clear()
            found = look_up()
            usable = found is not None and found.erased_at is None and not found.is_service
            self._people[kind, key] = found.pk if found is not None and usable else None
        pk = self._people[kind, key]
        return User.objects.filter(pk=pk).first() if pk is not None else None

    def _staff(self, person: Person) -> User | None:
        found = self._person(person)
        return found if found is not None and found.is_staff else None

    def _assignee(self, person: Person, *, must_answer: bool) -> User | None:
        found = self._staff(person)
        if found is None or not must_answer:
            return found
        with suppress(DomainError):
            check_agent(found)
            return found
        return None

    # -- files ---------------------------------------------------------------------------

    def _attach(
        self, reply: Reply, ticket: ImportedTicket, message: ImportedMessage, file: ImportedFile
    ) -> str:
        """Store a file with its message; return why it was left, or ""."""
        most = setting("support.max_attachment_mb") * MEGABYTE
        content = self._content(ticket, message, file, most)
        if isinstance(content, str):
            return content
        if self.options.is_dry_run:
            return ""
        try:
            attach_uploads(reply, [SimpleUploadedFile(file.name[:200], content)])
        except DomainError as refusal:
            return str(refusal)
        return ""

    def _content(
        self, ticket: ImportedTicket, message: ImportedMessage, file: ImportedFile, most: int
    ) -> bytes | str:
        if self.options.files is not None:
            places = [file.path] if file.path else [
                f"{ticket.key}/{message.key}/{file.name}", f"{ticket.key}/{file.name}",
            ]  # fmt: skip
            for place in places:
                found = _inside(self.options.files, place)
                if found is not None:
                    if found.stat().st_size > most:
                        return _("The file is too large.")
                    return found.read_bytes()
        if self.options.fetches_files and file.url:
            try:
                return fetch(file.url, seconds=_FETCH_SECONDS, most_bytes=most)
            except FetchFailed as failure:
                return str(failure)
        return _("The file is not there.")


def _inside(folder: Path, place: str) -> Path | None:
    """Return a file of a folder; None for what leads out of it, is a link out, or is not there."""
    try:
        root = folder.resolve()
        found = (root / place).resolve()
        is_file = found.is_relative_to(root) and found.is_file()
    except (OSError, ValueError, RuntimeError):
        return None
    return found if is_file else None


def _subject(found: ImportedTicket) -> str:
    with suppress(InvalidInput):
        return one_line(found.subject)
    # Mails without a subject are tickets too.
    return _("[no subject]")


def _status(found: ImportedTicket) -> str:
    """Return the status; what has been resolved for long is closed, as this desk would have done.

    The nightly closing would otherwise close each of them again, and tell everybody.
    """
    days = setting("support.auto_close_days")
    if found.status != lifecycle.RESOLVED or not days or found.resolved_at is None:
        return found.status
    is_old = found.resolved_at < timezone.now() - timedelta(days=days)
    return lifecycle.CLOSED if is_old else found.status


def _name_of(author: User | None, one: ImportedMessage, ticket: Ticket) -> str:
    if author is not None:
        return author.get_username()
    said = single_line(one.author.name or one.author.email, 150)
    return said or (ticket.customer_name[:150] if one.is_from_customer else "")


def _kind_of(reply: Reply) -> str:
    if reply.is_internal:
        return TicketEvent.Kind.NOTE
    kinds = TicketEvent.Kind
    return kinds.CUSTOMER_REPLY if reply.is_from_customer else kinds.STAFF_REPLY


def _errors_of(refusal: Fault | DomainError | ValidationError) -> list[dict[str, str]]:
    """Return what is wrong with a row, field by field."""
    if isinstance(refusal, Fault):
        return [refusal.error]
    if isinstance(refusal, DomainError):
        return refusal.errors or [{"field": "", "code": refusal.code, "detail": str(refusal)}]
    return [
        {"field": name, "code": "invalid", "detail": " ".join(texts)}
        for name, texts in refusal.message_dict.items()
    ]


def _sum_up(ticket: Ticket, replies: list[Reply]) -> None:
    """Set what a ticket row keeps of its conversation."""
    public = [one for one in replies if not one.is_internal]
    ticket.reply_count = len(public)
    ticket.last_reply = replies[-1] if replies else None

    def latest(is_customer: bool) -> datetime | None:
        moments = [one.said_at for one in public if one.is_from_customer is is_customer]
        return max(moments, default=None)

    ticket.last_customer_reply_at = latest(True)
    ticket.last_staff_reply_at = latest(False)
