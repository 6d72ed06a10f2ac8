"""Requests for a second person, notices and webhooks that failed, at the review desk."""

from typing import Any

from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.display import display_name
from systemadmin.foundation.money import format_money
from systemadmin.foundation.outbox import OutboxStatus
from systemadmin.foundation.review_queues import Card, Decision, Panel, Queue
from systemadmin.models import ApprovalRequest, Notification, WebhookDelivery
from systemadmin.services import approval_texts
from systemadmin.services.second_person import act_named


def _request_card(row: Any) -> Card:
    amount = "" if row.amount is None else f" · {format_money(row.amount, row.currency)}"
    return Card(
        title=act_named(row.act).title,
        line=f"{row.subject_name}{amount}",
        marks=[("", row.asked_by_name)],
        since=row.created_at,
    )


def _request_panels(request: Any, row: Any) -> list[Panel]:
    return [
        Panel(
            title=act_named(row.act).title,
            rows=[
                (_("About"), row.subject_name),
                (_("Asked by"), row.asked_by_name),
                (_("Why"), row.reason),
                (_("Until"), row.expires_at),
            ],
        ),
        Panel(title=_("As it is now"), rows=approval_texts.facts(row, viewer=request.user)),
    ]


def _approve(row: Any, _data: Any) -> str:
    text = gettext("It is done now, as %(who)s asked: %(act)s, %(what)s.")
    values = {"who": row.asked_by_name, "act": act_named(row.act).title, "what": row.subject_name}
    return text % values


REQUESTS = Queue(
    code="requests",
    model="systemadmin.ApprovalRequest",
    rows=lambda user: ApprovalRequest.objects.exclude(asked_by=user).select_related(
        "asked_by", "decided_by"
    ),
    waiting=lambda rows: rows.filter(state=ApprovalRequest.State.WAITING),
    order=("expires_at", "pk"),
    card=_request_card,
    panels=_request_panels,
    decisions=[
        Decision(
            code="approve",
            action="approve",
            title=_("Approve and do it"),
            key="a",
            tone="good",
            icon="check",
            text="reason",
            consequence=_approve,
        ),
        Decision(
            code="refuse",
            action="refuse",
            title=_("Refuse"),
            key="r",
            tone="bad",
            icon="x",
            text="reason",
            needs_text=True,
            consequence=lambda row, _data: (
                gettext("Nothing is done, and %(who)s reads why.") % {"who": row.asked_by_name}
            ),
        ),
    ],
    text_label=_("Why"),
    decided=lambda row: (row.decided_by, row.decided_at),
)


def _notice_card(notice: Any) -> Card:
    return Card(
        title=display_name(notice.user),
        line=notice.get_channel_display(),
        marks=[("bad", notice.get_status_display())],
        since=notice.created_at,
    )


NOTICES = Queue(
    code="notices",
    model="systemadmin.Notification",
    rows=lambda user: Notification.objects.select_related("user"),
    waiting=lambda rows: rows.filter(status=OutboxStatus.FAILED),
    order=("pk",),
    card=_notice_card,
    shows_page=True,
    decisions=[
        Decision(
            code="again",
            action="resend",
            title=_("Send again"),
            key="a",
            tone="good",
            icon="refresh-cw",
            for_several=True,
        )
    ],
)


def _webhook_card(delivery: Any) -> Card:
    return Card(
        title=Truncator(delivery).chars(60),
        line=Truncator(getattr(delivery, "last_error", "")).chars(80),
        marks=[("bad", delivery.get_status_display())],
        since=delivery.created_at,
    )


WEBHOOKS = Queue(
    code="webhooks",
    model="systemadmin.WebhookDelivery",
    rows=lambda user: WebhookDelivery.objects.select_related("event", "endpoint"),
    # One that was sent again goes on as another row.
    waiting=lambda rows: rows.filter(status="failed", replays__isnull=True),
    order=("pk",),
    card=_webhook_card,
    shows_page=True,
    decisions=[
        Decision(
            code="again",
            action="replay",
            title=_("Send again"),
            key="a",
            tone="good",
            icon="refresh-cw",
            for_several=True,
        )
    ],
)
