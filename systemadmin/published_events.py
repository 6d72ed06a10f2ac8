"""What the base app publishes."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from systemadmin.foundation.plugins import Text
from systemadmin.foundation.published_events import EventKind


class AccountPayload(serializers.Serializer):
    """What happened to an account."""

    user = serializers.IntegerField()
    user_external_id = serializers.CharField(allow_null=True)
    suspended_until = serializers.DateTimeField(allow_null=True)


class MaintenancePayload(serializers.Serializer):
    """A maintenance that begins, is announced or ended."""

    mode = serializers.CharField()
    starts_at = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)


_ACCOUNT = {"user": 12, "user_external_id": "u-12", "suspended_until": None}


def _account(name: str, says: Text, **changed: object) -> EventKind:
    return EventKind(
        name=name,
        says=says,
        payload=AccountPayload,
        example=_ACCOUNT | changed,
        members=("user",),
    )


EVENTS = [
    _account(
        "user.suspended",
        _("An account was suspended."),
        suspended_until="2030-01-31T12:00:00+00:00",
    ),
    _account("user.reinstated", _("The suspension of an account was lifted.")),
    _account("user.verified", _("The person behind an account was verified.")),
    EventKind(
        name="maintenance.enabled",
        says=_("A maintenance began or was announced."),
        payload=MaintenancePayload,
        example={
            "mode": "soft",
            "starts_at": "2030-01-01T02:00:00+00:00",
            "until": "2030-01-01T03:00:00+00:00",
        },
    ),
    EventKind(
        name="maintenance.disabled",
        says=_("Every maintenance that was open was ended."),
        payload=MaintenancePayload,
        example={"mode": "", "starts_at": None, "until": None},
    ),
]
