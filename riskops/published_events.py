"""What the risk desk publishes."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from systemadmin.foundation.plugins import Text
from systemadmin.foundation.published_events import EventKind


class RiskLevelPayload(serializers.Serializer):
    """An account whose level of risk changed."""

    user = serializers.IntegerField()
    user_external_id = serializers.CharField(allow_null=True)
    level = serializers.CharField()
    previous_level = serializers.CharField()
    score = serializers.IntegerField()


class LinkPayload(serializers.Serializer):
    """A decision about two accounts."""

    id = serializers.IntegerField()
    user = serializers.IntegerField()
    user_external_id = serializers.CharField(allow_null=True)
    other_user = serializers.IntegerField()
    other_user_external_id = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    strength = serializers.IntegerField()


class AnomalyPayload(serializers.Serializer):
    """Something unusual about an account."""

    id = serializers.IntegerField()
    user = serializers.IntegerField()
    user_external_id = serializers.CharField(allow_null=True)
    rule = serializers.CharField()
    severity = serializers.CharField()
    status = serializers.CharField()
    outcome = serializers.CharField(allow_blank=True)


_LINK = {
    "id": 5,
    "user": 12,
    "user_external_id": "u-12",
    "other_user": 40,
    "other_user_external_id": "u-40",
    "status": "confirmed",
    "strength": 87,
}
_ANOMALY = {
    "id": 9,
    "user": 12,
    "user_external_id": "u-12",
    "rule": "impossible_travel",
    "severity": "high",
    "status": "open",
    "outcome": "",
}


def _link(name: str, says: Text, status: str) -> EventKind:
    return EventKind(
        name=name,
        says=says,
        payload=LinkPayload,
        example=_LINK | {"status": status},
        members=("user", "other_user"),
    )


def _anomaly(name: str, says: Text, **more: str) -> EventKind:
    return EventKind(
        name=name,
        says=says,
        payload=AnomalyPayload,
        example=_ANOMALY | more,
        members=("user",),
    )


EVENTS = [
    EventKind(
        name="risk.level_changed",
        says=_("The risk of an account crossed a level; first scores are not published."),
        payload=RiskLevelPayload,
        example={
            "user": 12,
            "user_external_id": "u-12",
            "level": "high",
            "previous_level": "medium",
            "score": 71,
        },
        members=("user",),
    ),
    _link("link.confirmed", _("Staff confirmed that two accounts have one owner."), "confirmed"),
    _link("link.dismissed", _("Staff decided that two accounts have two owners."), "dismissed"),
    _anomaly("anomaly.detected", _("A rule found something unusual about an account.")),
    _anomaly(
        "anomaly.resolved",
        _("Staff resolved an anomaly."),
        status="resolved",
        outcome="confirmed",
    ),
]
