"""What-if: a ruleset tried on everyone before it is published."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from riskops.scores.preview import Preview, preview_ruleset
from riskops.scores.rules import LEVELS
from systemadmin.foundation.api import StaffViewSet, StrictSerializer


class RulesetPreviewInput(StrictSerializer):
    """The rules to try; what the definition leaves out keeps its default."""

    definition = serializers.DictField()


class JudgementSerializer(serializers.Serializer):
    """How rules agree with what staff found."""

    true_positives = serializers.IntegerField()
    false_positives = serializers.IntegerField()
    false_negatives = serializers.IntegerField()
    precision = serializers.FloatField(allow_null=True)
    recall = serializers.FloatField(allow_null=True)


class CrossingSerializer(serializers.Serializer):
    """An account that would cross a level or the alert threshold."""

    account = serializers.IntegerField()
    score_before = serializers.IntegerField()
    score_after = serializers.IntegerField()
    level_before = serializers.CharField()
    level_after = serializers.CharField()
    alert_before = serializers.BooleanField()
    alert_after = serializers.BooleanField()


class RulesetPreviewSerializer(serializers.Serializer):
    """Both rulesets side by side; histograms have bins of five points."""

    accounts = serializers.IntegerField()
    scored = serializers.IntegerField()
    is_sample = serializers.BooleanField(help_text="Too many accounts: a spread sample.")
    histogram_before = serializers.ListField(child=serializers.IntegerField())
    histogram_after = serializers.ListField(child=serializers.IntegerField())
    levels_before = serializers.SerializerMethodField()
    levels_after = serializers.SerializerMethodField()
    crossed = serializers.IntegerField()
    crossings = CrossingSerializer(many=True, help_text="The farthest first, at most 200.")
    judgement_before = JudgementSerializer()
    judgement_after = JudgementSerializer()

    def get_levels_before(self, preview: Preview) -> dict[str, int]:
        return dict(zip(LEVELS, preview.levels_before, strict=True))

    def get_levels_after(self, preview: Preview) -> dict[str, int]:
        return dict(zip(LEVELS, preview.levels_after, strict=True))


class PreviewViewSet(StaffViewSet):
    """`POST /api/admin/risk/rulesets/preview`."""

    access = {"create": "riskops.add_riskruleset"}
    not_idempotent = {"create"}
    serializer_class = RulesetPreviewSerializer
    pagination_class = None
    filter_backends: Any = ()

    @extend_schema(
        request=RulesetPreviewInput,
        responses={200: RulesetPreviewSerializer},
        summary="Try a ruleset",
    )
    def create(self, request: Request) -> Response:
        """Score everyone by the rules in force and by these, and write nothing."""
        definition = self.parse(RulesetPreviewInput)["definition"]
        return self.answer(preview_ruleset(definition, viewer=self.caller))
