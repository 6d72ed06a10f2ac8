"""What waits for the team."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from messaging.models import MessageReport
from messaging.review_queues import REPORTS
from systemadmin.foundation.display import display_name
from systemadmin.foundation.plugins import Desk, Line, Worklist
from systemadmin.foundation.waiting import change_page
from systemadmin.models import User


def _rows(user: User) -> QuerySet[MessageReport]:
    return MessageReport.objects.open().select_related("reporter").order_by("created_at", "pk")


def _report(report: MessageReport) -> Line:
    reporter: Any = report.reporter
    return Line(
        title=report.get_reason_display(),
        url=change_page(report),
        text=_("Reported by %(name)s") % {"name": display_name(reporter)} if reporter else "",
        at=report.created_at,
        account=reporter,
    )


def _url() -> str:
    return reverse("admin:review_queue", args=[REPORTS.code])


DESKS = [
    Desk(
        code="messages",
        key="c",
        title=_("Messages"),
        icon="message-square",
        order=40,
        models=["messaging"],
        start="admin:messaging_messagereport_changelist",
    )
]
WORKLISTS = [
    Worklist(
        code="messaging.reports",
        title=_("Reported messages"),
        permission="messaging.handle_messagereport",
        rows=_rows,
        url=_url,
        queue=REPORTS,
        added="created_at",
        line=_report,
        icon="flag",
        order=40,
    )
]
