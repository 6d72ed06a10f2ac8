"""Account events sent by other services."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from riskops.api.serializers import (
    EventBatchBody,
    EventBatchInput,
    EventBatchResult,
    EventOutcomesBody,
    EventOutcomesInput,
    EventOutcomesResult,
)
from riskops.ingest.record import IngestResult, record_rows
from riskops.scores.outcome_rows import record_outcomes
from systemadmin.foundation.api import StaffViewSet

EXAMPLE = {
    "source": "shop",
    "events": [
        {
            "kind": "login_ok",
            "account_external_id": "u-1001",
            "occurred_at": "2026-03-01T12:00:00Z",
            "external_id": "login-77812",
            "ip": "203.0.113.7",
            "device": "9f2c1e",
            "country": "ES",
        }
    ],
}


class EventViewSet(StaffViewSet):
    """`POST /api/events`."""

    access = {"create": "riskops.ingest_events"}
    rate_classes = {"create": "riskops.ingest"}
    serializer_class = EventBatchResult
    pagination_class = None
    filter_backends: Any = ()

    @extend_schema(
        request=EventBatchBody,
        responses={200: EventBatchResult, 201: EventBatchResult},
        summary="Send account events",
        examples=[OpenApiExample("A login", EXAMPLE, request_only=True)],
    )
    def create(self, request: Request) -> Response:
        """Record a batch of at most 1,000 events.

        Every row is judged by itself: good rows are recorded even when others are refused, and
        a row sent before (same source and `external_id`) changes nothing, so a batch may be
        sent again at any time. `source` defaults to the caller's user name.
        """
        data = self.parse(EventBatchInput)
        rows = data["events"]
        source = data.get("source") or self.caller.get_username()[:32]
        result = record_rows(rows, source=source, actor=self.caller)
        return Response(answer(rows, result))


class EventOutcomeViewSet(StaffViewSet):
    """`POST /api/risk/outcomes`."""

    access = {"create": "riskops.add_eventoutcome"}
    rate_classes = {"create": "riskops.ingest"}
    serializer_class = EventOutcomesResult
    pagination_class = None
    filter_backends: Any = ()

    @extend_schema(
        request=EventOutcomesBody,
        responses={200: EventOutcomesResult, 201: EventOutcomesResult},
        summary="Say what became of events and accounts",
    )
    def create(self, request: Request) -> Response:
        """Record at most 1,000 outcomes of events, counterparties or accounts.

        `event` is the external id of an event of the same source, `counterparty` a wallet,
        `account_external_id` an account, which takes the right to record verdicts as well.
        `known_at` is when it became known: scores of a moment use only what was known then.
        """
        data = self.parse(EventOutcomesInput)
        source = data.get("source") or self.caller.get_username()[:32]
        taken = record_outcomes(data["outcomes"], source=source, actor=self.caller)
        refused = [
            {"index": r.index, "field": r.field, "code": r.code, "detail": r.detail}
            for r in taken.refused
        ]
        return Response({"recorded": taken.recorded, "refused": refused})


def answer(rows: list[Any], result: IngestResult) -> dict[str, Any]:
    """Return the per-row answer of a batch."""
    refused = {refusal.index: refusal for refusal in result.refused}
    duplicates = set(result.duplicates)
    results = []
    for index, row in enumerate(rows):
        line: dict[str, Any] = {"index": index, "status": "recorded"}
        external_id = row.get("external_id") if isinstance(row, dict) else None
        if isinstance(external_id, str):
            line["external_id"] = external_id
        if index in refused:
            refusal = refused[index]
            line |= {
                "status": "refused",
                "field": refusal.field,
                "code": refusal.code,
                "detail": refusal.detail,
            }
        elif index in duplicates:
            line["status"] = "duplicate"
        results.append(line)
    return {
        "recorded": result.accepted,
        "duplicates": len(duplicates),
        "refused": len(refused),
        "results": results,
    }
