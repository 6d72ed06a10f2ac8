"""Since when the e-mail address of an account is on file, and who set it, by the audit trail."""

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from systemadmin.foundation.configuration import setting
from systemadmin.models import AuditEntry, User
from systemadmin.services.duties import accounts_of

_SETS_ADDRESS = (
    "systemadmin.user.created",
    "systemadmin.user.changed",
    "systemadmin.member.updated",
)


def changes(user: User, field: str = "email") -> QuerySet[AuditEntry]:
    """Return the rows of the audit trail that put an address on file or took it off, newest first.

    `field` may name the Telegram chat instead.
    """
    rows = AuditEntry.objects.filter(
        target_type="systemadmin.user",
        target_id=str(user.pk),
        action__in=_SETS_ADDRESS,
        after__has_key=field,
    )
    return rows.order_by("-id")


def last_change(user: User, field: str = "email") -> AuditEntry | None:
    """Return the row that put the present address on file, if it is known."""
    return changes(user, field).first()


def recent_change(user: User, field: str = "email") -> AuditEntry | None:
    """Return that row where it is younger than `duties.new_address_days`."""
    found = last_change(user, field)
    since = timezone.now() - timedelta(days=setting("duties.new_address_days"))
    return found if found is not None and found.occurred_at > since else None


def recent_change_by_staff(user: User, asked_by: User) -> AuditEntry | None:
    """Return that row where a person of staff put another address on file.

    A platform's key passes on what owners say, unless it is a key of whoever asks; a new account
    has no other owner yet.
    """
    found = recent_change(user)
    if found is None or found.action == "systemadmin.user.created" or found.actor is None:
        return None
    by_platform = found.actor.is_service and asked_by.pk not in accounts_of(found.actor.pk)
    is_staff = found.actor_id != user.pk and not by_platform
    return found if is_staff else None


def since(user: User) -> str:
    """Return in words since when the address is on file and who set it."""
    found = last_change(user)
    if found is None:
        return _(
            "since the account was made, %(when)s UTC, as far as the audit trail goes back"
        ) % {"when": f"{user.date_joined:%Y-%m-%d %H:%M}"}
    return _("since %(when)s UTC (%(days)s days), set by %(who)s") % {
        "when": f"{found.occurred_at:%Y-%m-%d %H:%M}",
        "days": (timezone.now() - found.occurred_at).days,
        "who": found.actor_name or _("the command line"),
    }
