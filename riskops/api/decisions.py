"""Decisions in the moment, their rules and lists."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from riskops.api.decision_serializers import (
    DecisionAnswerSerializer,
    DecisionBody,
    DecisionFeedbackInput,
    DecisionInput,
    DecisionRuleInput,
    DecisionRuleSerializer,
    DecisionSerializer,
    ListEntryInput,
    ListEntrySerializer,
)
from riskops.decisions.decide import decide
from riskops.decisions.decision_request import (
    DecisionRequest,
    ask_about_event,
    request_for_intended_action,
)
from riskops.decisions.feedback import give_decision_feedback
from riskops.decisions.lists import add_list_entry, remove_list_entry
from riskops.decisions.rules import (
    change_decision_rule,
    create_decision_rule,
    delete_decision_rule,
)
from riskops.event_kinds import KIND_BY_CODE
from riskops.models import Decision, DecisionRule, ListEntry
from riskops.querysets.shown_scores import not_own
from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    ReferenceFilter,
    RetrieveAction,
    ServiceCrudViewSet,
    StaffViewSet,
    StrictFilterSet,
    crud_access,
)

EXAMPLE = {
    "source": "shop",
    "event": {
        "kind": "purchase",
        "account_external_id": "u-1001",
        "occurred_at": "2026-03-01T12:00:00Z",
        "external_id": "order-77812",
        "ip": "203.0.113.7",
        "device": "9f2c1e",
        "amount": 12900,
        "currency": "EUR",
        "data": {"card": "fp_81c2", "email": "ana@example.test"},
    },
}


class DecisionViewSet(StaffViewSet):
    """`POST /api/risk/decisions` and what became of them."""

    access = {"create": "riskops.make_decision", "feedback": "riskops.feedback_decision"}
    rate_classes = {"create": "riskops.decide", "feedback": "riskops.decide"}
    queryset = Decision.objects.shown_with()
    serializer_class = DecisionAnswerSerializer
    pagination_class = None
    filter_backends: Any = ()

    @extend_schema(
        request=DecisionBody,
        responses={200: DecisionAnswerSerializer},
        summary="Decide in the moment",
        examples=[OpenApiExample("A purchase", EXAMPLE, request_only=True)],
    )
    def create(self, request: Request) -> Response:
        """Answer `allow`, `review`, `step_up` or `block`, with reasons.

        An `event` is recorded as `POST /api/events` does; the same event sent again gets the same
        answer, another event with its id is 409. Instead of an event an account and an `action`
        may be given, which records nothing; its `id` makes it repeatable. When there is no answer
        within `risk.decision_timeout_ms` the outcome is `risk.decision_default`, and `is_default`
        says so.
        """
        answer = decide(self._question(self.parse(DecisionInput)))
        data = DecisionSerializer(answer.decision, context=self.get_serializer_context()).data
        return Response({**data, "event": answer.event, "is_repeated": answer.is_repeated})

    def _question(self, data: dict[str, Any]) -> DecisionRequest:
        source = data.pop("source", None) or self.caller.get_username()[:32]
        if "event" in data:
            return ask_about_event(data["event"], source=source)
        name, key = data.pop("action"), data.pop("id", "")
        return request_for_intended_action(data, action=name, key=key, source=source)

    @extend_schema(
        request=DecisionFeedbackInput,
        responses=DecisionSerializer,
        summary="What became of a decision",
    )
    @action(detail=True, methods=["post"], serializer_class=DecisionSerializer)
    def feedback(self, request: Request, pk: str) -> Response:
        """Say that it was fraud or legitimate, or that the step was passed or failed."""
        data = self.parse(DecisionFeedbackInput)
        found = give_decision_feedback(actor=self.caller, decision=self.get_object(), **data)
        return self.answer(found)


class DecisionFilter(StrictFilterSet):
    """Filters of the list of decisions."""

    kind = django_filters.ChoiceFilter(
        choices=[(code, code) for code in KIND_BY_CODE], method="of_kind"
    )
    user = ReferenceFilter("account")
    rule = django_filters.CharFilter("rule__code")
    decided_after = django_filters.IsoDateTimeFilter("decided_at", lookup_expr="gte")
    decided_before = django_filters.IsoDateTimeFilter("decided_at", lookup_expr="lt")

    class Meta:
        model = Decision
        fields = ("outcome", "is_default", "feedback", "source", "external_id")

    def of_kind(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(kind=KIND_BY_CODE[value].value)


@extend_schema_view(
    list=extend_schema(summary="Decisions"), retrieve=extend_schema(summary="A decision")
)
class DecisionStreamViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/risk/decisions…`: the stream of decisions, newest first."""

    access = {"list": "riskops.view_decision", "retrieve": "riskops.view_decision"}
    queryset = Decision.objects.shown_with()
    serializer_class = DecisionSerializer
    filterset_class = DecisionFilter
    pagination_class = CursorList
    ordering = ("-id",)
    ordering_fields = ("id",)

    def get_queryset(self) -> QuerySet:
        """Leave out decisions about the caller's own accounts: they show the score."""
        return not_own(super().get_queryset(), self.caller)


