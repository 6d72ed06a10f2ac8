"""Reported messages at the review desk."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from messaging.models import MessageReport, ReportStatus
from systemadmin.foundation.display import display_name
from systemadmin.foundation.review_queues import Card, Decision, Panel, Queue, Reason
from systemadmin.models import User


def _card(report: Any) -> Card:
    reported = next((row["body"] for row in report.excerpt if row.get("is_reported")), "")
    return Card(
        title=display_name(report.reported),
        line=Truncator(reported).chars(80),
        marks=[("warn", report.get_reason_display())],
        since=report.created_at,
    )


def _panels(_request: Any, report: Any) -> list[Panel]:
    senders = {row["sender"] for row in report.excerpt}
    names = {user.pk: display_name(user) for user in User.objects.filter(pk__in=senders)}
    rows = [
        {
            **row,
            "sender": names.get(row["sender"], row["sender"]),
            "created_at": parse_datetime(row["created_at"]),
        }
        for row in report.excerpt
    ]
    more = reverse("admin:messaging_messagereport_conversation", args=[report.pk])
    return [
        Panel(
            title=_("What was written"),
            template="admin/review/excerpt.html",
            context={"rows": rows},
            link=(_("Read on, with a reason"), more),
        ),
        Panel(
            title=_("The report"),
            rows=[
                (_("Reason"), report.get_reason_display()),
                (_("Note"), report.note or "–"),
                (_("Reported by"), display_name(report.reporter)),
                (_("Written by"), display_name(report.reported)),
            ],
            is_aside=True,
        ),
    ]


def _uphold(report: Any, data: Mapping[str, Any]) -> str:
    names = {"reporter": display_name(report.reporter), "name": display_name(report.reported)}
    texts = [gettext("The report is closed in favour of %(reporter)s.")]
    if data.get("erase"):
        texts.append(gettext("The message is erased for good."))
    if data.get("warn"):
        texts.append(gettext("%(name)s is warned."))
    return " ".join(texts) % names


def _dismiss(report: Any, _data: Any) -> str:
    text = gettext("The report is closed: nothing happens to %(name)s.")
    return text % {"name": display_name(report.reported)}


def _reasons() -> Sequence[Reason]:
    return [
        Reason(title=_("Insult"), body=_("An insult: it breaks the rules.")),
        Reason(title=_("Unwanted advertising"), body=_("Unwanted advertising.")),
        Reason(title=_("Payment outside the market"), body=_("Asks to pay outside the market.")),
        Reason(title=_("Nothing wrong"), body=_("Nothing in it breaks the rules.")),
    ]


REPORTS = Queue(
    code="reports",
    model="messaging.MessageReport",
    rows=lambda user: MessageReport.objects.select_related("reported", "reporter", "handled_by"),
    waiting=lambda rows: rows.filter(status=ReportStatus.OPEN),
    order=("created_at", "pk"),
    card=_card,
    panels=_panels,
    account=lambda report: report.reported,
    decisions=[
        Decision(
            code="uphold",
            action="uphold",
            title=_("Uphold"),
            key="a",
            text="resolution",
            needs_text=True,
            fields=["erase", "warn"],
            consequence=_uphold,
        ),
        Decision(
            code="dismiss",
            action="dismiss",
            title=_("Dismiss"),
            key="r",
            icon="x",
            text="resolution",
            needs_text=True,
            consequence=_dismiss,
        ),
    ],
    reasons=_reasons,
    text_label=_("What was decided, and why"),
    decided=lambda report: (report.handled_by, report.handled_at),
)
