"""The ways links, clusters and anomalies refuse."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import InvalidInput, RuleViolation


class AlreadyJudged(RuleViolation):
    code = "already_judged"
    default_detail = _("This verdict has been given already.")


class NotJudged(RuleViolation):
    code = "not_judged"
    default_detail = _("There is no verdict to take back.")


class AlreadyShared(RuleViolation):
    code = "already_shared"
    default_detail = _("This identifier is marked as shared already.")


class NotShared(RuleViolation):
    code = "not_shared"
    default_detail = _("This identifier is not marked as shared.")


class NothingToSuspend(RuleViolation):
    code = "nothing_to_suspend"
    default_detail = _("Every account of this cluster is suspended already.")


class AnomalyAlreadyResolved(RuleViolation):
    code = "anomaly_already_resolved"
    default_detail = _("This anomaly has been resolved already.")


class RuleInUse(RuleViolation):
    code = "anomaly_rule_in_use"
    default_detail = _("This rule has found anomalies; switch it off instead of deleting it.")


class DetectionBusy(RuleViolation):
    code = "detection_busy"
    default_detail = _("A detection is running already.")


class EndsInThePast(InvalidInput):
    def __init__(self) -> None:
        super().__init__("expires_at", _("The end must lie in the future."))
