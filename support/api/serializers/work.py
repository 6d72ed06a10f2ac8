"""What agents keep while they work: presence, drafts, saved views."""

from rest_framework import serializers

from support.api.serializers.tickets import TicketPersonSerializer
from support.models import ReplyDraft, SavedView


class TicketPresenceSerializer(serializers.Serializer):
    """A colleague who has the ticket open."""

    person = TicketPersonSerializer()
    is_writing = serializers.BooleanField()


class ReplyDraftSerializer(serializers.ModelSerializer):
    """What the caller has typed and not sent."""

    class Meta:
        model = ReplyDraft
        fields = ["kind", "body", "version", "updated_at"]


class SavedViewSerializer(serializers.ModelSerializer):
    """A list of tickets to come back to."""

    class Meta:
        model = SavedView
        fields = [
            "id",
            "owner",
            "name",
            "is_shared",
            "which",
            "whose",
            "priority",
            "category",
            "tag",
            "words",
            "is_overdue",
            "version",
            "created_at",
            "updated_at",
        ]
