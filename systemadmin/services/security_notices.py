"""Notices to the owner of an account when what protects it changes, whoever changed it."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from systemadmin.models import AuditEntry, User
from systemadmin.services.notifications import notify_superusers, notify_user

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
    "telegram_changed": gettext_lazy("The Telegram chat that your notices go to was changed."),
    "password_set": gettext_lazy("Our staff set a new password for your account."),
}
_SUBJECT: Final = gettext_noop("The security of your account")

_CONTACT: Final = frozenset({"email", "telegram_chat_id"})
_TO_SUPERUSERS: Final = gettext_lazy(
    "The e-mail address or Telegram chat of the superuser %(account)s was changed by %(who)s. "
    "Ask both of them whether that is right: whoever reads those notices may take the account over."
)

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


def notify_contact(*, user: User, before: Mapping[str, Any], entry: AuditEntry) -> None:
    """Notify of another e-mail address or Telegram chat: the owner, and superusers of each other's.

    `before` has the values that changed.
    """
    if "email" in before:
        notify_addresses(user=user, old=before["email"], entry=entry)
    if "telegram_chat_id" in before:
        notify_owner(user=user, kind="telegram_changed", entry=entry)
    if user.is_superuser and not user.is_demo and _CONTACT.intersection(before):
        values = {"account": user.get_username(), "who": entry.actor_name}
        notify_superusers(
            kind="security.superuser_contact",
            subject=gettext_lazy("Where a superuser's notices go was changed"),
            body=_TO_SUPERUSERS,
            values=values,
            key=f"security-{entry.pk}-superusers",
            but=user,
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
