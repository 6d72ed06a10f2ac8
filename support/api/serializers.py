"""What the API answers with; the member's side has serializers of its own, without notes."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from support.api.conversation import html_of, reply_rows
from support.markdown import render_markdown
from support.models import (
    Attachment,
    BusinessCalendar,
    Category,
    Faq,
    InboundMessage,
    Macro,
    OutboundMessage,
    Reply,
    ReplyTemplate,
    SlaPolicy,
    Ticket,
    TicketEvent,
    TicketParticipant,
    TicketRating,
)
from systemadmin.foundation.api.masked import MaskedModelSerializer


class TicketPersonSerializer(serializers.Serializer):
    """An account, as a name to show."""

    id = serializers.IntegerField()
    username = serializers.CharField()
    name = serializers.SerializerMethodField()

    def get_name(self, person: Any) -> str:
        return person.get_full_name() or person.get_username()


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
    """The customer's verdict."""

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
        fields = ["address", "name"]


class SuggestedTicketSerializer(serializers.Serializer):
    """The ticket that a mail mentions without proof that it belongs there."""

    id = serializers.IntegerField()
    number = serializers.CharField()


class TicketDetailSerializer(TicketSerializer):
    """A ticket with its conversation."""

    participants = ParticipantSerializer(many=True, read_only=True)
    may_belong_to = serializers.SerializerMethodField()
    replies = serializers.SerializerMethodField()
    has_earlier_replies = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()
    rating = serializers.SerializerMethodField()

    class Meta(TicketSerializer.Meta):
        fields = [
            *TICKET_FIELDS,
            "participants",
            "may_belong_to",
            "replies",
            "has_earlier_replies",
            "links",
            "rating",
        ]

    @extend_schema_field(SuggestedTicketSerializer(allow_null=True))
    def get_may_belong_to(self, ticket: Ticket) -> Any:
        message = InboundMessage.objects.suggested_for(ticket).first()
        return SuggestedTicketSerializer(message.may_belong_to).data if message else None

    def to_representation(self, instance: Ticket) -> dict[str, Any]:
        self.latest = instance.replies.latest()
        return super().to_representation(instance)

    @extend_schema_field(TicketReplySerializer(many=True))
    def get_replies(self, ticket: Ticket) -> Any:
        return reply_rows(TicketReplySerializer, self.latest[0])

    def get_has_earlier_replies(self, ticket: Ticket) -> bool:
        return self.latest[1]

    @extend_schema_field(LinkedTicketSerializer(many=True))
    def get_links(self, ticket: Ticket) -> Any:
        return LinkedTicketSerializer(Ticket.objects.linked_to(ticket), many=True).data

    @extend_schema_field(TicketRatingSerializer(allow_null=True))
    def get_rating(self, ticket: Ticket) -> Any:
        rating = TicketRating.objects.filter(ticket=ticket).first()
        return TicketRatingSerializer(rating).data if rating else None


class TicketEventSerializer(serializers.ModelSerializer):
    """One fact of a ticket's history."""

    class Meta:
        model = TicketEvent
        fields = ["id", "at", "kind", "actor", "actor_name", "data", "request_id"]


class ReplyTemplateSerializer(serializers.ModelSerializer):
    """A prepared answer."""

    class Meta:
        model = ReplyTemplate
        fields = [
            "id",
            "code",
            "language",
            "title",
            "body",
            "category",
            "is_active",
            "version",
            "created_at",
            "updated_at",
        ]


class TicketMacroSerializer(serializers.ModelSerializer):
    """An answer with what to do besides."""

    class Meta:
        model = Macro
        fields = [
            "id",
            "name",
            "template",
            "is_internal",
            "status",
            "priority",
            "assign",
            "agent",
            "add_tags",
            "is_active",
            "version",
        ]


class FaqSerializer(serializers.ModelSerializer):
    """A question with its answer, for staff."""

    class Meta:
        model = Faq
        fields = [
            "id",
            "question",
            "answer",
            "language",
            "category",
            "position",
            "is_published",
            "helpful_count",
            "unhelpful_count",
            "version",
            "created_at",
            "updated_at",
        ]


class PublicFaqSerializer(serializers.ModelSerializer):
    """A question with its answer, for everyone."""

    category = TicketCategorySerializer(allow_null=True)
    answer_html = serializers.SerializerMethodField()

    class Meta:
        model = Faq
        fields = [
            "id",
            "question",
            "answer",
            "answer_html",
            "language",
            "category",
            "helpful_count",
            "unhelpful_count",
            "updated_at",
        ]

    def get_answer_html(self, faq: Faq) -> str:
        return render_markdown(faq.answer)


