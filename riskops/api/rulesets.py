"""Versions of the risk rules: read, draft, publish."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from riskops.api.filters import RulesetFilter
from riskops.api.serializers import PublishInput, RulesetInput, RulesetSerializer
from riskops.models import RiskRuleset
from riskops.scores.rulesets import (
    change_draft,
    current_ruleset,
    discard_draft,
    draft_ruleset,
    publish_ruleset,
)
from systemadmin.foundation.api import ListAction, RetrieveAction, StaffViewSet


@extend_schema_view(
    list=extend_schema(summary="Risk rulesets"),
    retrieve=extend_schema(summary="A risk ruleset"),
)
class RulesetViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/risk/rulesets…`."""

    access = {
        "list": "riskops.view_riskruleset",
        "retrieve": "riskops.view_riskruleset",
        "current": "riskops.view_riskruleset",
        "create": "riskops.add_riskruleset",
        "update": "riskops.add_riskruleset",
        "destroy": "riskops.add_riskruleset",
        "publish": "riskops.publish_riskruleset",
    }
    needs_second_person = {"publish"}
    queryset = RiskRuleset.objects.select_related("created_by", "published_by").order_by("-id")
    serializer_class = RulesetSerializer
    filterset_class = RulesetFilter

    @extend_schema(summary="The rules in force")
    @action(detail=False, pagination_class=None, filterset_class=None)
    def current(self, request: Request) -> Response:
        """Return the ruleset that scores are calculated with."""
        return self.answer(current_ruleset())

    @extend_schema(request=RulesetInput, responses={201: RulesetSerializer}, summary="Draft rules")
    def create(self, request: Request) -> Response:
        """Save a draft; it counts for nothing until it is published."""
        data = self.parse(RulesetInput)
        ruleset = draft_ruleset(
            actor=self.caller, definition=data["definition"], note=data.get("note", "")
        )
        return self.answer(ruleset, status=201)

    @extend_schema(request=RulesetInput, summary="Change a draft")
    def update(self, request: Request, pk: str) -> Response:
        """Replace a draft's rules; a published version is refused with 409."""
        data = self.parse(RulesetInput)
        ruleset = change_draft(
            actor=self.caller,
            ruleset=self.get_object(),
            definition=data["definition"],
            note=data.get("note", ""),
        )
        return self.answer(ruleset)

    @extend_schema(summary="Discard a draft", responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a draft; a published version is refused with 409."""
        discard_draft(actor=self.caller, ruleset=self.get_object())
        return Response(status=204)

    @extend_schema(request=PublishInput, summary="Publish a draft")
    @action(detail=True, methods=["post"])
    def publish(self, request: Request, pk: str) -> Response:
        """Put a draft in force under the next number; every account is scored with it."""
        note = self.parse(PublishInput).get("note", "")
        ruleset = publish_ruleset(actor=self.caller, ruleset=self.get_object(), note=note)
        return self.answer(ruleset)
