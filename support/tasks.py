"""What workers run: one service call each."""

from datetime import timedelta

from django.utils import timezone

from support.services import clocks, fetching, mail_in, mail_out, policies, presence, tickets


def deliver_mail(pk: int) -> None:
    """Send one outgoing mail."""
    mail_out.OUTBOX.deliver(pk)


def process_mail(pk: int) -> None:
    """Read one stored mail."""
    mail_in.process_mail(pk)


def reapply_policy(pk: int) -> None:
    """Give open tickets the present version of a policy."""
    policies.reapply(pk)


def sweep_sla() -> None:
    """Note and escalate promises that have passed."""
    clocks.sweep()


def sweep_mail() -> None:
    """Retry outgoing mail, and read stored mail that no task took up."""
    mail_out.OUTBOX.deliver_due()
    mail_in.sweep_inbox(older_than=timezone.now() - timedelta(minutes=5))


def fetch_mail() -> None:
    """Fetch every mailbox that has a server."""
    fetching.fetch_all()


def close_resolved() -> None:
    """Close what has been resolved for long, and forget who looked at what."""
    tickets.close_resolved()
    presence.forget_old()
