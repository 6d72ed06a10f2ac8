"""Refusals about service keys and the tokens they make."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import InvalidInput, NotAllowed, RuleViolation


class KeyIsRevoked(RuleViolation):
    """The service key was revoked."""

    code = "key_revoked"
    default_detail = _("The service key is revoked. Make a new one.")


class ActsForMembersOnly(NotAllowed):
    """Nothing acts for staff, for services or for accounts with permissions."""

    code = "act_for_members_only"
    default_detail = _("Nobody acts for this account: it has rights beyond a member's own.")


class OnlyServicesIssueTokens(NotAllowed):
    """People do not make tokens for members."""

    code = "only_services_issue_tokens"
    default_detail = _("Only a service key makes tokens for members.")


class KeyOfAKey(NotAllowed):
    """A service key makes, changes and ends no keys."""

    code = "key_of_a_key"
    default_detail = _("Service keys are made, changed and ended by people.")


class KeyOfAColleague(NotAllowed):
    """Only who answers for a key learns its secret or passes the key on."""

    code = "key_of_a_colleague"
    default_detail = _("Only its owner or a superuser may do this with a key.")


class NotOnServiceKeys(InvalidInput):
    """Permissions that this key cannot be given."""

    def __init__(self, names: list[str]) -> None:
        """Name the permissions that cannot be given."""
        super().__init__(
            "permissions",
            _("Not one of yours, for people only, or for a superuser to give: %(names)s.")
            % {"names": ", ".join(names)},
            code="not_given",
        )
