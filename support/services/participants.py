"""Who takes part in a ticket beside the requester: added and removed by agents, or by mail."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from support import mail_threading
from support.errors import TooManyParticipants
from support.mail_headers import plain_address
from support.models import Mailbox, Ticket, TicketEvent, TicketParticipant
from support.services import concerned
from support.services.history import note
from support.services.tickets import finish, lock_ticket
from systemadmin import audit
from systemadmin.foundation.errors import InvalidInput, NotFound
from systemadmin.foundation.single_line import single_line
from systemadmin.models import User
from systemadmin.services.duties import decides

# A mail may name hundreds; the first ones are the conversation.
MAX_PARTICIPANTS = 50


def is_ours(address: str) -> bool:
    """Return whether mail to an address comes to a mailbox of the desk."""
    bare = plain_address(mail_threading.TAG.sub("@", address))
    return bare in {plain_address(a) for a in Mailbox.objects.values_list("address", flat=True)}


def find_participant(ticket: Ticket, address: str) -> TicketParticipant | None:
    """Return the participant of this address, also one who was removed."""
    bare = plain_address(address)
    people = ticket.participants.order_by("pk")
    return next((person for person in people if plain_address(person.address) == bare), None)


def add_participants(ticket: Ticket, people: Iterable[tuple[str, str]]) -> None:
    """Add those whom a mail names, each an address and a name; the requester is no one.

    Whom an agent has removed stays removed: only an agent takes them in again.
    """
    own = ticket.customer_email.lower()
    room = MAX_PARTICIPANTS - ticket.participants.count()
    wanted = {address: name for address, name in people if address and address.lower() != own}
    TicketParticipant.objects.bulk_create(
        [
            TicketParticipant(ticket=ticket, address=address[:254], name=name[:150])
            for address, name in list(wanted.items())[: max(0, room)]
        ],
        ignore_conflicts=True,
    )


def carry_participants(source: Ticket, target: Ticket) -> None:
    """Let those who took part in one ticket take part in another; who was removed, was so there."""
    add_participants(target, source.participants.present().values_list("address", "name"))
    known = target.participants.values("address")
    for person in source.participants.exclude(address__in=known).exclude(removed_at=None):
        person.pk, person.ticket = None, target
        person.save(force_insert=True)


@decides("support.add_participant", permission="support.reply_ticket", concerns=concerned.requester)
@transaction.atomic
def add_participant(
    *, actor: User, ticket: Ticket, address: str, name: str = ""
) -> TicketParticipant:
    """Let somebody take part: they get answers to all, and may answer those by mail.

    They read what they are sent from now on and nothing before. Raises `InvalidInput` for no
    address, one of ours, or the requester's, and `TooManyParticipants`.
    """
    locked = lock_ticket(ticket)
    checked = _checked(locked, address)
    found = find_participant(locked, checked)
    if found is not None and found.removed_at is None:
        return found
    if found is None and locked.participants.count() >= MAX_PARTICIPANTS:
        raise TooManyParticipants
    person = found or TicketParticipant(ticket=locked, address=checked)
    person.name = single_line(name, 150) or person.name
    person.removed_at, person.added_by = None, actor
    person.save()
    _note(locked, actor, added=person.address)
    return person


@decides(
    "support.remove_participant", permission="support.reply_ticket", concerns=concerned.requester
)
@transaction.atomic
def remove_participant(*, actor: User, ticket: Ticket, participant: int) -> TicketParticipant:
    """Let somebody take part no longer: they get nothing more, and their mail joins no more.

    Raises `NotFound`.
    """
    locked = lock_ticket(ticket)
    person = locked.participants.present().filter(pk=participant).first()
    if person is None:
        raise NotFound
    person.removed_at = timezone.now()
    person.save(update_fields=["removed_at"])
    _note(locked, actor, removed=person.address)
    return person


def _note(ticket: Ticket, actor: User, **data: str) -> None:
    now = timezone.now()
    note(ticket, TicketEvent.Kind.PARTICIPANTS, actor=actor, at=now, **data)
    finish(ticket, now=now)
    what = "added" if "added" in data else "removed"
    # The address is personal data; the trail names the ticket and its history has the address.
    audit.record(f"support.participant.{what}", actor=actor, target=ticket)


def _checked(ticket: Ticket, address: str) -> str:
    text = single_line(address, 254).strip()
    try:
        Ticket._meta.get_field("requester_email").run_validators(text)
    except ValidationError:
        text = ""
    if not text:
        raise InvalidInput("address", _("This is no e-mail address."), code="invalid")
    if is_ours(text):
        raise InvalidInput("address", _("This is an address of the desk."), code="own_address")
    if plain_address(text) == plain_address(ticket.customer_email):
        raise InvalidInput("address", _("This is whose ticket it is."), code="requester")
    return text
