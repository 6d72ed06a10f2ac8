"""What the messaging desk publishes; no words of messages."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from systemadmin.foundation.plugins import Text
from systemadmin.foundation.published_events import EventKind


class ReportPayload(serializers.Serializer):
    """A report of a message."""

    id = serializers.IntegerField()
    reported = serializers.IntegerField(allow_null=True)
    reported_external_id = serializers.CharField(allow_null=True)
    reporter = serializers.IntegerField(allow_null=True)
    reporter_external_id = serializers.CharField(allow_null=True)
    message = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    status = serializers.CharField()


def _kind(name: str, says: Text, status: str) -> EventKind:
    return EventKind(
        name=name,
        says=says,
        payload=ReportPayload,
        example={
            "id": 4,
            "reported": 12,
            "reported_external_id": "u-12",
            "reporter": 13,
            "reporter_external_id": "u-13",
            "message": 90,
            "reason": "spam",
            "status": status,
        },
        members=("reported", "reporter"),
    )


EVENTS = [
    _kind("message.reported", _("A member reported a message."), "open"),
    _kind("message.report_handled", _("Staff decided about a reported message."), "upheld"),
]
