"""The ways in which a sign-in of staff by their identity provider is refused."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import DomainError, NotAllowed, Unavailable


class ProviderUnavailable(Unavailable):
    """The provider gave no answer in time, or none that can be used."""

    code = "provider_unavailable"
    default_detail = _("The sign-in service does not answer now. Try again in a minute.")


class ProviderAnswerRefused(DomainError):
    """What the browser brought back is not the answer to what was asked."""

    code = "provider_answer"
    default_detail = _("This answer of the sign-in service cannot be used. Start again.")


class SignInNotBegun(ProviderAnswerRefused):
    """The browser holds no sign-in that this answer belongs to: too late, used, or not its own."""

    code = "sign_in_not_begun"
    default_detail = _(
        "This sign-in was not begun in this browser, was used already, or took too long. "
        "Start again."
    )


class ProviderDenied(NotAllowed):
    """The provider itself said no."""

    code = "provider_denied"
    default_detail = _("The sign-in service did not let you in, or you cancelled.")


class NoAccountHere(NotAllowed):
    """The person is known there and has no account here."""

    code = "no_account"
    default_detail = _("You have no account of staff here. Ask an administrator to connect yours.")


class AccountIsClosed(NotAllowed):
    """The account is inactive, erased, or does not count as staff."""

    code = "account_closed"
    default_detail = _("Your account here is closed. Ask an administrator.")


class NoRoleHere(NotAllowed):
    """None of the person's groups gives a role."""

    code = "no_role"
    default_detail = _("None of your groups gives you a role here. Ask an administrator.")


class GroupsUnreadable(NotAllowed):
    """The provider did not say which groups the person is in."""

    code = "groups_unreadable"
    default_detail = _(
        "The sign-in service sent too many groups to list. Ask an administrator to send fewer."
    )


class ClaimMissing(NotAllowed):
    """A claim that this place requires is absent or has another value."""

    code = "claim_missing"
    default_detail = _("Your account there is not one that may sign in here.")
