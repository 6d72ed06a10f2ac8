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
    """The account has no verdict that could be taken back."""

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


class AnomalyNotResolved(RuleViolation):
    """There is nothing to take back."""

    code = "anomaly_not_resolved"
    default_detail = _("This anomaly is open.")


class AnomalyOpenAgain(RuleViolation):
    """The rule has struck since; one open anomaly a rule and account is enough."""

    code = "anomaly_open_again"
    default_detail = _("The rule has found this account again: decide the new anomaly instead.")


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


class AskedDifferently(RuleViolation):
    """The id of a question was used for another one."""

    code = "asked_differently"
    default_detail = _(
        "This id was used for another question. Send the same event again as it was, or give it an "
        "id of its own."
    )


class EventDiffers(RuleViolation):
    """The event is in the log with another content."""

    code = "event_differs"
    default_detail = _("An event of this source with this id is recorded with another content.")


class DecisionRuleInUse(RuleViolation):
    """Decisions refer to the rule."""

    code = "decision_rule_in_use"
    default_detail = _("This rule has made decisions; switch it off instead of deleting it.")


class TooManyRules(RuleViolation):
    """More rules than a moment can ask."""

    code = "too_many_decision_rules"
    default_detail = _("Too many rules are on: switch one off first.")


class BacktestTooSlow(RuleViolation):
    """The history could not be read in the time of a page."""

    code = "backtest_too_slow"
    default_detail = _(
        "The history is too long to be read while you wait. Choose fewer days, or run "
        "manage.py backtest_decisions."
    )