class BusinessCalendarSerializer(serializers.ModelSerializer):
    """When the desk works."""

    class Meta:
        model = BusinessCalendar
        fields = ["id", "name", "timezone", "windows", "holidays", "version", "updated_at"]


class SlaPolicySerializer(serializers.ModelSerializer):
    """What the desk promises, in its present version."""

    current_version = serializers.IntegerField(source="current.number", default=None)

    class Meta:
        model = SlaPolicy
        fields = [
            "id",
            "name",
            "position",
            "is_active",
            "priority",
            "category",
            "calendar",
            "first_response_minutes",
            "next_response_minutes",
            "resolution_minutes",
            "escalate_to",
            "current_version",
            "version",
            "updated_at",
        ]


class InboundMessageSerializer(MaskedModelSerializer):
    """A mail that came."""

    class Meta:
        model = InboundMessage
        fields = [
            "id",
            "mailbox",
            "sender",
            "subject",
            "reply_to",
            "kind",
            "status",
            "reason",
            "size",
            "attempts",
            "ticket",
            "reply",
            "may_belong_to",
            "created_at",
        ]


class OutboundMessageSerializer(MaskedModelSerializer):
    """A mail that goes."""

    class Meta:
        model = OutboundMessage
        fields = [
            "id",
            "ticket",
            "reply",
            "kind",
            "recipient",
            "subject",
            "status",
            "attempts",
            "next_attempt_at",
            "last_error",
            "sent_at",
            "created_at",
        ]


class MemberReplySerializer(serializers.ModelSerializer):
    """One public message, as the customer sees it."""

    from_staff = serializers.SerializerMethodField()
    author_name = serializers.SerializerMethodField()
    body_html = serializers.SerializerMethodField()
    attachments = TicketAttachmentSerializer(many=True)

    class Meta:
        model = Reply
        fields = [
            "id",
            "from_staff",
            "author_name",
            "body",
            "body_html",
            "original_text",
            "attachments",
            "said_at",
            "edited_at",
        ]

    def get_from_staff(self, reply: Reply) -> bool:
        return not reply.is_from_customer

    def get_author_name(self, reply: Reply) -> str:
        """A first name is enough of a colleague; accounts of staff are nobody's business."""
        if reply.is_from_customer:
            return reply.author_name
        return (reply.author.first_name if reply.author else "") or "Support"

    def get_body_html(self, reply: Reply) -> str:
        return html_of(self, reply)


MEMBER_FIELDS = [
    "id",
    "number",
    "subject",
    "status",
    "priority",
    "category",
    "resolved_at",
    "closed_at",
    "merged_into",
    "last_activity_at",
    "created_at",
]


class MemberTicketSerializer(serializers.ModelSerializer):
    """A ticket as its requester sees it: nothing shows that there are internal notes."""

    category = TicketCategorySerializer(allow_null=True)
    merged_into = serializers.PrimaryKeyRelatedField(read_only=True, allow_null=True)
    last_activity_at = serializers.SerializerMethodField()

    class Meta:
        model = Ticket
        fields = MEMBER_FIELDS

    @extend_schema_field(serializers.DateTimeField())
    def get_last_activity_at(self, ticket: Ticket) -> Any:
        moments = (ticket.created_at, ticket.last_customer_reply_at, ticket.last_staff_reply_at)
        latest = max(moment for moment in moments if moment)
        return serializers.DateTimeField().to_representation(latest)


class MemberTicketDetailSerializer(MemberTicketSerializer):
    """A ticket with its public conversation."""

    replies = serializers.SerializerMethodField()
    has_earlier_replies = serializers.SerializerMethodField()
    rating = serializers.SerializerMethodField()

    class Meta(MemberTicketSerializer.Meta):
        fields = [*MEMBER_FIELDS, "replies", "has_earlier_replies", "rating"]

    def to_representation(self, instance: Ticket) -> dict[str, Any]:
        self.latest = instance.replies.public().latest()
        return super().to_representation(instance)

    @extend_schema_field(MemberReplySerializer(many=True))
    def get_replies(self, ticket: Ticket) -> Any:
        return reply_rows(MemberReplySerializer, self.latest[0])

    def get_has_earlier_replies(self, ticket: Ticket) -> bool:
        return self.latest[1]

    @extend_schema_field(TicketRatingSerializer(allow_null=True))
    def get_rating(self, ticket: Ticket) -> Any:
        rating = TicketRating.objects.filter(ticket=ticket).first()
        return TicketRatingSerializer(rating).data if rating else None


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
            "updated_at",
        ]


class QueuedSerializer(serializers.Serializer):
    """Work that a worker will do."""

    task = serializers.CharField()


class TicketPresenceSerializer(serializers.Serializer):
    """A colleague who has the ticket open."""

    person = TicketPersonSerializer()
    is_writing = serializers.BooleanField()
