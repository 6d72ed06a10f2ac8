"""Mail that nobody wants: senders blocked, tickets marked as spam, and both taken back."""

from collections.abc import Sequence
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from support import lifecycle
from support.errors import NotSpam
from support.mail_headers import plain_address
from support.models import BlockedSender, Ticket, TicketEvent
from support.services import concerned
from support.services.history import note
from support.services.participants import is_ours
from support.services.tickets import finish, lock_ticket, set_status
from systemadmin import audit
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.single_line import single_line
from systemadmin.models import User
from systemadmin.services.duties import decides
from systemadmin.services.undoing import notify_undone, reason_to_undo

_BLOCKED: Final = gettext_lazy("You had blocked the sender %(address)s.")


def block_of(address: str) -> BlockedSender | None:
    """Return the rule by which mail of this address, its domain or a parent opens no ticket."""
    if not address:
        return None
    host = address.lower().rpartition("@")[2]
    labels = host.split(".")
    domains = ["@" + ".".join(labels[at:]) for at in range(max(1, len(labels) - 1))]
    names = [plain_address(address), address.lower(), *domains]
    return BlockedSender.objects.filter(address__in=names).order_by("pk").first()


@transaction.atomic
def block_sender(
    *, actor: User, address: str, reason: str = "", ticket: Ticket | None = None
) -> BlockedSender:
    """Let mail of an address (or of "@domain") open tickets no more; raises `InvalidInput`.

    Their mail stays on the list "No person's mail", from where each can still become a ticket.
    """
    text = single_line(address, 254).strip().lower()
    local, at, host = text.rpartition("@")
    if not at or "." not in host or " " in text:
        raise InvalidInput("address", _("Give an e-mail address, or @ and a domain."))
    if is_ours(text) or _is_staff(text) or _holds_ours(host if not local else ""):
        raise InvalidInput(
            "address", _("This is an address of the desk or of a colleague. It cannot be blocked.")
        )
    kept = f"@{host}" if not local else plain_address(text)
    row, is_new = BlockedSender.objects.get_or_create(
        address=kept,
        defaults={"created_by": actor, "ticket": ticket, "reason": single_line(reason, 300)},
    )
    if is_new:
        audit.record("support.sender.blocked", actor=actor, target=row)
    return row


@transaction.atomic
def unblock_sender(*, actor: User, sender: BlockedSender, reason: str = "") -> None:
    """Let their mail open tickets again.

    A colleague who blocked them is told, with the reason; without one `InvalidInput` is raised.
    """
    by = sender.created_by
    why = reason_to_undo(actor=actor, by=by, reason=reason)
    entry = audit.record("support.sender.unblocked", actor=actor, target=sender, reason=why)
    notify_undone(by=by, what=_BLOCKED, values={"address": sender.address}, entry=entry)
    sender.delete()


@decides("support.mark_spam", permission="support.change_ticket", concerns=concerned.requester)
@transaction.atomic
def mark_spam(*, actor: User, ticket: Ticket, block: bool = False) -> Ticket:
    """Close a ticket as spam without a word to its sender, who is blocked too if asked for."""
    locked = lock_ticket(ticket)
    if locked.spam_at is not None:
        return locked
    now, before = timezone.now(), locked.status
    locked.spam_at = now
    if before != lifecycle.CLOSED:
        set_status(locked, lifecycle.CLOSED, actor=actor, now=now, announce=False)
    note(locked, TicketEvent.Kind.SPAM, actor=actor, at=now, status=before)
    finish(locked, now=now)
    audit.record("support.ticket.marked_spam", actor=actor, target=locked)
    if block and locked.requester is None:
        block_sender(actor=actor, address=locked.requester_email, ticket=locked)
    return locked


@decides("support.unmark_spam", permission="support.change_ticket", concerns=concerned.requester)
@transaction.atomic
def unmark_spam(*, actor: User, ticket: Ticket) -> Ticket:
    """Take the mark back: the ticket is open as before, and the block that came with it ends.

    Raises `NotSpam`.
    """
    locked = lock_ticket(ticket)
    if locked.spam_at is None:
        raise NotSpam
    now = timezone.now()
    locked.spam_at = None
    marked = locked.events.filter(kind=TicketEvent.Kind.SPAM).order_by("-pk").first()
    before = marked.data.get("status") if marked else None
    if before != lifecycle.CLOSED:
        set_status(locked, lifecycle.IN_PROGRESS, actor=actor, now=now, announce=False)
    note(locked, TicketEvent.Kind.NOT_SPAM, actor=actor, at=now)
    finish(locked, now=now)
    audit.record("support.ticket.unmarked_spam", actor=actor, target=locked)
    for sender in blocks_of(locked):
        unblock_sender(actor=actor, sender=sender, reason=_("Their ticket is no spam."))
    return locked


def blocks_of(ticket: Ticket) -> Sequence[BlockedSender]:
    """Blocks that came with marking this ticket."""
    return list(BlockedSender.objects.filter(ticket=ticket))


def _is_staff(address: str) -> bool:
    return User.objects.filter(email__iexact=address, is_staff=True).exists()


def _holds_ours(domain: str) -> bool:
    """Return whether a domain is one that the desk or its staff write from."""
    if not domain:
        return False
    staff = User.objects.filter(is_staff=True, email__iendswith=f"@{domain}")
    return is_ours(f"support@{domain}") or staff.exists()
