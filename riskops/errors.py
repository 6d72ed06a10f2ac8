"""The ways the risk desk refuses."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import RuleViolation


class RulesetAlreadyPublished(RuleViolation):
    """A published ruleset never changes."""

    code = "ruleset_already_published"
    default_detail = _("A published ruleset cannot be changed; make a new draft.")


class NoOverrideInForce(RuleViolation):
    """There is nothing to remove."""

    code = "no_override_in_force"
    default_detail = _("This account has no override in force.")
