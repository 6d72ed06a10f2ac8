"""What the base app publishes in the event log."""

from datetime import datetime

from systemadmin.foundation.context import new_request_id
from systemadmin.models import User
from systemadmin.services.event_log import publish_event


def announce_account(user: User, what: str) -> None:
    """Publish that an account was suspended, reinstated or verified."""
    publish_event(
        f"user.{what}",
        key=f"user-{user.pk}-{what}-{new_request_id()}",
        data={"user": user.pk, "suspended_until": iso(user.suspended_until)},
    )


def announce_maintenance(
    what: str, *, mode: str = "", starts_at: datetime | None = None, until: datetime | None = None
) -> None:
    """Publish that a maintenance was enabled or ended."""
    publish_event(
        f"maintenance.{what}",
        key=f"maintenance-{what}-{new_request_id()}",
        data={"mode": mode, "starts_at": iso(starts_at), "until": iso(until)},
    )


def iso(moment: datetime | None) -> str | None:
    """Return a moment as it is written in messages."""
    return moment.isoformat() if moment else None
