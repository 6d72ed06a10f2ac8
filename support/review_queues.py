"""Mail that failed, at the review desk: each is looked at and tried again."""

from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from support.models import InboundMessage, OutboundMessage
from systemadmin.foundation.review_queues import Card, Decision, Queue


def _inbound_card(message: Any) -> Card:
    return Card(
        title=Truncator(message.subject).chars(80) or gettext("No subject"),
        line=message.get_kind_display(),
        marks=[("bad", message.get_status_display())],
        since=message.created_at,
    )


def _outbound_card(message: Any) -> Card:
    return Card(
        title=Truncator(message.subject).chars(80) or gettext("No subject"),
        line=message.get_kind_display(),
        marks=[("bad", message.get_status_display())],
        since=message.created_at,
    )


UNREAD_MAIL = Queue(
    code="mail-in",
    model="support.InboundMessage",
    rows=lambda user: InboundMessage.objects.listed_for(user).light().select_related("ticket"),
    waiting=lambda rows: rows.filter(status="failed"),
    order=("pk",),
    card=_inbound_card,
    shows_page=True,
    decisions=[
        Decision(
            code="again",
            action="process_again",
            title=_("Process again"),
            key="a",
            tone="good",
            icon="refresh-cw",
            for_several=True,
        )
    ],
)

UNSENT_MAIL = Queue(
    code="mail-out",
    model="support.OutboundMessage",
    rows=lambda user: OutboundMessage.objects.listed_for(user),
    waiting=lambda rows: rows.filter(status="failed"),
    order=("pk",),
    card=_outbound_card,
    shows_page=True,
    decisions=[
        Decision(
            code="again",
            action="send_again",
            title=_("Send again"),
            key="a",
            tone="good",
            icon="refresh-cw",
            for_several=True,
        )
    ],
)
