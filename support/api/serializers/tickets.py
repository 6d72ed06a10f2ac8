"""Tickets and their conversations, for staff."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from support.api.conversation import html_of, reply_rows
from support.api.serializers.mail import DeliverySerializer
from support.models import (
    Attachment,
    Category,
    InboundMessage,
    Reply,
    Ticket,
    TicketEvent,
    TicketParticipant,
    TicketRating,
)
from support.services.new_addresses import unconfirmed_change
from support.services.readings import replies_for
from systemadmin.foundation.display import display_name


class TicketPersonSerializer(serializers.Serializer):
    """An account, as a name to show."""

    id = serializers.IntegerField()
    username = serializers.CharField()
    name = serializers.SerializerMethodField()

    def get_name(self, person: Any) -> str:
        return display_name(person)


class RequesterSerializer(TicketPersonSerializer):
    """The customer, with what an agent needs to reach them."""

    email = serializers.CharField()
    language = serializers.CharField()


class TicketCategorySerializer(serializers.ModelSerializer):
    """What a ticket is about."""

    class Meta:
        model = Category
        fields = ["id", "code", "name", "name_es"]


class TicketAttachmentSerializer(serializers.ModelSerializer):
    """A file, to be fetched from its own address."""

    class Meta:
        model = Attachment
        fields = ["id", "name", "content_type", "size", "sha256"]


class TicketReplySerializer(serializers.ModelSerializer):
    """One message of the conversation, for staff."""

    author = TicketPersonSerializer(allow_null=True)
    internal = serializers.BooleanField(source="is_internal")
    body_html = serializers.SerializerMethodField()
    attachments = TicketAttachmentSerializer(many=True)
    template = serializers.PrimaryKeyRelatedField(read_only=True, allow_null=True)
    has_original = serializers.BooleanField()
    deliveries = DeliverySerializer(source="outbound", many=True, read_only=True)
    originally_on = serializers.CharField(source="origin.number", default=None, allow_null=True)
    inbound_mail = serializers.IntegerField(source="inbound.pk", default=None, allow_null=True)
    answers_to = serializers.CharField(source="inbound.reply_to", default=None, allow_null=True)

    class Meta:
        model = Reply
        fields = [
            "id",
            "internal",
            "is_from_customer",
            "author",
            "author_name",
            "body",
            "body_html",
            "original_text",
            "has_original",
            "deliveries",
            "inbound_mail",
            "answers_to",
            "source",
            "template",
            "attachments",
            "said_at",
            "edited_at",
            "originally_on",
        ]

    def get_body_html(self, reply: Reply) -> str:
        return html_of(self, reply)


class TicketRatingSerializer(serializers.ModelSerializer):
    """The customer's rating of a ticket."""

    class Meta:
        model = TicketRating
        fields = ["score", "comment", "rated_at"]


TICKET_FIELDS = [
    "id",
    "number",
    "subject",
    "status",
    "priority",
    "category",
    "tags",
    "requester",
    "requester_email",
    "assignee",
    "language",
    "channel",
    "version",
    "first_response_due_at",
    "first_responded_at",
    "next_response_due_at",
    "resolution_due_at",
    "next_due_at",
    "is_overdue",
    "resolved_at",
    "closed_at",
    "merged_into",
    "spam_at",
    "snoozed_until",
    "last_reply",
    "reply_count",
    "last_customer_reply_at",
    "last_staff_reply_at",
    "created_at",
    "updated_at",
]


class TicketSerializer(serializers.ModelSerializer):
    """A ticket as a row of the staff list."""

    category = TicketCategorySerializer(allow_null=True)
    tags = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)
    requester = RequesterSerializer(allow_null=True)
    assignee = TicketPersonSerializer(allow_null=True)
    is_overdue = serializers.SerializerMethodField()
    merged_into = serializers.PrimaryKeyRelatedField(read_only=True, allow_null=True)
    last_reply = serializers.PrimaryKeyRelatedField(read_only=True, allow_null=True)

    class Meta:
        model = Ticket
        fields = TICKET_FIELDS

    def get_is_overdue(self, ticket: Ticket) -> bool:
        due = ticket.next_due_at
        return ticket.overdue_since is not None or (due is not None and due < self.context["now"])


