"""Anomalies and the rules that find them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from riskops.anomalies.handling import (
    change_rule,
    create_rule,
    delete_rule,
    end_exemption,
    exempt_account,
    resolve_anomaly,
)
from riskops.anomalies.rules import DETECTORS
from riskops.api.link_filters import AnomalyFilter, AnomalyRuleFilter
from riskops.api.link_serializers import AccountBriefSerializer
from riskops.models import Anomaly, AnomalyExemption, AnomalyRule
from riskops.models.anomalies import AutomaticAction, Outcome, Severity
from systemadmin.foundation.api import (
    AccountKeyField,
    CursorList,
    ListAction,
    RetrieveAction,
    ServiceCrudViewSet,
    StaffViewSet,
    StrictSerializer,
    crud_access,
    expected_version,
)
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User

CODES = [detector.code for detector in DETECTORS]


class AnomalySerializer(serializers.ModelSerializer):
    """Something unusual about an account."""

    rule = serializers.SlugRelatedField("code", read_only=True)
    title = serializers.CharField(source="rule.get_detector_display")
    user = AccountBriefSerializer(source="account")
    resolved_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True)
    evidence: Any = serializers.DictField()

    class Meta:
        model = Anomaly
        fields = (
            "id",
            "rule",
            "title",
            "user",
            "severity",
            "status",
            "hits",
            "first_hit_at",
            "last_hit_at",
            "detected_at",
            "evidence",
            "outcome",
            "note",
            "resolved_by",
            "resolved_at",
            "version",
        )


class AnomalyResolveInput(StrictSerializer):
    """What it turned out to be."""

    outcome = serializers.ChoiceField(choices=Outcome.choices)
    note = serializers.CharField(max_length=1000, required=False, allow_blank=True)


class AnomalyRuleSerializer(serializers.ModelSerializer):
    """A rule with what its resolved anomalies turned out to be."""

    parameters: Any = serializers.DictField(child=serializers.IntegerField())
    open = serializers.IntegerField(source="open_count")
    resolved = serializers.IntegerField(source="resolved_count")
    precision = serializers.SerializerMethodField(
        help_text="Share of resolved anomalies that were confirmed or valuable."
    )

    class Meta:
        model = AnomalyRule
        fields = (
            "id",
            "code",
            "detector",
            "parameters",
            "severity",
            "points",
            "action",
            "is_enabled",
            "open",
            "resolved",
            "precision",
            "version",
        )

    def get_precision(self, rule: AnomalyRule) -> float | None:
        resolved = rule.resolved_count  # annotated
        return round(rule.right_count / resolved, 4) if resolved else None


class AnomalyRuleInput(StrictSerializer):
    """A rule: a detector with parameters, severity and automatic action."""

    code = serializers.SlugField(max_length=48)
    detector = serializers.ChoiceField(choices=CODES)
    parameters = serializers.DictField(child=serializers.IntegerField(), required=False)
    severity = serializers.ChoiceField(choices=Severity.choices, required=False)
    points = serializers.IntegerField(min_value=0, max_value=100, required=False)
    action = serializers.ChoiceField(choices=AutomaticAction.choices, required=False)
    is_enabled = serializers.BooleanField(required=False)


class ExemptInput(StrictSerializer):
    """Which account, why, until when."""

    user = AccountKeyField()
    reason = serializers.CharField(max_length=400)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class UnexemptInput(StrictSerializer):
    """Input of ending an exemption: the account."""

    user = AccountKeyField()


class ExemptionSerializer(serializers.ModelSerializer):
    """An account that a rule leaves alone."""

    user = AccountBriefSerializer(source="account")
    rule = serializers.SlugRelatedField("code", read_only=True)
    created_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True)

    class Meta:
        model = AnomalyExemption
        fields = ("id", "rule", "user", "reason", "expires_at", "created_by", "created_at")


@extend_schema_view(
    list=extend_schema(summary="Anomalies"), retrieve=extend_schema(summary="An anomaly")
)
class AnomalyViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/anomalies…`."""

    access = {
        "list": "riskops.view_anomaly",
        "retrieve": "riskops.view_anomaly",
        "resolve": "riskops.resolve_anomaly",
    }
    queryset = Anomaly.objects.shown_with()
    serializer_class = AnomalySerializer
    filterset_class = AnomalyFilter
    pagination_class = CursorList
    ordering = ("-detected_at",)
    ordering_fields = ("detected_at", "last_hit_at", "hits", "id")
    versioned = True

    @extend_schema(request=AnomalyResolveInput, summary="Resolve an anomaly")
    @action(detail=True, methods=["post"])
    def resolve(self, request: Request, pk: str) -> Response:
        """Close it with an outcome; 409 when someone was faster."""
        data = self.parse(AnomalyResolveInput)
        return self.answer(
            resolve_anomaly(
                actor=self.caller,
                anomaly=self.get_object(),
                expected_version=expected_version(request),
                **data,
            )
        )


@extend_schema_view(
    list=extend_schema(summary="Anomaly rules"),
    retrieve=extend_schema(summary="An anomaly rule"),
    create=extend_schema(summary="Add a rule"),
    update=extend_schema(summary="Replace a rule"),
    partial_update=extend_schema(summary="Change a rule"),
    destroy=extend_schema(summary="Delete a rule"),
)
class AnomalyRuleViewSet(ServiceCrudViewSet):
    """`/api/admin/anomaly-rules…`: parameters not given take the detector's defaults.

    A rule that has found something cannot be deleted, only switched off.
    """

    access = {
        **crud_access("riskops.anomalyrule"),
        "exempt": "riskops.add_anomalyexemption",
        "unexempt": "riskops.add_anomalyexemption",
    }
    needs_second_person = {"update", "partial_update", "destroy", "exempt"}
    queryset = AnomalyRule.objects.with_precision().order_by("code")
    serializer_class = AnomalyRuleSerializer
    input_class = AnomalyRuleInput
    filterset_class = AnomalyRuleFilter
    takes_values = True
    subject = "rule"
    create_service = staticmethod(create_rule)
    update_service = staticmethod(change_rule)
    delete_service = staticmethod(delete_rule)

    def show(self, made: AnomalyRule, status: int = 200) -> Response:
        """Return the rule with its precision."""
        return self.answer(self.get_queryset().get(pk=made.pk), status=status)

    @extend_schema(
        request=ExemptInput, responses={201: ExemptionSerializer}, summary="Exempt an account"
    )
    @action(detail=True, methods=["post"])
    def exempt(self, request: Request, pk: str) -> Response:
        """Have the rule leave an account alone."""
        data = self.parse(ExemptInput)
        exemption = exempt_account(
            actor=self.caller,
            rule=self.get_object(),
            account=_account(data.pop("user")),
            **data,
        )
        return self.answer(exemption, status=201, serializer_class=ExemptionSerializer)

    @extend_schema(request=UnexemptInput, responses={204: None}, summary="End an exemption")
    @action(detail=True, methods=["post"])
    def unexempt(self, request: Request, pk: str) -> Response:
        """Have the rule look at the account again."""
        account = _account(self.parse(UnexemptInput)["user"])
        end_exemption(actor=self.caller, rule=self.get_object(), account=account)
        return Response(status=204)


def _account(pk: int) -> User:
    account = User.objects.filter(pk=pk).first()
    if account is None:
        raise InvalidInput("user", _("There is no such account."), code="does_not_exist")
    return account
