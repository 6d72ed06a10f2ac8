"""What the support desk publishes; no words of anybody, who may read them asks for the ticket."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from systemadmin.foundation.plugins import Text
from systemadmin.foundation.published_events import EventKind


class TicketPayload(serializers.Serializer):
    """A ticket as it is now."""

    id = serializers.IntegerField()
    number = serializers.CharField()
    user = serializers.IntegerField(allow_null=True)
    user_external_id = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    priority = serializers.CharField()
    assignee = serializers.IntegerField(allow_null=True)


class TicketStatusPayload(TicketPayload):
    """A ticket with the status that it had."""

    previous_status = serializers.CharField()


class TicketReplyPayload(TicketPayload):
    """A ticket with its newest reply that the customer may read."""

    reply = serializers.IntegerField()
    is_from_customer = serializers.BooleanField()


class TicketRatingPayload(TicketPayload):
    """A ticket with the score that the customer gave."""

    score = serializers.IntegerField()


_TICKET = {
    "id": 7,
    "number": "2030-000007",
    "user": 12,
    "user_external_id": "u-12",
    "status": "in_progress",
    "priority": "medium",
    "assignee": 3,
}


def _kind(
    name: str, says: Text, payload: type[serializers.Serializer], **more: object
) -> EventKind:
    return EventKind(
        name=name, says=says, payload=payload, example=_TICKET | more, members=("user",)
    )


EVENTS = [
    _kind("ticket.opened", _("A ticket was opened."), TicketPayload, status="new"),
    _kind(
        "ticket.replied",
        _("Somebody answered in a ticket; internal notes are not published."),
        TicketReplyPayload,
        reply=31,
        is_from_customer=False,
    ),
    _kind(
        "ticket.status_changed",
        _("A ticket took a step."),
        TicketStatusPayload,
        previous_status="new",
    ),
    _kind("ticket.rated", _("The customer rated a resolved ticket."), TicketRatingPayload, score=5),
]