class LinkedTicketSerializer(serializers.Serializer):
    """A ticket about the same matter."""

    id = serializers.IntegerField()
    number = serializers.CharField()
    subject = serializers.CharField()
    status = serializers.CharField()


class ParticipantSerializer(serializers.ModelSerializer):
    """Somebody beside the requester who may answer by mail."""

    class Meta:
        model = TicketParticipant
        fields = ["id", "address", "name"]


class SuggestedTicketSerializer(serializers.Serializer):
    """The ticket that a mail mentions without proof that it belongs there."""

    id = serializers.IntegerField()
    number = serializers.CharField()


class TicketDetailSerializer(TicketSerializer):
    """A ticket with its conversation."""

    participants = serializers.SerializerMethodField()
    may_belong_to = serializers.SerializerMethodField()
    replies = serializers.SerializerMethodField()
    has_earlier_replies = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()
    rating = serializers.SerializerMethodField()
    address_changed_at = serializers.SerializerMethodField(
        help_text="Since the ticket was opened; no answer is mailed until the customer confirms it."
    )

    class Meta(TicketSerializer.Meta):
        fields = [
            *TICKET_FIELDS,
            "address_changed_at",
            "participants",
            "may_belong_to",
            "replies",
            "has_earlier_replies",
            "links",
            "rating",
        ]

    @extend_schema_field(ParticipantSerializer(many=True))
    def get_participants(self, ticket: Ticket) -> Any:
        return ParticipantSerializer(ticket.participants.present(), many=True).data

    @extend_schema_field(SuggestedTicketSerializer(allow_null=True))
    def get_may_belong_to(self, ticket: Ticket) -> Any:
        message = InboundMessage.objects.suggested_for(ticket).first()
        seen = Ticket.objects.visible_to(self.context["request"].user)
        if message is None or not seen.filter(pk=message.may_belong_to_id).exists():
            return None
        return SuggestedTicketSerializer(message.may_belong_to).data

    def to_representation(self, instance: Ticket) -> dict[str, Any]:
        user = self.context["request"].user
        self.latest = replies_for(user=user, ticket=instance).latest()
        return super().to_representation(instance)

    @extend_schema_field(TicketReplySerializer(many=True))
    def get_replies(self, ticket: Ticket) -> Any:
        return reply_rows(TicketReplySerializer, self.latest[0])

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_address_changed_at(self, ticket: Ticket) -> Any:
        change = unconfirmed_change(ticket)
        return change.occurred_at if change else None

    def get_has_earlier_replies(self, ticket: Ticket) -> bool:
        return self.latest[1]

    @extend_schema_field(LinkedTicketSerializer(many=True))
    def get_links(self, ticket: Ticket) -> Any:
        seen = Ticket.objects.visible_to(self.context["request"].user)
        return LinkedTicketSerializer(seen.linked_to(ticket), many=True).data

    @extend_schema_field(TicketRatingSerializer(allow_null=True))
    def get_rating(self, ticket: Ticket) -> Any:
        rating = TicketRating.objects.filter(ticket=ticket).first()
        return TicketRatingSerializer(rating).data if rating else None


class TicketEventSerializer(serializers.ModelSerializer):
    """One fact of a ticket's history."""

    class Meta:
        model = TicketEvent
        fields = ["id", "at", "kind", "actor", "actor_name", "data", "request_id"]


class TicketCategoryFullSerializer(serializers.ModelSerializer):
    """What a ticket is about, for those who keep the list."""

    class Meta:
        model = Category
        fields = [
            "id",
            "code",
            "name",
            "name_es",
            "position",
            "is_active",
            "assignment",
            "is_confined",
            "updated_at",
        ]
