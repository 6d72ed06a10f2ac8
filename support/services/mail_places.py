"""Which ticket a mail proves to belong to, and which it only mentions."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils import timezone

from support import mail_threading
from support.mail_headers import plain_address
from support.mail_parsing import IncomingMail
from support.models import InboundReference, Mailbox, OutboundMessage, Ticket
from support.models.tickets import TicketLink
from support.services.history import note
from support.services.mail_keys import address_keys
from support.services.participants import add_participants, find_participant
from systemadmin.models import User


@dataclass(frozen=True)
class MailTarget:
    """Where a mail goes: `ticket` by proof, `suggested` if it mentions one without proof.

    `linked` are further tickets of the same sender that it mentions, `late` those whose mail
    answers this one and came before it.
    """

    ticket: Ticket | None = None
    suggested: Ticket | None = None
    linked: tuple[Ticket, ...] = ()
    late: tuple[Ticket, ...] = ()


def own_addresses() -> tuple[str, ...]:
    """Return the addresses of the desk."""
    return tuple(Mailbox.objects.values_list("address", flat=True))


def account_of(address: str) -> User | None:
    """Return the one active account with this address; two of the same leave it open."""
    found = list(User.objects.filter(email__iexact=address, is_active=True)[:2]) if address else []
    return found[0] if len(found) == 1 else None


def find_place(mail: IncomingMail) -> MailTarget:
    """Find the ticket of a mail.

    Proof is an address that we signed, or the id of a mail that the ticket sent or received
    together with a sender who is on that ticket. The mail answered comes before older ones of
    the thread. An id that several tickets of the sender received proves nothing: some programs
    send every mail under the same one.
    """
    tagged = ticket_of_address(mail.recipients)
    proven, mentioned = _by_thread(mail)
    late = _waiting_for(mail)
    if tagged is not None and is_removed(tagged, mail.sender):
        return MailTarget(suggested=tagged)
    if tagged is not None:
        return MailTarget(tagged, late=late)
    if proven:
        return MailTarget(proven[0], linked=tuple(proven[1:]), late=late)
    own = next((ticket for ticket in late if _is_requester(ticket, mail.sender)), None)
    if own is not None:
        return MailTarget(own, late=late)
    return MailTarget(suggested=next(iter(mentioned), None) or _by_subject(mail), late=late)


def ticket_of_address(addresses: Iterable[str]) -> Ticket | None:
    """Return the ticket whose reply address, signed by us, is among these."""
    addresses = list(addresses)
    for key in address_keys():
        number = mail_threading.number_of_addresses(addresses, key)
        found = Ticket.objects.filter(number=number).select_related("merged_into").first()
        if found is not None:
            return found.merged_into or found
    return None


def _by_thread(mail: IncomingMail) -> tuple[list[Ticket], list[Ticket]]:
    """Return tickets that a mail belongs to, nearest first, and those that it only mentions."""
    ids = [known[:500] for known in mail.references if known != mail.message_id]
    rows = _roots(InboundReference.objects.filter(message_id__in=ids, is_mention=False))
    proven: dict[int, Ticket] = {}
    mentioned: dict[int, Ticket] = {}
    for known in ids:
        tickets = rows.get(known, {})
        own = {pk: t for pk, t in tickets.items() if is_on_ticket(t, mail)}
        (proven if len(own) == 1 else mentioned).update(own)
        mentioned.update({pk: t for pk, t in tickets.items() if pk not in own})
    return list(proven.values()), [t for pk, t in mentioned.items() if pk not in proven]


def _waiting_for(mail: IncomingMail) -> tuple[Ticket, ...]:
    """Return tickets whose mail answers this one and came before it, oldest first.

    Only those of this sender, or whose writer named this sender: an id alone proves nothing. Nor
    does one that a ticket has received, which programs send again and again.
    """
    if not mail.message_id or mail.reply_to or not mail.sender:
        return ()
    rows = InboundReference.objects.filter(message_id=mail.message_id[:500])
    if rows.filter(is_mention=False).exists():
        return ()
    found = {pk: ticket for tickets in _roots(rows).values() for pk, ticket in tickets.items()}
    return tuple(ticket for ticket in found.values() if takes_part(ticket, mail.sender))


def _roots(rows: QuerySet[InboundReference]) -> dict[str, dict[int, Ticket]]:
    """Return the tickets of each message id; one that was merged is its target."""
    found: dict[str, dict[int, Ticket]] = {}
    people = ("ticket__requester", "ticket__merged_into__requester")
    for row in rows.select_related(*people).order_by("pk")[:500]:
        root = row.ticket.merged_into or row.ticket
        found.setdefault(row.message_id, {})[root.pk] = root
    return found


def _is_requester(ticket: Ticket, address: str) -> bool:
    return bool(address) and plain_address(ticket.customer_email) == plain_address(address)


def is_on_ticket(ticket: Ticket, mail: IncomingMail) -> bool:
    """Return whether the sender takes part: requester, participant, agent or other known address.

    A form writes from one address for everybody, so for an address that is only known from
    earlier mail the person whom Reply-To names must be on the ticket too.
    """
    if not mail.sender:
        return False
    people = _people_of(ticket)
    if mail.is_of_everybody:
        return plain_address(mail.reply_to) in people
    if plain_address(mail.sender) in people:
        return True
    account = account_of(mail.sender)
    if account is not None and account.is_staff and account.has_perm("support.reply_ticket"):
        return True
    earlier = ticket.inbound.light().filter(Q(sender=mail.sender) & ~Q(reply_to="")).exists()
    return earlier and plain_address(mail.reply_to or mail.sender) in people


def _people_of(ticket: Ticket) -> set[str]:
    """Return the plain addresses of the requester and of all who take part."""
    present = ticket.participants.present().values_list("address", flat=True)
    return {plain_address(address) for address in (ticket.customer_email, *present) if address}


def takes_part(ticket: Ticket, address: str) -> bool:
    """Return whether this address is the requester's or a participant's."""
    return plain_address(address) in _people_of(ticket)


def is_removed(ticket: Ticket, address: str) -> bool:
    """Return whether an agent removed this address; a reply address proves no more then."""
    found = find_participant(ticket, address) if address else None
    return found is not None and found.removed_at is not None


def _by_subject(mail: IncomingMail) -> Ticket | None:
    """Return the ticket whose number is in the subject: a hint, as it can be guessed."""
    number = mail_threading.subject_number(mail.subject)
    found = (
        Ticket.objects.filter(number=number).select_related("merged_into").first()
        if number
        else None
    )
    return (found.merged_into or found) if found else None


def remember(mail: IncomingMail, ticket: Ticket) -> None:
    """Note the ids of a mail's thread and the people whom it names."""
    if mail.message_id:
        InboundReference.objects.update_or_create(
            message_id=mail.message_id[:500], ticket=ticket, defaults={"is_mention": False}
        )
    mentioned = [i[:500] for i in mail.references if i != mail.message_id]
    InboundReference.objects.bulk_create(
        [InboundReference(message_id=i, ticket=ticket, is_mention=True) for i in mentioned],
        ignore_conflicts=True,
    )
    ours = set(map(plain_address, own_addresses()))
    people = [(mail.sender, mail.sender_name)] if not mail.reply_to else []
    people += [(person.address, person.name) for person in mail.participants]
    add_participants(ticket, [p for p in people if p[0] and plain_address(p[0]) not in ours])


def link_threads(earlier: Ticket, ticket: Ticket) -> None:
    """Link two tickets that one mail shows to be of the same matter; once."""
    if earlier.pk == ticket.pk:
        return
    first, second = sorted((earlier, ticket), key=lambda t: t.pk)
    _link, is_new = TicketLink.objects.get_or_create(first=first, second=second)
    if is_new:
        now = timezone.now()
        note(ticket, "linked", actor=None, at=now, number=earlier.number)
        note(earlier, "linked", actor=None, at=now, number=ticket.number)


def is_our_own(mail: IncomingMail) -> bool:
    """Return whether a mail is one of ours that came back.

    The field that our mail carries counts only with the number of a ticket of ours and one of
    our addresses: another desk may run the same software.
    """
    if mail.message_id and OutboundMessage.objects.filter(message_id=mail.message_id).exists():
        return True
    if not mail.loop_number or mail.sender not in own_addresses():
        return False
    return Ticket.objects.filter(number=mail.loop_number).exists()
