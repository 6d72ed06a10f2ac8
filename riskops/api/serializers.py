"""What the risk desk's core says and takes: events, scores, rulesets, accounts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from riskops.models import EventKind, RiskRuleset, RiskScore, RiskScoreHistory
from riskops.models.scores import Cause, Level
from riskops.querysets.shown_scores import own_accounts
from riskops.scores.explanation import explain
from riskops.scores.rules import LEVELS
from systemadmin.foundation.api import AccountKeyField, StrictSerializer
from systemadmin.foundation.personal_data import masked, sees_personal_data
from systemadmin.models import User

MAX_BATCH = 1000
KIND_CODES = [kind.code for kind in EventKind]


class EventRow(serializers.Serializer):
    """One account event; name the account by `account` or by `account_external_id`."""

    kind = serializers.ChoiceField(choices=KIND_CODES)
    account = AccountKeyField(required=False)
    account_external_id = serializers.CharField(required=False, max_length=128)
    occurred_at = serializers.DateTimeField()
    external_id = serializers.CharField(max_length=128)
    ip = serializers.CharField(required=False, allow_null=True)
    device = serializers.CharField(required=False, allow_null=True, max_length=128)
    wallet = serializers.CharField(required=False, allow_null=True, max_length=128)
    counterparty_wallet = serializers.CharField(required=False, allow_null=True, max_length=128)
    amount = serializers.IntegerField(required=False, allow_null=True)
    currency = serializers.CharField(required=False, max_length=3)
    country = serializers.CharField(required=False, max_length=2)
    data: Any = serializers.DictField(required=False)


class EventBatchInput(StrictSerializer):
    """A batch of events of one source. Rows are judged one by one."""

    source: Any = serializers.CharField(max_length=32, required=False)
    events = serializers.ListField(
        child=serializers.JSONField(allow_null=True), min_length=1, max_length=MAX_BATCH
    )


class EventBatchBody(serializers.Serializer):
    """As `EventBatchInput`, with its rows described."""

    source: Any = serializers.CharField(max_length=32, required=False)
    events = EventRow(many=True)


class EventOutcomeRow(serializers.Serializer):
    """What became of an event of the source (its external id), a counterparty or an account."""

    event = serializers.CharField(max_length=128, required=False)
    counterparty = serializers.CharField(max_length=128, required=False)
    account_external_id = serializers.CharField(max_length=128, required=False)
    fraud = serializers.BooleanField()
    known_at = serializers.DateTimeField(required=False, help_text="Now without it.")


class EventOutcomesInput(StrictSerializer):
    """A batch of outcomes of one source. Rows are judged one by one."""

    source: Any = serializers.CharField(max_length=32, required=False)
    outcomes = serializers.ListField(
        child=serializers.JSONField(allow_null=True), min_length=1, max_length=MAX_BATCH
    )


class EventOutcomesBody(serializers.Serializer):
    """As `EventOutcomesInput`, with its rows described."""

    source: Any = serializers.CharField(max_length=32, required=False)
    outcomes = EventOutcomeRow(many=True)


class RefusedOutcome(serializers.Serializer):
    """Why one row was refused."""

    index = serializers.IntegerField()
    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class EventOutcomesResult(serializers.Serializer):
    """What became of a batch of outcomes."""

    recorded = serializers.IntegerField()
    refused = RefusedOutcome(many=True)


class EventRowResult(serializers.Serializer):
    """What became of one row."""

    index = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["recorded", "duplicate", "refused"])
    external_id = serializers.CharField(required=False)
    field = serializers.CharField(required=False)
    code = serializers.CharField(required=False)
    detail = serializers.CharField(required=False)


class EventBatchResult(serializers.Serializer):
    """What became of a batch."""

    recorded = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = EventRowResult(many=True)


class EvidenceSerializer(serializers.Serializer):
    """What a factor counted."""

    text = serializers.CharField()
    counted = serializers.IntegerField()
    since = serializers.DateTimeField(allow_null=True)
    window_seconds = serializers.IntegerField(allow_null=True)
    points_before_cap = serializers.IntegerField(required=False)


class ReasonSerializer(serializers.Serializer):
    """One line of a breakdown; the points of all lines sum to `raw`."""

    factor = serializers.CharField(help_text="Its code; staff may write factors of their own.")
    title = serializers.CharField()
    points = serializers.IntegerField()
    evidence = EvidenceSerializer()
    without = serializers.IntegerField(help_text="The score there would be without it.")


class OverrideSerializer(serializers.Serializer):
    """A score set by staff."""

    score = serializers.IntegerField()
    reason = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField(
        source="created_by.username", read_only=True, allow_null=True
    )


class LevelField(serializers.ChoiceField):
    """A level by its name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=list(LEVELS), **kwargs)

    def to_representation(self, value: Any) -> str:
        return Level(value).code


