"""The risk score of an account: look, recalculate, override, history."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from riskops.api.filters import HistoryFilter
from riskops.api.serializers import (
    OutcomeInput,
    OverrideInput,
    RiskScoreHistorySerializer,
    RiskScoreSerializer,
)
from riskops.concerned import check_not_own
from riskops.models import RiskScore, RiskScoreHistory
from riskops.scores.calculate import calculate_score, provisional_score
from riskops.scores.outcomes import record_outcome
from riskops.scores.overrides import override_score, remove_override
from systemadmin.foundation.api import CursorList, StaffViewSet
from systemadmin.foundation.errors import NotFound
from systemadmin.foundation.references import REFERENCE_REGEX
from systemadmin.models import User


class RiskScoreViewSet(StaffViewSet):
    """`/api/admin/users/{id}/risk-score…`."""

    access = {
        "risk_score": "riskops.view_riskscore",
        "calculate": "riskops.calculate_riskscore",
        "history": ("riskops.view_riskscore", "riskops.view_riskscorehistory"),
        "override": "riskops.override_riskscore",
        "remove_override": "riskops.override_riskscore",
        "outcome": "riskops.record_riskoutcome",
    }
    needs_second_person = {"override"}
    queryset = User.objects.all()
    lookup_value_regex = REFERENCE_REGEX
    serializer_class = RiskScoreSerializer
    pagination_class = CursorList
    filterset_class: Any = None

    def _read(self) -> User:
        account: User = self.get_object()
        check_not_own(self.caller, account.pk)
        return account

    @extend_schema(summary="Risk score of an account", filters=False)
    @action(detail=True, url_path="risk-score", pagination_class=None)
    def risk_score(self, request: Request, pk: str) -> Response:
        """Return the score with its breakdown; `points` sum to `raw`, `score` is what counts.

        `computed` is the clamp of `raw`. `score` differs from it while an override is in force
        or a fall is held back until `hold_until`.
        """
        account = self._read()
        found = RiskScore.objects.with_details().filter(pk=account.pk).first()
        return self.answer(found or provisional_score(account))

    @extend_schema(request=None, summary="Recalculate a risk score")
    @action(detail=True, methods=["post"], url_path="risk-score/calculate")
    def calculate(self, request: Request, pk: str) -> Response:
        """Recalculate now and return the score."""
        return self.answer(calculate_score(account=self._read(), actor=self.caller))

    @extend_schema(
        summary="History of a risk score", responses=RiskScoreHistorySerializer(many=True)
    )
    @action(
        detail=True,
        url_path="risk-score/history",
        serializer_class=RiskScoreHistorySerializer,
        filterset_class=HistoryFilter,
        strict_parameters=True,
    )
    def history(self, request: Request, pk: str) -> Response:
        """Return every change of score, level or ruleset with its cause, newest first."""
        if not User.objects.filter(pk=pk).exists():
            raise NotFound
        check_not_own(self.caller, int(pk))
        return self.list_page(RiskScoreHistory.objects.of_account(int(pk)))

    @extend_schema(request=OverrideInput, summary="Override a risk score")
    @action(detail=True, methods=["post"], url_path="risk-score/override")
    def override(self, request: Request, pk: str) -> Response:
        """Set the score until it expires or is removed; the computed score stays visible."""
        data = self.parse(OverrideInput)
        score = override_score(
            actor=self.caller,
            account=self.get_object(),
            score=data["score"],
            reason=data["reason"],
            expires_at=data.get("expires_at"),
        )
        return self.answer(score)

    @extend_schema(
        request=None, summary="Remove the override", responses={200: RiskScoreSerializer}
    )
    @override.mapping.delete
    def remove_override(self, request: Request, pk: str) -> Response:
        """End the override in force; 409 when there is none."""
        return self.answer(remove_override(actor=self.caller, account=self.get_object()))

    @extend_schema(request=OutcomeInput, summary="Record what an account turned out to be")
    @action(detail=True, methods=["post"], url_path="risk-score/outcome")
    def outcome(self, request: Request, pk: str) -> Response:
        """Record a verdict with the score of this moment; rules are judged by these."""
        data = self.parse(OutcomeInput)
        account = self.get_object()
        record_outcome(
            actor=self.caller,
            account=account,
            verdict=data["verdict"],
            note=data.get("note", ""),
        )
        return self.answer(calculate_score(account=account))
