"""A ticket as its requester sees it: nothing shows that there are internal notes."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from support.api.conversation import html_of, reply_rows
from support.api.serializers.tickets import (
    TicketAttachmentSerializer,
    TicketCategorySerializer,
    TicketRatingSerializer,
)
from support.models import Reply, Ticket, TicketRating


class MemberReplySerializer(serializers.ModelSerializer):
    """One public message, as the customer sees it."""

    from_staff = serializers.SerializerMethodField()
    author_name = serializers.SerializerMethodField()
    has_original = serializers.BooleanField()
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
            "has_original",
            "attachments",
            "said_at",
            "edited_at",
        ]

    def get_from_staff(self, reply: Reply) -> bool:
        return not reply.is_from_customer

    def get_author_name(self, reply: Reply) -> str:
        """Return the first name of a colleague; accounts of staff are nobody's business."""
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
