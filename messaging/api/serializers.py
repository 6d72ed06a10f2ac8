"""What messages look like on the wire."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from messaging.models import (
    Attachment,
    Block,
    Message,
    MessageReport,
    MessageRevision,
    Participant,
    Preferences,
    ReportReason,
)
from systemadmin.foundation.api import AccountKeyField, StrictSerializer


class PersonSerializer(serializers.Serializer):
    """Another account: a name, never an address, and both empty for one that was never met."""

    id = serializers.IntegerField()
    username = serializers.CharField()
    name = serializers.CharField()
    is_verified = serializers.BooleanField()


class AttachmentSerializer(serializers.ModelSerializer):
    """A file, fetched from `/api/messages/{id}/attachment`."""

    class Meta:
        model = Attachment
        fields = ["name", "content_type", "size", "sha256"]


class MessageSerializer(serializers.ModelSerializer):
    """One message as one of its two parties sees it."""

    attachment = serializers.SerializerMethodField()
    client_id = serializers.SerializerMethodField()
    is_mine = serializers.SerializerMethodField()
    is_erased = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = [
            "id",
            "seq",
            "sender",
            "is_mine",
            "kind",
            "body",
            "client_id",
            "attachment",
            "created_at",
            "edited_at",
            "is_erased",
        ]

    @extend_schema_field(AttachmentSerializer(allow_null=True))
    def get_attachment(self, message: Message) -> Any:
        attachment = message.shown_attachment
        return AttachmentSerializer(attachment).data if attachment else None

    def get_client_id(self, message: Message) -> str | None:
        return message.client_id if self.get_is_mine(message) else None

    def get_is_mine(self, message: Message) -> bool:
        return message.sender_id == self.context["viewer_id"]

    def get_is_erased(self, message: Message) -> bool:
        return message.erased_at is not None


class FoundMessageSerializer(MessageSerializer):
    """A message that a search found, and with whom it was exchanged."""

    user = serializers.SerializerMethodField()

    class Meta(MessageSerializer.Meta):
        fields = [*MessageSerializer.Meta.fields, "user"]

    def get_user(self, message: Message) -> int:
        thread, viewer = message.conversation, self.context["viewer_id"]
        return thread.higher_id if thread.lower_id == viewer else thread.lower_id


class FoundMessagesSerializer(serializers.Serializer):
    """Messages, newest first; `before` continues the search, and is empty at its end."""

    results = FoundMessageSerializer(many=True)
    before = serializers.IntegerField(allow_null=True)


class SearchInput(StrictSerializer):
    """Words, each the beginning of a word of the message."""

    q = serializers.CharField(max_length=200)
    before = serializers.IntegerField(min_value=1, max_value=2**63 - 1, required=False)


class MutedSerializer(serializers.Serializer):
    """Whether notices of a conversation are off."""

    is_muted = serializers.BooleanField()


class ConversationSerializer(serializers.ModelSerializer):
    """A line of the conversation list."""

    user = serializers.SerializerMethodField()
    last_message = MessageSerializer()

    class Meta:
        model = Participant
        fields = [
            "user",
            "last_message",
            "unread_count",
            "last_read_seq",
            "last_activity_at",
            "is_muted",
        ]

    @extend_schema_field(PersonSerializer)
    def get_user(self, row: Participant) -> dict[str, Any]:
        return self.context["acquaintances"].show(row.peer_id, row.peer)


class RevisionSerializer(serializers.ModelSerializer):
    """What a message said before an edit."""

    class Meta:
        model = MessageRevision
        fields = ["body", "replaced_at"]


class BlockSerializer(serializers.ModelSerializer):
    """A member kept away."""

    user = serializers.SerializerMethodField()

    class Meta:
        model = Block
        fields = ["user", "created_at"]

    @extend_schema_field(PersonSerializer)
    def get_user(self, block: Block) -> dict[str, Any]:
        return self.context["people"][block.blocked_id]


class ReportSerializer(serializers.ModelSerializer):
    """A report as its author sees it."""

    class Meta:
        model = MessageReport
        fields = ["id", "message", "reason", "note", "status", "created_at"]


class PreferencesSerializer(serializers.ModelSerializer):
    """A member's own choices."""

    class Meta:
        model = Preferences
        fields = [
            "who_may_write",
            "email_notices",
            "telegram_notices",
            "notice_delay_minutes",
            "urgent_by_telegram",
            "promotions",
        ]


class ReadStateSerializer(serializers.Serializer):
    """The read marker of a conversation and its unread count."""

    last_read_seq = serializers.IntegerField()
    conversation_unread = serializers.IntegerField()
    unread_count = serializers.IntegerField()


class UnreadCountSerializer(serializers.Serializer):
    """The number of unread messages over all conversations."""

    unread_count = serializers.IntegerField()


# -- input ---------------------------------------------------------------------------


class SendInput(StrictSerializer):
    """A message to send."""

    recipient = AccountKeyField()
    body = serializers.CharField(allow_blank=True, default="", trim_whitespace=False)
    client_id = serializers.RegexField(
        r"^[\x21-\x7e]{1,64}$",
        required=False,
        allow_null=True,
        error_messages={"invalid": _("1 to 64 printable ASCII characters without spaces.")},
    )
    attachment = serializers.FileField(required=False, allow_null=True, allow_empty_file=True)


class EditInput(StrictSerializer):
    """A new wording."""

    body = serializers.CharField(trim_whitespace=False)


class BlockInput(StrictSerializer):
    """Whom to block."""

    user = AccountKeyField()


class ReportInput(StrictSerializer):
    """What is wrong with a message."""

    reason = serializers.ChoiceField(choices=ReportReason.choices)
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class PreferencesInput(StrictSerializer):
    """The choices to change."""

    who_may_write = serializers.ChoiceField(choices=Preferences.Audience.choices, required=False)
    email_notices = serializers.BooleanField(required=False)
    telegram_notices = serializers.BooleanField(required=False)
    notice_delay_minutes = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=1440
    )
    urgent_by_telegram = serializers.BooleanField(required=False)
    promotions = serializers.BooleanField(required=False)
