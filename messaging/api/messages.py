"""Messages and conversations of the signed-in member."""

import json
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from messaging import services
from messaging.api.base import OwnViewSet
from messaging.api.serializers import (
    ConversationSerializer,
    EditInput,
    FoundMessageSerializer,
    FoundMessagesSerializer,
    MessageSerializer,
    MutedSerializer,
    ReadStateSerializer,
    ReportInput,
    ReportSerializer,
    RevisionSerializer,
    SearchInput,
    SendInput,
    UnreadCountSerializer,
)
from messaging.models import Message, Participant
from systemadmin.foundation.api import CursorList
from systemadmin.foundation.errors import NotFound
from systemadmin.foundation.files import private_response

_ID = OpenApiParameter("id", int, OpenApiParameter.PATH)
_PEER = OpenApiParameter("user_id", int, OpenApiParameter.PATH)


class ConversationViewSet(OwnViewSet):
    """The conversation list."""

    serializer_class = ConversationSerializer
    pagination_class = CursorList
    ordering = ("-last_activity_at", "-id")
    queryset = Participant.objects.none()

    def get_queryset(self) -> QuerySet:
        return Participant.objects.listed_for(self.viewer.pk)

    @extend_schema(operation_id="messages_conversations")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the member's conversations, newest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        known = services.acquaintances_in(self.viewer.pk, page)
        context = {**self.get_serializer_context(), "acquaintances": known}
        return self.get_paginated_response(
            ConversationSerializer(page, many=True, context=context).data
        )

    @extend_schema(
        operation_id="messages_mute", request=None, responses=MutedSerializer, parameters=[_PEER]
    )
    def mute(self, request: Request, user_id: str) -> Response:
        """Send no notices of unread messages in this conversation."""
        return self._set_muted(user_id, muted=True)

    @extend_schema(
        operation_id="messages_unmute",
        request=None,
        responses={200: MutedSerializer},
        parameters=[_PEER],
    )
    def unmute(self, request: Request, user_id: str) -> Response:
        """Send notices of this conversation again."""
        return self._set_muted(user_id, muted=False)

    def _set_muted(self, user_id: str, *, muted: bool) -> Response:
        services.set_muted(actor=self.viewer, peer_id=int(user_id), muted=muted)
        return Response({"is_muted": muted})


