"""Notices of agents, how they want to receive them, and blocked senders."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from support.api.serializers import TicketDetailSerializer
from support.models import AgentNotice, BlockedSender
from support.services import agent_notices, agent_states, spam
from support.services.agent_notices import WAYS, choices_of
from systemadmin.foundation.api import CursorList, ListAction, StaffViewSet, StrictSerializer
from systemadmin.foundation.api.masked import MaskedModelSerializer


class AgentNoticeSerializer(serializers.ModelSerializer):
    """One notice for the agent."""

    number = serializers.CharField(source="ticket.number")

    class Meta:
        model = AgentNotice
        fields = ["id", "event", "ticket", "number", "reply", "created_at", "seen_at"]


class SeenInput(StrictSerializer):
    """The newest notice that was looked at."""

    up_to = serializers.IntegerField(min_value=0, max_value=2**63 - 1, required=False)


class SeenSerializer(serializers.Serializer):
    """How many were new."""

    seen = serializers.IntegerField()


class WaysSerializer(StrictSerializer):
    """By which ways an agent hears of an event."""

    on_page = serializers.BooleanField(required=False)
    by_mail = serializers.BooleanField(required=False)
    by_telegram = serializers.BooleanField(required=False)


class AgentPreferencesInput(StrictSerializer):
    """Choices to change; what is not named stays."""

    notices = serializers.DictField(child=WaysSerializer(), default=dict)
    time_zone = serializers.CharField(max_length=64, allow_blank=True, required=False)


class AgentPreferencesSerializer(serializers.Serializer):
    """The choices in force."""

    notices = serializers.DictField(child=WaysSerializer())
    time_zone = serializers.CharField()


class AgentNoticeViewSet(ListAction, StaffViewSet):
    """The caller's own notices."""

    queryset = AgentNotice.objects.none()
    serializer_class = AgentNoticeSerializer
    pagination_class = CursorList
    not_idempotent = {"seen"}
    access = {
        "list": "support.reply_ticket",
        "seen": "support.reply_ticket",
    }

    def get_queryset(self) -> Any:
        """Of tickets that the agent may still see."""
        return agent_notices.page_rows(self.caller)

    @extend_schema(request=SeenInput, responses=SeenSerializer)
    @action(detail=False, methods=["post"])
    def seen(self, request: Request) -> Response:
        """Note that the notices were looked at; those go into no mail any more."""
        up_to = self.parse(SeenInput).get("up_to")
        return Response({"seen": agent_notices.mark_seen(user=self.caller, up_to=up_to)})


class AgentPreferencesViewSet(StaffViewSet):
    """How the caller hears of what happens, and whose days their reports show."""

    singular = {"list"}
    filterset_class = None
    access = {"list": "support.view_reports", "replace": "support.view_reports"}

    def _answer(self) -> Response:
        chosen = choices_of(self.caller)
        notices = {event: dict(zip(WAYS, ways, strict=True)) for event, ways in chosen.items()}
        zone = agent_states.time_zone_of(self.caller)
        return Response({"notices": notices, "time_zone": zone})

    @extend_schema(responses=AgentPreferencesSerializer, filters=False)
    def list(self, request: Request) -> Response:
        """Return the choices in force."""
        return self._answer()

    @extend_schema(request=AgentPreferencesInput, responses=AgentPreferencesSerializer)
    def replace(self, request: Request) -> Response:
        """Change the given choices."""
        data = self.parse(AgentPreferencesInput)
        if data["notices"]:
            agent_notices.save_choices(actor=self.caller, values=data["notices"])
        if "time_zone" in data:
            agent_states.choose_time_zone(actor=self.caller, name=data["time_zone"])
        return self._answer()


class BlockedSenderSerializer(MaskedModelSerializer):
    """A sender whose mail opens no ticket, and how much mail the rule holds."""

    held = serializers.IntegerField(source="held_count", read_only=True, default=0)

    class Meta:
        model = BlockedSender
        fields = ["id", "address", "reason", "created_at", "created_by", "ticket", "held"]


class BlockedSenderInput(StrictSerializer):
    """An address, or @ and a domain."""

    address = serializers.CharField(max_length=254)
    reason = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)


class BlockedSenderViewSet(ListAction, StaffViewSet):
    """Senders whose mail opens no ticket."""

    queryset = BlockedSender.objects.with_held()
    serializer_class = BlockedSenderSerializer
    pagination_class = CursorList
    filterset_class = None
    access = {
        "list": "support.view_inboundmessage",
        "create": "support.process_inboundmessage",
        "destroy": "support.process_inboundmessage",
    }
    takes_reason = {"destroy"}

    @extend_schema(request=BlockedSenderInput, responses={201: BlockedSenderSerializer})
    def create(self, request: Request) -> Response:
        """Block a sender; their mail stays on the list of mail that became no ticket."""
        data = self.parse(BlockedSenderInput)
        return self.answer(spam.block_sender(actor=self.caller, **data), 201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Let their mail open tickets again."""
        spam.unblock_sender(actor=self.caller, sender=self.get_object())
        return Response(status=204)


class SpamInput(StrictSerializer):
    """Whether the sender is blocked too."""

    block_sender = serializers.BooleanField(default=False)


class SpamActions:
    """Mixed into the staff's view of tickets."""

    get_object: Any
    parse: Any
    caller: Any
    _detail: Any

    @extend_schema(request=SpamInput, responses=TicketDetailSerializer)
    @action(detail=True, methods=["post"])
    def spam(self, request: Request, pk: str) -> Response:
        """Close the ticket as spam, without a word to its sender."""
        block = self.parse(SpamInput)["block_sender"]
        ticket = spam.mark_spam(actor=self.caller, ticket=self.get_object(), block=block)
        return self._detail(ticket)

    @extend_schema(request=None, responses=TicketDetailSerializer)
    @action(detail=True, methods=["post"], url_path="not-spam")
    def not_spam(self, request: Request, pk: str) -> Response:
        """Take the mark back, and the block that came with it."""
        return self._detail(spam.unmark_spam(actor=self.caller, ticket=self.get_object()))
