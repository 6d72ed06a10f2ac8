"""Refusals about signing in, second factors and one-time links."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.display import display_moment
from systemadmin.foundation.errors import DomainError, NotAllowed, RuleViolation


class SignInRefused(DomainError):
    """401: what was given does not open the account."""

    status = 401
    title = _("You are not signed in.")

    def __init__(self, detail: Any = None, **kwargs: Any) -> None:
        super().__init__(detail, **kwargs)
        self.headers.setdefault("WWW-Authenticate", "Bearer")


class InvalidCredentials(SignInRefused):
    """Unknown name or wrong password: the answer does not say which."""

    code = "invalid_credentials"
    default_detail = _("Wrong username or password.")


class OtpRequired(SignInRefused):
    """The password was right and the account has a second factor."""

    code = "otp_required"
    default_detail = _("Send the code of your authenticator app, or a recovery code.")


class OtpInvalid(SignInRefused):
    """The code is wrong, old, or was used before."""

    code = "otp_invalid"
    default_detail = _("The code is not valid. Each code works once.")


class OtpThrottled(DomainError):
    """429: the last codes were wrong; wait before the next."""

    status = 429
    code = "otp_throttled"
    title = _("Too many wrong codes.")
    default_detail = _("Wait a moment before you try another code.")


class SignInLocked(DomainError):
    """429: too many failures for this name from this address."""

    status = 429
    code = "locked_out"
    title = _("Too many failed sign-ins.")
    default_detail = _("Too many failed sign-ins. Try again later.")


class SignInSuspended(NotAllowed):
    """The password was right, but the account is suspended."""

    code = "account_suspended"
    default_detail = _("Your account is suspended.")

    @classmethod
    def of(cls, user: Any) -> "SignInSuspended":
        """Say until when, which the member may know, and not why, which is the staff's."""
        until = user.suspended_until
        if until is None:
            return cls(extra={"suspended_until": None})
        shown = display_moment(until)
        return cls(
            _("Your account is suspended until %(until)s (UTC).") % {"until": shown},
            extra={"suspended_until": until.isoformat().replace("+00:00", "Z")},
        )


class TwoFactorNotStarted(RuleViolation):
    """There is no new authenticator app to confirm."""

    code = "two_factor_not_started"
    default_detail = _("Begin the set-up of an authenticator app first.")


class TwoFactorNotEnabled(RuleViolation):
    """The account has no second factor."""

    code = "two_factor_not_enabled"
    default_detail = _("The account has no second factor.")


class TwoFactorMandatory(RuleViolation):
    """Staff must have a second factor; it can be replaced, not removed."""

    code = "two_factor_mandatory"
    default_detail = _("Staff need a second factor. You can replace yours, not remove it.")


class ColleagueSetsPasswordThemselves(RuleViolation):
    """Nobody sets the password of a colleague."""

    code = "colleague_sets_password"
    default_detail = _(
        "The password of staff and service accounts is not set by others. "
        "Send a one-time link to choose a new one."
    )


class OwnerSetsPasswordThemselves(RuleViolation):
    """Nobody sets the password of a member who can choose one by a link."""

    code = "owner_sets_password"
    default_detail = _(
        "The owner has an address on file, or had one until a short while ago. "
        "Send a one-time link to choose a new password."
    )


class NoAddressOnFile(RuleViolation):
    """There is nowhere to send the link."""

    code = "no_address_on_file"
    default_detail = _("The account has no e-mail address to send the link to.")


class LinkNotValid(RuleViolation):
    """Used, expired, replaced, made for another address, or never made here."""

    code = "link_not_valid"
    default_detail = _("This link is not valid any more. Ask a colleague to send a new one.")
