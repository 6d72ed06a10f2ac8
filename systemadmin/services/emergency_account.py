"""The one account of staff whose password counts where all others sign in at their provider."""

from django.conf import settings
from django.utils.translation import gettext_noop

from systemadmin import audit
from systemadmin.backends import is_emergency_account
from systemadmin.models import User
from systemadmin.services.alerts import raise_alert


def report_emergency_sign_in(user: User) -> None:
    """Record and alert that somebody signed in with the emergency account; nothing for others."""
    if settings.STAFF_LOCAL_SIGN_IN or not is_emergency_account(user):
        return
    entry = audit.record("systemadmin.login.emergency", actor=user, target=user)
    raise_alert(
        rule="sign_in.emergency",
        key=str(entry.pk),
        severity="critical",
        summary=gettext_noop("Somebody signed in with the emergency account"),
        detail=gettext_noop("From %(ip)s. If nobody of you did, change its password at once."),
        facts={"ip": entry.ip or "–"},
    )
