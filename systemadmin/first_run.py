"""What a new installation still needs: the checklist of the home page."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django_otp import user_has_device

from systemadmin.models import Backup, User

# Backends that put mail nowhere, or only where a developer looks.
NO_MAIL = ("dummy", "console", "locmem", "filebased")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, why, and where."""

    title: Any
    text: Any
    is_done: bool
    url: str = ""


def first_steps(user: Any) -> list[Step]:
    """Return the checklist while something on it is left, for whoever can do it."""
    if settings.DEMO_MODE or not user.has_perm("systemadmin.change_systemconfig"):
        return []
    steps = [
        Step(
            _("Mail"),
            _("Set EMAIL_URL, so that answers and notices leave the house."),
            not any(name in settings.EMAIL_CONFIG["EMAIL_BACKEND"] for name in NO_MAIL),
        ),
        Step(
            _("Telegram"),
            _("Set TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID, so that alerts reach you at once."),
            bool(settings.TELEGRAM_BOT_TOKEN and settings.TELEGRAM_CHAT_ID),
        ),
        Step(
            _("Your second factor"),
            _("An authenticator app and recovery codes."),
            user_has_device(user),
            reverse("admin:two_factor"),
        ),
        Step(
            _("Backups"),
            _("Take the first one; then have a trial restore prove it."),
            Backup.objects.complete().exists(),
            reverse("admin:systemadmin_backup_changelist"),
        ),
        Step(
            _("First import"),
            _("Bring the members and their events over: see the page on connecting a platform."),
            User.objects.members().filter(is_demo=False).exists(),
            reverse("docs"),
        ),
    ]
    return [] if all(step.is_done for step in steps) else steps
