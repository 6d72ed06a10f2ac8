"""The ways the risk desk refuses."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import InvalidInput, RuleViolation


class RulesetAlreadyPublished(RuleViolation):
    """A published ruleset never changes."""

    code = "ruleset_already_published"
    default_detail = _("A published ruleset cannot be changed; make a new draft.")


class NoOverrideInForce(RuleViolation):
    """There is nothing to remove."""

    code = "no_override_in_force"
    default_detail = _("This account has no override in force.")


class AlreadyJudged(RuleViolation):
    """The pair or cluster carries this verdict."""

    code = "already_judged"
    default_detail = _("This verdict has been given already.")


class NotJudged(RuleViolation):
    """There is no verdict."""

    code = "not_judged"
    default_detail = _("There is no verdict to take back.")


class AlreadyShared(RuleViolation):
    """The identifier is a public place already."""

    code = "already_shared"
    default_detail = _("This identifier is marked as shared already.")


class NotShared(RuleViolation):
    """The identifier is no public place."""

    code = "not_shared"
    default_detail = _("This identifier is not marked as shared.")


class NothingToSuspend(RuleViolation):
    """No account of the cluster is left to suspend."""

    code = "nothing_to_suspend"
    default_detail = _("Every account of this cluster is suspended already.")


class AnomalyAlreadyResolved(RuleViolation):
    """Another analyst was faster."""

    code = "anomaly_already_resolved"
    default_detail = _("This anomaly has been resolved already.")


class RuleInUse(RuleViolation):
    """Anomalies refer to the rule."""

    code = "anomaly_rule_in_use"
    default_detail = _("This rule has found anomalies; switch it off instead of deleting it.")


class DetectionBusy(RuleViolation):
    """Another process is detecting."""

    code = "detection_busy"
    default_detail = _("A detection is running already.")


class EndsInThePast(InvalidInput):
    """A verdict cannot end before it begins."""

    def __init__(self) -> None:
        super().__init__("expires_at", _("The end must lie in the future."))


class LogTooShort(RuleViolation):
    """Events from after that moment were deleted by retention; only their sums are left."""

    code = "log_too_short"
    default_detail = _(
        "Events of that time were deleted by retention, so scores of that moment cannot be "
        "calculated. Choose a later moment."
    )
