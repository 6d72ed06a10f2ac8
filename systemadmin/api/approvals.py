"""`/api/admin/approvals`: what waits for a second person."""

from typing import Any, Final

import django_filters
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    RetrieveAction,
    StaffViewSet,
    StrictFilterSet,
    StrictSerializer,
    expected_version,
)
from systemadmin.foundation.context import current
from systemadmin.foundation.errors import Deferred, InvalidInput
from systemadmin.models import ApprovalRequest
from systemadmin.services import approval_texts, approvals
from systemadmin.services.approvers import who_may
from systemadmin.services.second_person import act_named

_NO_REASON: Final = _(
    "This needs a second person. Say why it should be done, in the body's `reason` where it has "
    "one, else in the header Approval-Reason."
)


class WhoMaySerializer(serializers.Serializer):
    """Who may decide."""

    permission = serializers.CharField()
    roles = serializers.ListField(child=serializers.CharField())


class ApprovalRequestSerializer(serializers.ModelSerializer):
    """One request for a second person."""

    title = serializers.SerializerMethodField()
    state = serializers.ChoiceField(
        source="standing", choices=ApprovalRequest.State.choices, read_only=True
    )
    may_decide = serializers.SerializerMethodField()

    class Meta:
        model = ApprovalRequest
        fields = [
            "id",
            "version",
            "kind",
            "act",
            "title",
            "subject_type",
            "subject_id",
            "subject_name",
            "amount",
            "currency",
            "asked_by",
            "asked_by_name",
            "reason",
            "created_at",
            "expires_at",
            "state",
            "decided_by",
            "decided_by_name",
            "decided_at",
            "decision_reason",
            "result",
            "may_decide",
        ]
        read_only_fields = fields

    def get_title(self, request: ApprovalRequest) -> str:
        """Return what would be done, in words."""
        return str(act_named(request.act).title)

    @extend_schema_field(WhoMaySerializer)
    def get_may_decide(self, request: ApprovalRequest) -> dict[str, Any]:
        """Return who may decide: nobody whom it concerns, and not who asked."""
        return {key: value for key, value in self._who(request).items() if key != "text"}

    def _who(self, request: ApprovalRequest) -> dict[str, Any]:
        # A page of requests has few acts: one look-up for each.
        act = act_named(request.act)
        kind = (request.act, act.is_for_superusers(request.arguments))
        known: dict[tuple[str, bool], Any] = self.context.setdefault("who_may", {})
        if kind not in known:
            known[kind] = who_may(act, request.arguments)
        found: dict[str, Any] = known[kind]
        return found


class ApprovalDetailSerializer(ApprovalRequestSerializer):
    """One request with the state of its object now."""

    facts = serializers.SerializerMethodField()
    caution = serializers.SerializerMethodField()

    class Meta(ApprovalRequestSerializer.Meta):
        fields = [*ApprovalRequestSerializer.Meta.fields, "facts", "caution"]
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.ListField()))
    def get_facts(self, request: ApprovalRequest) -> list[list[str]]:
        """Return pairs of label and value: what is decided, as it is now."""
        viewer = self.context["request"].user
        return [
            [str(label), str(value)]
            for label, value in approval_texts.facts(request, viewer=viewer)
        ]

    def get_caution(self, request: ApprovalRequest) -> str:
        """Return what whoever approves has to answer by a reason; empty where nothing is."""
        return approval_texts.caution_of(request, viewer=self.context["request"].user)


class DeferredAnswer(serializers.Serializer):
    """202: the act waits."""

    approval_request = serializers.IntegerField()
    state = serializers.CharField()
    detail = serializers.CharField()
    requests = ApprovalRequestSerializer(many=True)


class DecisionInput(StrictSerializer):
    """Why; required where a request is refused."""

    reason = serializers.CharField(max_length=1000, required=False, allow_blank=True, default="")


class RefusalInput(StrictSerializer):
    """Why it is refused."""

    reason = serializers.CharField(max_length=1000)


class ApprovalFilter(StrictFilterSet):
    """By state, kind, act, asker."""

    state = django_filters.ChoiceFilter(
        choices=ApprovalRequest.State.choices, method="with_standing"
    )
    expires_before = django_filters.IsoDateTimeFilter(field_name="expires_at", lookup_expr="lt")

    class Meta:
        model = ApprovalRequest
        fields = ["kind", "act", "asked_by", "subject_type", "subject_id"]

    def with_standing(self, rows: Any, _name: str, state: str) -> Any:
        """Keep those in a state by the clock."""
        return rows.standing(state)


class ApprovalViewSet(ListAction, RetrieveAction, StaffViewSet):
    """The review list, newest first."""

    access = {
        "list": "systemadmin.view_approvalrequest",
        "retrieve": "systemadmin.view_approvalrequest",
        "approve": "systemadmin.decide_approvalrequest",
        "refuse": "systemadmin.decide_approvalrequest",
        "withdraw": "systemadmin.view_approvalrequest",
    }
    queryset = ApprovalRequest.objects.select_related("asked_by", "decided_by")
    serializer_class = ApprovalRequestSerializer
    filterset_class = ApprovalFilter
    pagination_class = CursorList
    versioned = True

    def get_serializer_class(self) -> Any:
        """One request comes with the state of its object."""
        is_one = self.action == "retrieve"
        return ApprovalDetailSerializer if is_one else ApprovalRequestSerializer

    @extend_schema(
        request=DecisionInput, responses=ApprovalRequestSerializer, summary="Approve and do it"
    )
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: Any = None) -> Response:
        """Do what was asked for, now; `state` is `failed`, with the reason, where it cannot be."""
        return self._decided(approvals.approve, **self.parse(DecisionInput))

    @extend_schema(request=RefusalInput, responses=ApprovalRequestSerializer, summary="Refuse")
    @action(detail=True, methods=["post"])
    def refuse(self, request: Request, pk: Any = None) -> Response:
        """Nothing is done; who asked reads the reason."""
        return self._decided(approvals.refuse, **self.parse(RefusalInput))

    @extend_schema(request=None, responses=ApprovalRequestSerializer, summary="Withdraw")
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: Any = None) -> Response:
        """Take one's own request back."""
        return self._decided(approvals.withdraw)

    def _decided(self, service: Any, **values: Any) -> Response:
        row = service(
            actor=self.caller,
            request=self.get_object(),
            expected_version=expected_version(self.request),
            **values,
        )
        return self.answer(row)


def keep_and_answer(deferred: Deferred, request: Request) -> Response:
    """Keep the requests of an act that waits and return 202 with them."""
    body = request.data if isinstance(request.data, dict) else {}
    given = current().stated_reason or body.get("reason") or ""
    if not given:
        raise InvalidInput("reason", _NO_REASON, code="required")
    rows = approvals.keep(deferred, str(given))
    first = rows[0]
    answer = {
        "approval_request": first.pk,
        "state": first.standing,
        "detail": approval_texts.waiting_text(first),
        "requests": rows,
    }
    headers = {"Location": reverse("approval-detail", args=[first.pk])}
    return Response(DeferredAnswer(answer).data, status=202, headers=headers)
