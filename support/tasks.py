"""What workers run: one service call each."""

from datetime import timedelta

from django.utils import timezone

from support.services import (
    agent_notices,
    clocks,
    fetching,
    mail_in,
    mail_out,
    mail_pictures,
    policies,
    presence,
    tickets,
)
from systemadmin.foundation.batches import Batch

MAIL = Batch("support.sweep_mail", is_atomic=False)
CLOSING = Batch("support.close_and_forget", is_atomic=False)


def deliver_mail(pk: int) -> None:
    """Send one outgoing mail."""
    mail_out.OUTBOX.deliver(pk)


def process_mail(pk: int) -> None:
    """Read one stored mail."""
    mail_in.process_mail(pk)


def attach_mailed_picture(pk: int, at: int) -> None:
    """Store one picture of a mail that takes long to write anew."""
    mail_pictures.attach_picture(pk, at)


def reapply_policy(pk: int) -> None:
    """Give open tickets the present version of a policy."""
    policies.reapply(pk)


def sweep_sla() -> None:
    """Note and escalate promises that have passed."""
    clocks.sweep()


def sweep_mail() -> None:
    """Retry outgoing mail, and read stored mail that no task took up."""
    older_than = timezone.now() - timedelta(minutes=5)
    MAIL.parts(
        outgoing=mail_out.OUTBOX.deliver_due,
        incoming=lambda: mail_in.sweep_inbox(older_than=older_than),
    )


def send_agent_notices() -> None:
    """Put the waiting notices of agents into mails."""
    agent_notices.send_notices()


def fetch_mail() -> None:
    """Fetch every mailbox that has a server."""
    fetching.fetch_all()


def close_resolved() -> None:
    """Close what has been resolved for long, and forget who looked at what."""
    CLOSING.parts(tickets=tickets.close_resolved, presence=presence.forget_old)
