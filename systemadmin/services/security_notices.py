"""Notices to the owner of an account when what protects it changes, whoever changed it."""

from typing import Any, Final

from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from systemadmin.models import AuditEntry, User
from systemadmin.services.notifications import notify_user

_WHAT: Final[dict[str, Any]] = {
    "two_factor_enabled": gettext_lazy("Your second factor was turned on."),
    "two_factor_disabled": gettext_lazy("Your second factor was turned off."),
    "two_factor_reset": gettext_lazy("Your second factor was taken off by our staff."),
    "recovery_codes_issued": gettext_lazy("You have new recovery codes; the old ones are void."),
    "recovery_code_used": gettext_lazy("A recovery code opened your account."),
    "rights_changed": gettext_lazy(
        "Your rights were changed, and you were signed out everywhere. Sign in again."
    ),
    "password_changed": gettext_lazy("Your password was changed."),
    "identity_linked": gettext_lazy(
        "Your account was connected with your account at the identity provider of staff."
    ),
    "identity_unlinked": gettext_lazy(
        "Your account is no longer connected with your account at the identity provider of staff, "
        "and you were signed out everywhere."
    ),
    "password_set": gettext_lazy("Our staff set a new password for your account."),
}
_SUBJECT: Final = gettext_noop("The security of your account")

_ADDRESS_CHANGED: Final = gettext_lazy(
    "Hello %(name)s,\n\nthe e-mail address of your account was changed.\nTime: %(when)s.\n\n"
    "This message goes to the old and to the new address. "
    "If this was not you, answer this message at once."
)


def notify_owner(*, user: User, kind: str, entry: AuditEntry, what: Any = None) -> None:
    """Queue the notice of one audited change, in the owner's language.

    A desk says with `what` what was changed, as a text that is translated late.
    """
    if user.is_demo:
        return
    with translation.override(user.language):
        when = timezone.localtime(entry.occurred_at).strftime("%Y-%m-%d %H:%M UTC")
        body = _(
            "Hello %(name)s,\n\n%(what)s\nTime: %(when)s. Address: %(ip)s.\n\n"
            "If this was not you, answer this message at once."
        ) % {
            "name": user.get_short_name() or user.get_username(),
            "what": what or _WHAT[kind],
            "when": when,
            "ip": entry.ip or "–",
        }
        notify_user(
            user=user,
            kind=f"security.{kind}",
            subject=_(_SUBJECT),
            body=body,
            key=f"security-{entry.pk}",
        )


def notify_addresses(*, user: User, old: str, entry: AuditEntry) -> None:
    """Write to the old and the new address of an account that its e-mail address changed."""
    if user.is_demo:
        return
    with translation.override(user.language):
        when = timezone.localtime(entry.occurred_at).strftime("%Y-%m-%d %H:%M UTC")
        values = {"name": user.get_short_name() or user.get_username(), "when": when}
        subject, body = _(_SUBJECT), _ADDRESS_CHANGED % values
        for label, address in (("old", old), ("new", user.email)):
            notify_user(
                user=user,
                kind="security.email_changed",
                subject=subject,
                body=body,
                key=f"security-{entry.pk}-{label}",
                channels=("email",),
                address=address,
            )
        notify_user(
            user=user,
            kind="security.email_changed",
            subject=subject,
            body=body,
            key=f"security-{entry.pk}",
            channels=("telegram",),
        )
