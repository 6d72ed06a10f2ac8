"""Entries by hand for staff."""

from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.filters import JournalFilter
from marketplace.api.serializers.journal import (
    JournalEntryInput,
    JournalEntrySerializer,
    ReversalInput,
)
from marketplace.models import JournalEntry
from systemadmin.foundation.api import CursorList, ListAction, RetrieveAction, StaffViewSet
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import NotFound
from systemadmin.foundation.files import private_response


class JournalViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/journal`: entries by hand; a wrong one is reversed, never changed."""

    access = {
        "list": "marketplace.view_journalentry",
        "retrieve": "marketplace.view_journalentry",
        "attachment": "marketplace.view_journalentry",
        "create": "marketplace.add_journalentry",
        "reverse": "marketplace.reverse_journalentry",
    }
    needs_second_person = {"create", "reverse"}
    serializer_class = JournalEntrySerializer
    pagination_class = CursorList
    filterset_class = JournalFilter
    ordering = ("-id",)
    ordering_fields = ["id"]

    def get_queryset(self) -> QuerySet:
        """Newest first."""
        return JournalEntry.objects.select_related("actor", "reversed_by").prefetch_related("lines")

    @extend_schema(request=JournalEntryInput, responses={201: JournalEntrySerializer})
    def create(self, request: Request) -> Response:
        """Post an entry: the usual one of its kind by an amount, or any by its lines."""
        values: dict[str, Any] = self.parse(JournalEntryInput)
        amount, fee = values.pop("amount", None), values.pop("fee", 0)
        if amount is not None:
            values["lines"] = services.usual_lines(
                kind=values["kind"], amount=amount, seller=values.get("seller"), fee=fee
            )
        entry = services.post_journal_entry(actor=caller(request), **values)
        return self.answer(self.get_queryset().get(pk=entry.pk), 201)

    @extend_schema(request=ReversalInput, responses={201: JournalEntrySerializer})
    @action(detail=True, methods=["post"])
    def reverse(self, request: Request, pk: str) -> Response:
        """Post the opposite entry, once."""
        entry = services.reverse_journal_entry(
            actor=caller(request), entry=self.get_object(), **self.parse(ReversalInput)
        )
        return self.answer(self.get_queryset().get(pk=entry.pk), 201)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True)
    def attachment(self, request: Request, pk: str) -> FileResponse:
        """Return the receipt that was attached."""
        entry = self.get_object()
        if not entry.attachment:
            raise NotFound
        return private_response(
            entry.attachment.open("rb"),
            name=entry.attachment_name,
            content_type=entry.attachment_type,
        )
