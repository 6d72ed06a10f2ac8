"""What decisions, their rules and lists say and take."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from riskops.api.link_serializers import AccountBriefSerializer
from riskops.api.serializers import KIND_CODES, EventRow
from riskops.decisions.conditions import FIELDS, MOST_CONDITIONS
from riskops.decisions.sentences import conditions_texts, rule_text
from riskops.event_kinds import EventKind
from riskops.models import Decision, DecisionRule, ListEntry
from riskops.models.decisions import DecisionFeedback, DecisionOutcome, ListKind, ListName
from riskops.models.scores import Level
from riskops.querysets.shown_scores import own_accounts
from riskops.scores.explanation import explain
from riskops.scores.measure_spec import OPERATORS
from riskops.scores.rules import LEVELS
from systemadmin.foundation.api import AccountKeyField, StrictSerializer
from systemadmin.foundation.personal_data import masked, masked_texts, sees_personal_data

# Factors of the score that an answer tells, weightiest first.
TOLD_FACTORS = 3


class DecisionInput(StrictSerializer):
    """An event that happened, or an account and what it is about to do."""

    source: Any = serializers.CharField(max_length=32, required=False)
    event = serializers.JSONField(required=False)
    id = serializers.CharField(max_length=128, required=False)
    action = serializers.ChoiceField(choices=KIND_CODES, required=False)
    account = AccountKeyField(required=False)
    account_external_id = serializers.CharField(max_length=128, required=False)
    ip = serializers.CharField(max_length=64, required=False)
    device = serializers.CharField(max_length=128, required=False)
    wallet = serializers.CharField(max_length=128, required=False)
    counterparty_wallet = serializers.CharField(max_length=128, required=False)
    amount = serializers.IntegerField(required=False)
    currency = serializers.CharField(max_length=3, required=False)
    country = serializers.CharField(max_length=2, required=False)
    data: Any = serializers.DictField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Either the event or the wish, never both."""
        if "event" in attrs:
            more = sorted(set(attrs) - {"event", "source"})
            if more:
                raise serializers.ValidationError({more[0]: _("The event says this already.")})
            if not isinstance(attrs["event"], dict):
                raise serializers.ValidationError({"event": _("Must be an object.")})
        elif "action" not in attrs:
            text = _("Send an event, or an account and its action.")
            raise serializers.ValidationError({"event": text})
        return attrs


class DecisionBody(serializers.Serializer):
    """As `DecisionInput`, with its event described."""

    source: Any = serializers.CharField(max_length=32, required=False)
    event = EventRow(required=False)
    id = serializers.CharField(max_length=128, required=False)
    action = serializers.ChoiceField(choices=KIND_CODES, required=False)
    account = AccountKeyField(required=False)
    account_external_id = serializers.CharField(max_length=128, required=False)
    ip = serializers.CharField(required=False)
    device = serializers.CharField(max_length=128, required=False)
    wallet = serializers.CharField(max_length=128, required=False)
    counterparty_wallet = serializers.CharField(max_length=128, required=False)
    amount = serializers.IntegerField(required=False)
    currency = serializers.CharField(max_length=3, required=False)
    country = serializers.CharField(max_length=2, required=False)
    data: Any = serializers.DictField(required=False)


class DecisionReasonSerializer(serializers.Serializer):
    """Why, in plain words."""

    code = serializers.CharField(help_text="Of a rule, or of a factor of the score.")
    text = serializers.CharField()


class ShadowOutcomeSerializer(serializers.Serializer):
    """What a rule in shadow mode would have decided."""

    rule = serializers.CharField()
    outcome = serializers.ChoiceField(choices=DecisionOutcome.values)
    text = serializers.CharField()


class DecisionSerializer(serializers.ModelSerializer):
    """A decision with its reasons."""

    id = serializers.IntegerField(
        allow_null=True, help_text="Missing when it could not be written down."
    )
    account = serializers.IntegerField(source="account_id")
    kind = serializers.SerializerMethodField()
    level = serializers.SerializerMethodField()
    rule = serializers.SerializerMethodField(help_text="The rule that decided.")
    ruleset = serializers.SerializerMethodField(help_text="Number of the rules of the score.")
    reasons = serializers.SerializerMethodField()
    shadow = serializers.SerializerMethodField()

    class Meta:
        model = Decision
        fields: tuple[str, ...] = (
            "id",
            "outcome",
            "score",
            "level",
            "reasons",
            "rule",
            "ruleset",
            "shadow",
            "is_default",
            "account",
            "kind",
            "source",
            "external_id",
            "decided_at",
            "took_ms",
            "feedback",
            "feedback_at",
        )

    def to_representation(self, decision: Decision) -> dict[str, Any]:
        """Of one's own account tell the outcome, not the score behind it."""
        shown = super().to_representation(decision)
        if decision.account_id in own_accounts(self.context):
            shown |= {"score": None, "level": None, "rule": None, "reasons": [], "shadow": []}
        return shown

    @extend_schema_field(serializers.ChoiceField(choices=KIND_CODES))
    def get_kind(self, decision: Decision) -> str:
        return EventKind(decision.kind).code

    @extend_schema_field(serializers.ChoiceField(choices=LEVELS, allow_null=True))
    def get_level(self, decision: Decision) -> str | None:
        return None if decision.level is None else Level(decision.level).code

    def get_rule(self, decision: Decision) -> str | None:
        decisive = decision.decisive
        return decisive["code"] if decisive else None

    def get_ruleset(self, decision: Decision) -> int | None:
        return decision.ruleset.number if decision.ruleset else None

    @extend_schema_field(DecisionReasonSerializer(many=True))
    def get_reasons(self, decision: Decision) -> list[dict[str, str]]:
        return decision_reasons(decision)

    @extend_schema_field(ShadowOutcomeSerializer(many=True))
    def get_shadow(self, decision: Decision) -> list[dict[str, str]]:
        return [
            {"rule": one["code"], "outcome": one["outcome"], "text": rule_text(one)}
            for one in decision.matched
            if one["shadow"]
        ]


