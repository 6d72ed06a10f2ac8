"""The member's side: their own tickets, the public part of them, and the answers for all."""

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from support.api import inputs, serializers
from support.api.conversation import ReplyPages, reply_rows
from support.api.filters import FaqFilter, MemberTicketFilter
from support.api.originals import ATTACHMENT_ID, OriginalActions
from support.api.tickets import download
from support.models import Attachment, Category, Faq, Ticket
from support.services import open_ticket, rate_ticket, reply_as_customer, vote
from systemadmin.foundation.api import (
    MEMBER,
    PUBLIC,
    ListAction,
    MemberViewSet,
    PagedList,
    PublicViewSet,
    RetrieveAction,
)
from systemadmin.foundation.api.routing import ID_REGEX


class MemberTicketViewSet(OriginalActions, ListAction, MemberViewSet):
    """A member's own tickets; a suspended member may still ask for help."""

    queryset = Ticket.objects.none()
    serializer_class = serializers.MemberTicketSerializer
    filterset_class = MemberTicketFilter
    pagination_class = PagedList
    ordering_fields = ["id", "created_at"]
    ordering = ["-id"]
    rate_classes = {"create": "tickets.open"}
    allowed_while_suspended = {"create", "reply", "rating"}

    def get_queryset(self) -> Any:
        """Return the member's own; a merged one has its page only, which says where it went."""
        own = Ticket.objects.filter(requester=self.caller)
        if self.action == "list":
            own = Ticket.objects.of_member(self.caller)
        return own.select_related("category")

    def replies_of(self, ticket: Ticket) -> Any:
        """Return the public ones."""
        return ticket.replies.public()

    def files_of(self, ticket: Ticket) -> Any:
        """Return those of the public conversation."""
        return Attachment.objects.of_member(self.caller).filter(reply__ticket=ticket)

    @extend_schema(responses=serializers.MemberTicketDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the ticket with its conversation."""
        return self.answer(self.get_object(), 200, serializers.MemberTicketDetailSerializer)

    @extend_schema(
        request={
            "application/json": inputs.MemberTicketInput,
            "multipart/form-data": inputs.MemberTicketInput,
        },
        responses={201: serializers.MemberTicketDetailSerializer},
    )
    def create(self, request: Request) -> Response:
        """Open a ticket."""
        data = self.parse(inputs.MemberTicketInput)
        ticket = open_ticket(actor=self.caller, requester=self.caller, **data)
        return self.answer(ticket, 201, serializers.MemberTicketDetailSerializer)

    @extend_schema(
        request={
            "application/json": inputs.MemberReplyInput,
            "multipart/form-data": inputs.MemberReplyInput,
        },
        responses={201: serializers.MemberReplySerializer},
    )
    @action(detail=True, methods=["post"])
    def reply(self, request: Request, pk: str) -> Response:
        """Add the member's reply to their ticket."""
        data = self.parse(inputs.MemberReplyInput)
        reply = reply_as_customer(ticket=self.get_object(), author=self.caller, **data)
        return self.answer(reply, 201, serializers.MemberReplySerializer)

    @extend_schema(responses=serializers.MemberReplySerializer(many=True))
    @action(
        detail=True,
        methods=["get"],
        pagination_class=ReplyPages,
        filterset_class=None,
        ordering_fields=[],
        ordering=[],
    )
    def replies(self, request: Request, pk: str) -> Response:
        """Return the whole conversation, newest first."""
        page = self.paginate_queryset(self.get_object().replies.public().conversation()) or []
        rows = reply_rows(serializers.MemberReplySerializer, page[::-1])
        return self.get_paginated_response(rows[::-1])

    @extend_schema(
        request=inputs.TicketRatingInput, responses={201: serializers.TicketRatingSerializer}
    )
    @action(detail=True, methods=["post"])
    def rating(self, request: Request, pk: str) -> Response:
        """Rate a resolved ticket."""
        data = self.parse(inputs.TicketRatingInput)
        rating = rate_ticket(user=self.caller, ticket=self.get_object(), **data)
        return self.answer(rating, 201, serializers.TicketRatingSerializer)

    @extend_schema(parameters=[ATTACHMENT_ID], responses={(200, "*/*"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"], url_path=rf"attachments/(?P<attachment_id>{ID_REGEX})")
    def attachment(self, request: Request, pk: str, attachment_id: str) -> FileResponse:
        """Download a file of the public conversation."""
        return download(self.files_of(self.get_object()), int(attachment_id))


class TicketCategoryViewSet(ListAction, RetrieveAction, MemberViewSet):
    """What a ticket can be about."""

    queryset = Category.objects.filter(is_active=True)
    serializer_class = serializers.TicketCategorySerializer


class PublicFaqViewSet(ListAction, RetrieveAction, PublicViewSet):
    """Questions and answers anyone can read."""

    queryset = Faq.objects.published().select_related("category")
    serializer_class = serializers.PublicFaqSerializer
    filterset_class = FaqFilter
    access = {"list": PUBLIC, "retrieve": PUBLIC, "vote": MEMBER}

    @extend_schema(request=inputs.FaqVoteInput, responses=serializers.PublicFaqSerializer)
    @action(detail=True, methods=["post"])
    def vote(self, request: Request, pk: str) -> Response:
        """Say whether the answer helped."""
        data = self.parse(inputs.FaqVoteInput)
        return self.answer(
            vote(user=self.caller, faq=self.get_object(), is_helpful=data["helpful"])
        )
