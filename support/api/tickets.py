"""Tickets, for staff."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import FileResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from support.api import inputs, serializers
from support.api.conversation import ReplyPages, reply_rows
from support.api.filters import TicketFilter
from support.api.notices import SpamActions
from support.api.originals import ATTACHMENT_ID, REPLY_ID, OriginalActions
from support.api.participants import ParticipantActions
from support.api.work import WorkActions
from support.models import InboundMessage, Reply, Ticket, TicketEvent
from support.services import (
    apply_macro,
    edit_reply,
    join_suggested,
    link_tickets,
    merge_tickets,
    open_ticket,
    presence,
    reply_as_staff,
    split_ticket,
    unlink_tickets,
    update_ticket,
)
from support.services.readings import files_for, replies_for
from systemadmin.foundation.api import CursorList, ListAction, StaffViewSet, expected_version
from systemadmin.foundation.api.routing import ID_REGEX
from systemadmin.foundation.errors import NotFound
from systemadmin.foundation.files import private_response


class TicketCursor(CursorList):
    """Orders by how urgent a priority is, not by how it is spelled."""

    def _ordering(self, queryset: QuerySet, request: Request, view: Any) -> list[tuple[str, bool]]:
        fields = super()._ordering(queryset, request, view)
        return [("priority_rank" if n == "priority" else n, down) for n, down in fields]


class TicketViewSet(
    WorkActions, SpamActions, ParticipantActions, OriginalActions, ListAction, StaffViewSet
):
    """Everything an agent does with tickets."""

    queryset = Ticket.objects.none()
    serializer_class = serializers.TicketSerializer
    filterset_class = TicketFilter
    pagination_class = TicketCursor
    ordering_fields = ["id", "created_at", "updated_at", "next_due_at", "priority"]
    ordering = ["-id"]
    versioned = True
    checks_version = {"merge"}
    not_idempotent: ClassVar[set[str]] = {"presence"}
    access = {
        "list": "support.view_ticket",
        "retrieve": "support.view_ticket",
        "replies": "support.view_ticket",
        "events": "support.view_ticket",
        "attachment": "support.view_ticket",
        "inline": "support.view_ticket",
        "original": "support.view_ticket",
        "participants": "support.reply_ticket",
        "spam": "support.change_ticket",
        "not_spam": "support.change_ticket",
        "remove_participant": "support.reply_ticket",
        "file_links": "support.view_ticket",
        "revoke_file_link": "support.reply_ticket",
        "presence": "support.reply_ticket",
        "drafts": "support.reply_ticket",
        "draft": "support.reply_ticket",
        "snooze": "support.change_ticket",
        "create": "support.add_ticket",
        "update": "support.change_ticket",
        "partial_update": "support.change_ticket",
        "reply": "support.reply_ticket",
        "edit_reply": "support.reply_ticket",
        "macro": ("support.reply_ticket", "support.change_ticket"),
        "merge": "support.merge_ticket",
        "join": "support.merge_ticket",
        "split": "support.merge_ticket",
        "link": "support.merge_ticket",
        "unlink": "support.merge_ticket",
    }

    def get_queryset(self) -> Any:
        """Return what this agent may see, with all that a row shows."""
        return Ticket.objects.visible_to(self.caller).with_people()

    def replies_of(self, ticket: Ticket) -> Any:
        """Return all of them, with the notes."""
        return replies_for(user=self.caller, ticket=ticket)

    def files_of(self, ticket: Ticket) -> Any:
        """Return the ticket's files, internal notes included."""
        return files_for(user=self.caller, ticket=ticket)

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "now": timezone.now()}

    def _detail(self, ticket: Ticket, status: int = 200) -> Response:
        fresh = Ticket.objects.with_people().get(pk=ticket.pk)
        return self.answer(fresh, status, serializers.TicketDetailSerializer)

    @extend_schema(responses=serializers.TicketDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the ticket with its conversation."""
        return self.answer(self.get_object(), 200, serializers.TicketDetailSerializer)

    @extend_schema(request=inputs.TicketInput, responses={201: serializers.TicketDetailSerializer})
    def create(self, request: Request) -> Response:
        """Open a ticket for a user."""
        data = self.parse(inputs.TicketInput)
        ticket = open_ticket(
            actor=self.caller,
            requester=data.pop("user"),
            channel=Ticket.Channel.STAFF,
            **data,
        )
        return self._detail(ticket, 201)

    @extend_schema(request=inputs.TicketChangesInput, responses=serializers.TicketDetailSerializer)
    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Set status, priority, assignee, category and tags."""
        return self._change(request, self.parse(inputs.TicketChangesInput))

    @extend_schema(request=inputs.TicketChangesInput, responses=serializers.TicketDetailSerializer)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Change the given properties of a ticket."""
        return self._change(request, self.parse(inputs.TicketChangesInput, partial=True))

    def _change(self, request: Request, changes: dict[str, Any]) -> Response:
        ticket = update_ticket(
            actor=self.caller,
            ticket=self.get_object(),
            changes=changes,
            expected_version=expected_version(request),
        )
        return self._detail(ticket)

    @extend_schema(
        request={
            "application/json": inputs.StaffReplyInput,
            "multipart/form-data": inputs.StaffReplyInput,
        },
        responses={201: serializers.TicketReplySerializer},
    )
    @action(detail=True, methods=["post"])
    def reply(self, request: Request, pk: str) -> Response:
        """Answer the customer, or leave a note for colleagues."""
        data = self.parse(inputs.StaffReplyInput)
        reply = reply_as_staff(actor=self.caller, ticket=self.get_object(), **data)
        return self.answer(reply, 201, serializers.TicketReplySerializer)

    @extend_schema(
        parameters=[REPLY_ID],
        request=inputs.ReplyEditInput,
        responses=serializers.TicketReplySerializer,
    )
    @action(detail=True, methods=["patch"], url_path=rf"replies/(?P<reply_id>{ID_REGEX})")
    def edit_reply(self, request: Request, pk: str, reply_id: str) -> Response:
        """Correct one's own reply; what it said stays on record."""
        ticket, data = self.get_object(), self.parse(inputs.ReplyEditInput)
        found = Reply.objects.filter(ticket=ticket, pk=int(reply_id)).first()
        if found is None:
            raise NotFound
        edited = edit_reply(actor=self.caller, reply=found, body=data["body"])
        return self.answer(edited, 200, serializers.TicketReplySerializer)

    @extend_schema(request=inputs.TicketMergeInput, responses=serializers.TicketDetailSerializer)
    @action(detail=True, methods=["post"])
    def merge(self, request: Request, pk: str) -> Response:
        """Merge this ticket into another, which is returned."""
        data, source = self.parse(inputs.TicketMergeInput), self.get_object()
        target = merge_tickets(
            actor=self.caller,
            source=source,
            into=self._seen(data["into"]),
            expected_version=expected_version(request),
        )
        return self._detail(target)

    @extend_schema(request=None, responses=serializers.TicketDetailSerializer)
    @action(detail=True, methods=["post"])
    def join(self, request: Request, pk: str) -> Response:
        """Merge this ticket into the one that its mail mentions, which is returned."""
        ticket = self.get_object()
        message = InboundMessage.objects.suggested_for(ticket).first()
        if message is not None and message.may_belong_to is not None:
            self._seen(message.may_belong_to.merged_into or message.may_belong_to)
        return self._detail(join_suggested(actor=self.caller, ticket=ticket))

    @extend_schema(
        request=inputs.TicketSplitInput, responses={201: serializers.TicketDetailSerializer}
    )
    @action(detail=True, methods=["post"])
    def split(self, request: Request, pk: str) -> Response:
        """Move some replies into a new ticket, which is returned."""
        data = self.parse(inputs.TicketSplitInput)
        return self._detail(split_ticket(actor=self.caller, ticket=self.get_object(), **data), 201)

    @extend_schema(request=inputs.TicketLinkInput, responses=serializers.TicketDetailSerializer)
    @action(detail=True, methods=["post"])
    def link(self, request: Request, pk: str) -> Response:
        """Note that another ticket is about the same matter."""
        data, ticket = self.parse(inputs.TicketLinkInput), self.get_object()
        other = self._seen(data["ticket"])
        link_tickets(actor=self.caller, ticket=ticket, other=other, note_text=data["note"])
        return self._detail(ticket)

    @extend_schema(request=inputs.TicketUnlinkInput, responses=serializers.TicketDetailSerializer)
    @action(detail=True, methods=["post"])
    def unlink(self, request: Request, pk: str) -> Response:
        """Take the link away again."""
        data, ticket = self.parse(inputs.TicketUnlinkInput), self.get_object()
        unlink_tickets(actor=self.caller, ticket=ticket, other=self._seen(data["ticket"]))
        return self._detail(ticket)

    @extend_schema(request=inputs.MacroRunInput, responses=serializers.TicketDetailSerializer)
    @action(detail=True, methods=["post"])
    def macro(self, request: Request, pk: str) -> Response:
        """Apply a macro."""
        data = self.parse(inputs.MacroRunInput)
        ticket = apply_macro(actor=self.caller, ticket=self.get_object(), macro=data["macro"])
        return self._detail(ticket)

    @extend_schema(responses=serializers.TicketReplySerializer(many=True))
    @action(
        detail=True,
        methods=["get"],
        pagination_class=ReplyPages,
        filterset_class=None,
        ordering_fields=[],
        ordering=[],
    )
    def replies(self, request: Request, pk: str) -> Response:
        """Return the whole conversation with its notes, newest first."""
        page = self.paginate_queryset(self.replies_of(self.get_object()).conversation()) or []
        rows = reply_rows(serializers.TicketReplySerializer, page[::-1])
        return self.get_paginated_response(rows[::-1])

    @extend_schema(responses=serializers.TicketEventSerializer(many=True))
    @action(
        detail=True,
        methods=["get"],
        pagination_class=CursorList,
        filterset_class=None,
        ordering_fields=[],
    )
    def events(self, request: Request, pk: str) -> Response:
        """Return the ticket's history, newest first."""
        rows = TicketEvent.objects.filter(ticket=self.get_object())
        page = self.paginate_queryset(rows)
        data = serializers.TicketEventSerializer(page, many=True).data
        return self.get_paginated_response(data)

    @extend_schema(
        request=inputs.TicketPresenceInput,
        responses=serializers.TicketPresenceSerializer(many=True),
    )
    @action(detail=True, methods=["post"], pagination_class=None, filterset_class=None)
    def presence(self, request: Request, pk: str) -> Response:
        """Say that one has the ticket open; returns who else has."""
        data = self.parse(inputs.TicketPresenceInput)
        others = presence.record_presence(ticket=self.get_object(), user=self.caller, **data)
        people = [{"person": row.user, "is_writing": row.is_writing} for row in others]
        return Response(serializers.TicketPresenceSerializer(people, many=True).data)

    @extend_schema(parameters=[ATTACHMENT_ID], responses={(200, "*/*"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"], url_path=rf"attachments/(?P<attachment_id>{ID_REGEX})")
    def attachment(self, request: Request, pk: str, attachment_id: str) -> FileResponse:
        """Download a file."""
        return download(self.files_of(self.get_object()), int(attachment_id))

    def _seen(self, ticket: Ticket) -> Ticket:
        """Return the other ticket, if this agent may see it."""
        if not Ticket.objects.visible_to(self.caller).filter(pk=ticket.pk).exists():
            raise NotFound
        return ticket


def download(files: QuerySet, pk: int) -> FileResponse:
    """Return one of these files, as a download that nothing opens by itself."""
    found = files.filter(pk=pk).first()
    if found is None or not found.file.storage.exists(found.file.name):
        raise NotFound
    return private_response(found.file.open("rb"), name=found.name, content_type=found.content_type)