class RiskScoreSerializer(serializers.ModelSerializer):
    """A risk score and why."""

    user = serializers.IntegerField(source="account_id")
    level = LevelField()
    ruleset = serializers.IntegerField(source="ruleset.number", help_text="Its number.")
    breakdown = serializers.SerializerMethodField()
    override = OverrideSerializer(allow_null=True)

    class Meta:
        model = RiskScore
        fields = (
            "user",
            "score",
            "computed",
            "raw",
            "level",
            "ruleset",
            "breakdown",
            "override",
            "hold_until",
            "calculated_at",
        )

    @extend_schema_field(ReasonSerializer(many=True))
    def get_breakdown(self, score: RiskScore) -> Any:
        return ReasonSerializer(explain(score.breakdown, score.ruleset.rules), many=True).data


class RiskScoreHistorySerializer(serializers.ModelSerializer):
    """One change of a score."""

    cause = serializers.ChoiceField(choices=Cause.values)
    level = LevelField()
    actor = serializers.SlugRelatedField("username", read_only=True, allow_null=True)
    ruleset = serializers.IntegerField(source="ruleset.number")
    breakdown = serializers.SerializerMethodField()

    class Meta:
        model = RiskScoreHistory
        fields = (
            "id",
            "at",
            "cause",
            "actor",
            "previous_score",
            "score",
            "computed",
            "raw",
            "level",
            "ruleset",
            "breakdown",
        )

    @extend_schema_field(ReasonSerializer(many=True))
    def get_breakdown(self, row: RiskScoreHistory) -> Any:
        return ReasonSerializer(explain(row.breakdown, row.ruleset.rules), many=True).data


class OverrideInput(StrictSerializer):
    """A score to set, why, and until when."""

    score = serializers.IntegerField(min_value=0, max_value=100)
    reason = serializers.CharField(max_length=1000)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class OutcomeInput(StrictSerializer):
    """What staff found the account to be."""

    verdict = serializers.ChoiceField(choices=["confirmed_fraud", "false_positive", "legitimate"])
    note = serializers.CharField(max_length=1000, required=False, allow_blank=True)


class RulesetSerializer(serializers.ModelSerializer):
    """A version of the risk rules; `number` is null for a draft."""

    created_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True)
    published_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True)
    definition = serializers.DictField()

    class Meta:
        model = RiskRuleset
        fields = (
            "id",
            "number",
            "note",
            "definition",
            "created_by",
            "created_at",
            "published_by",
            "published_at",
        )


class RulesetInput(StrictSerializer):
    """Rules to save as a draft; what is left out keeps its default."""

    definition = serializers.DictField()
    note = serializers.CharField(max_length=400, required=False, allow_blank=True)


class PublishInput(StrictSerializer):
    """Why the draft is put in force."""

    note = serializers.CharField(max_length=400, required=False, allow_blank=True)


class AccountSerializer(serializers.ModelSerializer):
    """An account as staff see it."""

    email = serializers.SerializerMethodField()
    risk_score = serializers.SerializerMethodField()
    risk_level = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = (
            "id",
            "username",
            "external_id",
            "email",
            "country",
            "language",
            "is_staff",
            "is_active",
            "is_demo",
            "date_joined",
            "last_login",
            "verified_at",
            "suspended_at",
            "suspended_until",
            "suspension_reason",
            "risk_score",
            "risk_level",
        )

    def get_email(self, user: User) -> str:
        request = self.context.get("request")
        if request is None or sees_personal_data(request.user):
            return user.email
        return masked(user.email)

    def _shown(self, user: User) -> RiskScore | None:
        if user.pk in own_accounts(self.context):
            return None
        return getattr(user, "risk_score", None)

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_risk_score(self, user: User) -> int | None:
        score = self._shown(user)
        return score.score if score else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_risk_level(self, user: User) -> str | None:
        score = self._shown(user)
        return Level(score.level).code if score else None


class SuspendInput(StrictSerializer):
    """Input of suspending an account: the reason, and until when."""

    reason = serializers.CharField(max_length=1000)
    until = serializers.DateTimeField(required=False, allow_null=True)


class StandingReasonInput(StrictSerializer):
    """Input of an act on an account: the reason."""

    reason = serializers.CharField(max_length=1000, required=False, allow_blank=True)