class DecisionAnswerSerializer(DecisionSerializer):
    """A decision just asked for."""

    event = serializers.ChoiceField(
        choices=["recorded", "known", "none"], help_text="What was done about the event."
    )
    is_repeated = serializers.BooleanField(help_text="The same was asked before.")

    class Meta(DecisionSerializer.Meta):
        fields = (*DecisionSerializer.Meta.fields, "event", "is_repeated")


def decision_reasons(decision: Decision) -> list[dict[str, str]]:
    """Return the rule that decided and the weightiest factors of the score, as sentences."""
    if decision.is_default:
        return [{"code": "default", "text": _("There was no answer in time.")}]
    decisive = decision.decisive
    if decisive is None:
        reasons = [{"code": "no_rule", "text": _("No rule matched.")}]
    else:
        reasons = [{"code": decisive["code"], "text": rule_text(decisive)}]
    if decision.ruleset is not None and decision.breakdown:
        told = explain(decision.breakdown, decision.ruleset.rules)[:TOLD_FACTORS]
        reasons += [
            {"code": one.factor, "text": f"{one.title} ({one.points:+d}): {one.text}"}
            for one in told
        ]
    return reasons


class DecisionFeedbackInput(StrictSerializer):
    """What became of it, and since when that is known."""

    feedback = serializers.ChoiceField(choices=DecisionFeedback.choices)
    note = serializers.CharField(max_length=400, required=False, allow_blank=True)
    known_at = serializers.DateTimeField(required=False)


class ConditionSerializer(serializers.Serializer):
    """A condition: `field` `op` `value`; of a measure also what is counted, over which window."""

    field = serializers.CharField(
        max_length=48, help_text=f"{', '.join(FIELDS)} or data.name of the event."
    )
    op = serializers.ChoiceField(choices=list(OPERATORS))
    value = serializers.JSONField(help_text="A text or a whole number.")
    measure: Any = serializers.DictField(required=False)
    window: Any = serializers.IntegerField(required=False, help_text="Seconds.")


class DecisionRuleSerializer(serializers.ModelSerializer):
    """A rule with its conditions in words."""

    kinds: Any = serializers.ListField(child=serializers.ChoiceField(choices=KIND_CODES))
    conditions: Any = ConditionSerializer(many=True)
    texts = serializers.SerializerMethodField(help_text="The conditions in plain words.")

    class Meta:
        model = DecisionRule
        fields = (
            "id",
            "code",
            "title",
            "kinds",
            "conditions",
            "texts",
            "outcome",
            "priority",
            "is_shadow",
            "is_enabled",
            "version",
        )

    def get_texts(self, rule: DecisionRule) -> list[str]:
        return conditions_texts(rule.conditions)


class DecisionRuleInput(StrictSerializer):
    """When all conditions hold, the outcome."""

    code = serializers.SlugField(max_length=48)
    title = serializers.CharField(max_length=120)
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=KIND_CODES), required=False, max_length=32
    )
    conditions = serializers.ListField(
        child=serializers.JSONField(), required=False, max_length=MOST_CONDITIONS
    )
    outcome = serializers.ChoiceField(choices=DecisionOutcome.choices)
    priority = serializers.IntegerField(min_value=1, max_value=1000, required=False)
    is_shadow = serializers.BooleanField(required=False)
    is_enabled = serializers.BooleanField(required=False)


class ListEntrySerializer(serializers.ModelSerializer):
    """Something on a list."""

    value = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField()
    account = AccountBriefSerializer(allow_null=True)
    created_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True)

    class Meta:
        model = ListEntry
        fields = (
            "id",
            "list",
            "kind",
            "value",
            "account",
            "reason",
            "expires_at",
            "created_by",
            "created_at",
        )

    def _is_masked(self) -> bool:
        return not sees_personal_data(self.context["request"].user)

    def get_value(self, entry: ListEntry) -> str:
        if self._is_masked() and entry.kind != ListKind.ACCOUNT:
            return masked(entry.value.removesuffix("/32").removesuffix("/128"))
        return entry.value

    def get_reason(self, entry: ListEntry) -> str:
        return masked_texts(entry.reason) if self._is_masked() else entry.reason


class ListEntryInput(StrictSerializer):
    """What goes on which list, why, until when."""

    list = serializers.ChoiceField(choices=ListName.choices)
    kind = serializers.ChoiceField(choices=ListKind.choices)
    value = serializers.CharField(max_length=320)
    reason = serializers.CharField(max_length=200)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