class MessageViewSet(OwnViewSet):
    """Sending, reading, hiding, editing and reporting."""

    serializer_class = MessageSerializer
    pagination_class = CursorList
    ordering = ("-seq",)
    queryset = Message.objects.none()
    # Taking back one's own words, and keeping read markers, stay open to a suspended account.
    allowed_while_suspended = {"read", "unread", "hide", "unsend"}

    def get_queryset(self) -> QuerySet:
        """Return messages with one member; none for a stranger and for an unknown account."""
        viewer_id, peer_id = self.viewer.pk, int(self.kwargs["user_id"])
        conversation = Participant.objects.filter(user_id=viewer_id, peer_id=peer_id).values_list(
            "conversation_id", flat=True
        )
        return (
            Message.objects.filter(conversation_id=conversation.first())
            .visible_to(viewer_id)
            .select_related("attachment")
        )

    @extend_schema(operation_id="messages_with_user")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return messages with that member, newest first."""
        return self.list_page(self.get_queryset())

    @extend_schema(
        operation_id="messages_send",
        request=SendInput,
        responses={200: MessageSerializer, 201: MessageSerializer},
    )
    def create(self, request: Request) -> Response:
        """Send a message; the same `client_id` and content again answers 200 with the first."""
        data = self.parse(SendInput)
        sent = services.send_message(
            actor=self.viewer,
            recipient=services.recipient_of(data["recipient"]),
            body=data["body"],
            client_id=data.get("client_id"),
            attachment=data.get("attachment"),
        )
        return self.answer(sent.message, status=201 if sent.is_new else 200)

    @extend_schema(
        operation_id="messages_search",
        parameters=[SearchInput],
        responses=FoundMessagesSerializer,
        filters=False,
    )
    def search(self, request: Request) -> Response:
        """Search one's own messages; `before` of the answer continues where it stopped."""
        asked = SearchInput(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        found = services.search_own(
            user_id=self.viewer.pk, text=data["q"], before=data.get("before")
        )
        context = self.get_serializer_context()
        rows = FoundMessageSerializer(found.messages, many=True, context=context).data
        return Response({"results": rows, "before": found.before})

    @extend_schema(
        operation_id="messages_unread_count", responses=UnreadCountSerializer, filters=False
    )
    def unread_count(self, request: Request) -> Response:
        """Return how many messages the member has not read."""
        return Response({"unread_count": services.unread_total(self.viewer.pk)})

    @extend_schema(
        operation_id="messages_read", request=None, responses=ReadStateSerializer, parameters=[_ID]
    )
    def read(self, request: Request, id: str) -> Response:
        """Mark everything up to and including this message as read."""
        state = services.read_up_to(actor=self.viewer, message=self._message(id))
        return Response(ReadStateSerializer(state).data)

    @extend_schema(
        operation_id="messages_mark_unread",
        request=None,
        responses=ReadStateSerializer,
        parameters=[_ID],
    )
    def unread(self, request: Request, id: str) -> Response:
        """Mark this received message and everything after it as unread."""
        state = services.mark_unread(actor=self.viewer, message=self._message(id))
        return Response(ReadStateSerializer(state).data)

    @extend_schema(operation_id="messages_unsend", request=None, parameters=[_ID])
    def unsend(self, request: Request, id: str) -> Response:
        """Take one's own message back for both sides."""
        message = self._message(id, with_hidden=True)
        return self.answer(services.unsend_message(actor=self.viewer, message=message))

    @extend_schema(
        operation_id="messages_hide", request=None, responses={204: None}, parameters=[_ID]
    )
    def hide(self, request: Request, id: str) -> Response:
        """Hide a message for oneself."""
        message = self._message(id, with_hidden=True)
        services.hide_message(actor=self.viewer, message=message)
        return Response(status=204)

    @extend_schema(operation_id="messages_edit", request=EditInput, parameters=[_ID])
    def edit(self, request: Request, id: str) -> Response:
        """Change the wording of one's own message."""
        data = self.parse(EditInput)
        message = services.edit_message(
            actor=self.viewer, message=self._message(id), body=data["body"]
        )
        return self.answer(message)

    @extend_schema(
        operation_id="messages_revisions", responses=RevisionSerializer(many=True), parameters=[_ID]
    )
    def revisions(self, request: Request, id: str) -> Response:
        """Return what the message said before its edits, oldest first."""
        message = self._message(id)
        rows = message.revisions.none() if message.erased_at else message.revisions.all()
        return Response(RevisionSerializer(rows, many=True).data)

    @extend_schema(
        operation_id="messages_report",
        request=ReportInput,
        responses={201: ReportSerializer},
        parameters=[_ID],
    )
    def report(self, request: Request, id: str) -> Response:
        """Report a received message to the team."""
        data = self.parse(ReportInput)
        report = services.report_message(actor=self.viewer, message=self._message(id), **data)
        return self.answer(report, status=201, serializer_class=ReportSerializer)

    @extend_schema(
        operation_id="messages_attachment",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        parameters=[_ID],
    )
    def attachment(self, request: Request, id: str) -> HttpResponseBase:
        """Download the file of a message."""
        found = self._message(id).shown_attachment
        if found is None:
            raise NotFound
        return private_response(
            found.file.open("rb"), name=found.name, content_type=found.content_type
        )

    @extend_schema(
        operation_id="messages_export",
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR},
        filters=False,
    )
    def export(self, request: Request) -> HttpResponseBase:
        """Return everything the member sent and received here, one JSON object a line."""
        response = StreamingHttpResponse(
            _lines(services.export_messages(self.viewer)), content_type="application/x-ndjson"
        )
        response["Content-Disposition"] = 'attachment; filename="messages.ndjson"'
        response["Cache-Control"] = "private, no-store"
        return response

    def _message(self, message_id: str, *, with_hidden: bool = False) -> Message:
        return services.message_of(self.viewer, int(message_id), with_hidden=with_hidden)


def _lines(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield json.dumps(row, ensure_ascii=False).encode() + b"\n"
