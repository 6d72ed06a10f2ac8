"""Accounts as staff look for them, riskiest first, and their standing."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from riskops.api.filters import AccountFilter
from riskops.api.serializers import AccountSerializer, StandingReasonInput, SuspendInput
from riskops.models import RiskScore
from riskops.querysets.shown_scores import shown_score, shown_scores
from systemadmin.foundation.api import CursorList, RetrieveAction, StaffViewSet
from systemadmin.foundation.references import REFERENCE_REGEX
from systemadmin.models import User
from systemadmin.services import reinstate_user, suspend_user, verify_user

BY_RISK = ("risk_score", "-risk_score")


class AccountCursor(CursorList):
    """Pages accounts; by risk it walks the index of scores instead of sorting everyone."""

    def _ordering(self, queryset: QuerySet, request: Request, view: Any) -> list[tuple[str, bool]]:
        if queryset.model is RiskScore:
            descending = request.query_params["ordering"].strip().startswith("-")
            return [("score", descending), ("account_id", descending)]
        return super()._ordering(queryset, request, view)


@extend_schema_view(
    list=extend_schema(summary="Accounts, for staff"),
    retrieve=extend_schema(summary="An account, for staff"),
)
class AccountViewSet(RetrieveAction, StaffViewSet):
    """`/api/admin/users…`."""

    access = {
        "list": ("systemadmin.view_user", "riskops.view_riskscore"),
        "retrieve": ("systemadmin.view_user", "riskops.view_riskscore"),
        "suspend": "systemadmin.suspend_user",
        "reinstate": "systemadmin.suspend_user",
        "verify": "systemadmin.verify_user",
    }
    needs_second_person = {"reinstate", "suspend"}
    queryset = User.objects.all()
    lookup_value_regex = REFERENCE_REGEX
    serializer_class = AccountSerializer
    pagination_class = AccountCursor
    filterset_class = AccountFilter
    ordering = ("-date_joined", "-id")
    ordering_fields = ("risk_score", "date_joined", "id")

    def get_queryset(self) -> QuerySet:
        """Return the accounts with their scores; one's own has none."""
        return super().get_queryset().prefetch_related(shown_score(self.caller))

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return accounts by any filter; `ordering=-risk_score` lists scored accounts only."""
        users = self.filter_queryset(self.get_queryset())
        if request.query_params.get("ordering", "").strip() not in BY_RISK:
            page = self.paginate_queryset(users)
        else:
            chosen = users.order_by().prefetch_related(None)
            scores = shown_scores(self.caller).select_related("account")
            scores = scores.filter(account__in=chosen.values("pk"))
            page = [_with_score(score) for score in self.paginate_queryset(scores) or []]
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=SuspendInput, summary="Suspend an account")
    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, pk: str) -> Response:
        """Suspend with a reason, for good or until a moment."""
        data = self.parse(SuspendInput)
        suspend_user(
            actor=self.caller,
            user=self.get_object(),
            reason=data["reason"],
            until=data.get("until"),
        )
        return self.answer(self.get_object())

    @extend_schema(request=StandingReasonInput, summary="Reinstate an account")
    @action(detail=True, methods=["post"])
    def reinstate(self, request: Request, pk: str) -> Response:
        """Lift the suspension."""
        reason = self.parse(StandingReasonInput).get("reason", "")
        reinstate_user(actor=self.caller, user=self.get_object(), reason=reason)
        return self.answer(self.get_object())

    @extend_schema(request=StandingReasonInput, summary="Verify an account")
    @action(detail=True, methods=["post"])
    def verify(self, request: Request, pk: str) -> Response:
        """Note that the person behind the account was verified."""
        reason = self.parse(StandingReasonInput).get("reason", "")
        verify_user(actor=self.caller, user=self.get_object(), reason=reason)
        return self.answer(self.get_object())


def _with_score(score: RiskScore) -> User:
    account = score.account
    account.risk_score = score
    return account
