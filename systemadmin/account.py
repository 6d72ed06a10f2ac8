"""The base app's corner of the account page."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin.foundation.plugins import AccountPanel
from systemadmin.models import AuditEntry, User
from systemadmin.services import sessions, two_factor


def signing_in(user: User) -> list[tuple[Any, Any, str | None]]:
    """Return how the account is protected and where it is open."""
    has_factor = two_factor.confirmed_device(user) is not None
    url = reverse("admin:systemadmin_user_access", args=[user.pk])
    failed = AuditEntry.objects.filter(
        action="systemadmin.login.failed",
        target_type=User._meta.label_lower,
        target_id=str(user.pk),
    )
    return [
        (_("Second factor"), _("on") if has_factor else _("off"), None),
        (_("Open sessions and tokens"), len(sessions.open_accesses(user)), url),
        (_("Last sign-in"), user.last_login or _("never"), None),
        (_("Failed sign-ins on record"), failed.count(), None),
    ]


PANELS = [
    AccountPanel(
        title=gettext_lazy("Signing in"),
        order=20,
        permission="systemadmin.end_sessions",
        summary=signing_in,
    )
]
