"""Mail that came and mail that goes."""

from rest_framework import serializers

from support.models import FileLink, InboundMessage, OutboundMessage
from systemadmin.foundation.api.masked import MaskedModelSerializer


class DeliverySerializer(serializers.ModelSerializer):
    """One copy of an answer by mail, and what became of it."""

    class Meta:
        model = OutboundMessage
        fields = ["id", "recipient", "status"]


class FileLinkSerializer(serializers.ModelSerializer):
    """A file that went as a link because it was too large for the mail."""

    class Meta:
        model = FileLink
        fields = [
            "id",
            "attachment",
            "message",
            "expires_at",
            "revoked_at",
            "is_withheld",
            "downloads",
            "last_download_at",
        ]


class InboundMessageSerializer(MaskedModelSerializer):
    """An incoming mail."""

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
    """An outgoing mail."""

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


class QueuedSerializer(serializers.Serializer):
    """Work that a worker will do."""

    task = serializers.CharField()