class DecisionRuleFilter(StrictFilterSet):
    """Filters of the list of decision rules."""

    class Meta:
        model = DecisionRule
        fields = ("outcome", "is_enabled", "is_shadow")


@extend_schema_view(
    list=extend_schema(summary="Decision rules"),
    retrieve=extend_schema(summary="A decision rule"),
    create=extend_schema(summary="Write a decision rule"),
    update=extend_schema(summary="Replace a decision rule"),
    partial_update=extend_schema(summary="Change a decision rule"),
    destroy=extend_schema(summary="Delete a decision rule"),
)
class DecisionRuleViewSet(ServiceCrudViewSet):
    """`/api/admin/risk/decision-rules…`: asked by priority; the first that matches decides.

    A rule that has decided cannot be deleted, only switched off.
    """

    access = crud_access("riskops.decisionrule")
    needs_second_person = {"create", "update", "partial_update", "destroy"}
    queryset = DecisionRule.objects.in_order()
    serializer_class = DecisionRuleSerializer
    input_class = DecisionRuleInput
    filterset_class = DecisionRuleFilter
    takes_values = True
    subject = "rule"
    create_service = staticmethod(create_decision_rule)
    update_service = staticmethod(change_decision_rule)
    delete_service = staticmethod(delete_decision_rule)


class ListEntryFilter(StrictFilterSet):
    """Filters of the entries of allow, deny and watch lists."""

    user = ReferenceFilter("account")

    class Meta:
        model = ListEntry
        fields = ("list", "kind")


@extend_schema_view(
    list=extend_schema(summary="Entries of the lists"),
    retrieve=extend_schema(summary="An entry of a list"),
)
class ListEntryViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/risk/list-entries…`: what is allowed, denied or watched."""

    access = {
        "list": "riskops.view_listentry",
        "retrieve": "riskops.view_listentry",
        "create": "riskops.add_listentry",
        "destroy": "riskops.delete_listentry",
    }
    needs_second_person = {"create"}
    queryset = ListEntry.objects.select_related("account", "created_by")
    serializer_class = ListEntrySerializer
    filterset_class = ListEntryFilter
    pagination_class = CursorList
    ordering = ("-id",)
    ordering_fields = ("id",)

    @extend_schema(
        request=ListEntryInput, responses={201: ListEntrySerializer}, summary="Put on a list"
    )
    def create(self, request: Request) -> Response:
        """Put an account, address, device … on a list."""
        entry = add_list_entry(actor=self.caller, **self.parse(ListEntryInput))
        return self.answer(entry, status=201)

    @extend_schema(responses={204: None}, summary="Take off a list")
    def destroy(self, request: Request, pk: str) -> Response:
        """Take an entry off its list."""
        remove_list_entry(actor=self.caller, entry=self.get_object())
        return Response(status=204)
