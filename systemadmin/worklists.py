"""What waits at the base app, for the rail and the home page of the admin."""

from typing import Any

from django.db.models import Case, QuerySet, When
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from systemadmin.alert_words import name_accounts
from systemadmin.foundation.display import display_name
from systemadmin.foundation.plugins import Desk, DeskPage, Line, Worklist
from systemadmin.foundation.waiting import change_page
from systemadmin.models import Alert, ApprovalRequest, BatchFailure, Notification, WebhookDelivery
from systemadmin.review_queues import NOTICES, REQUESTS, WEBHOOKS
from systemadmin.services.second_person import act_named

LEVELS = {"critical": "critical", "warning": "high", "info": "low"}


def _requests(user: Any) -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.waiting().exclude(asked_by=user).order_by("expires_at", "pk")


def _request(request: ApprovalRequest) -> Line:
    return Line(
        title=f"{act_named(request.act).title}: {request.subject_name or request.pk}",
        url=change_page(request),
        text=_("Asked by %(name)s") % {"name": request.asked_by_name},
        at=request.created_at,
        due=request.expires_at,
    )


def _alerts(user: Any) -> QuerySet[Alert]:
    rank = Case(*(When(severity=name, then=n) for n, name in enumerate(LEVELS)))
    return Alert.objects.filter(status=Alert.Status.FIRING).order_by(rank, "created_at", "pk")


def _alert(alert: Alert) -> Line:
    return Line(
        title=alert.headline,
        url=change_page(alert),
        at=alert.created_at,
        level=LEVELS[alert.severity],
        level_title=alert.get_severity_display(),
        account=alert.account,
    )


def _notice(notice: Notification) -> Line:
    return Line(
        title=display_name(notice.user),
        url=change_page(notice),
        text=notice.get_channel_display(),
        at=notice.created_at,
    )


def _failures(user: Any) -> QuerySet[BatchFailure]:
    return BatchFailure.objects.filter(given_up_at__isnull=False).order_by("given_up_at", "pk")


def _failure(failure: BatchFailure) -> Line:
    return Line(title=failure.batch, url=change_page(failure), at=failure.given_up_at)


def _webhook(delivery: WebhookDelivery) -> Line:
    return Line(title=str(delivery), url=change_page(delivery), at=delivery.created_at)


DESKS = [
    Desk(
        code="system",
        key="s",
        title=_("System"),
        icon="server",
        order=60,
        models=["systemadmin", "django_q", "auth"],
        start="admin:status",
        pages=[
            DeskPage(
                title=_("System status"),
                view="admin:status",
                permission="systemadmin.view_systemstatus",
            ),
            DeskPage(
                title=_("Settings"),
                view="admin:settings",
                permission="systemadmin.view_systemconfig",
            ),
            DeskPage(
                title=_("Retention"),
                view="admin:retention",
                permission="systemadmin.view_retention",
            ),
        ],
    ),
    Desk(
        code="people",
        key="p",
        title=_("People"),
        icon="users",
        order=50,
        models=["systemadmin.user"],
    ),
]
WORKLISTS = [
    Worklist(
        code="systemadmin.approvals",
        title=_("Requests for a second person"),
        permission="systemadmin.decide_approvalrequest",
        rows=_requests,
        url=lambda: reverse("admin:review_queue", args=[REQUESTS.code]),
        queue=REQUESTS,
        added="created_at",
        line=_request,
        icon="users",
        order=5,
        is_personal=True,
    ),
    Worklist(
        code="systemadmin.alerts",
        title=_("Open alerts"),
        permission="systemadmin.change_alert",
        rows=_alerts,
        url=lambda: reverse("admin:systemadmin_alert_changelist") + "?status__exact=firing",
        added="created_at",
        line=_alert,
        complete=name_accounts,
        icon="triangle-alert",
        order=50,
        is_urgent=True,
    ),
    Worklist(
        code="systemadmin.notices",
        title=_("Notices that could not be sent"),
        permission="systemadmin.change_notification",
        rows=NOTICES.things,
        url=lambda: reverse("admin:review_queue", args=[NOTICES.code]),
        queue=NOTICES,
        added="created_at",
        line=_notice,
        icon="mail",
        order=52,
        is_on_rail=False,
    ),
    Worklist(
        code="systemadmin.batch_failures",
        title=_("Rows that batches gave up"),
        permission="systemadmin.change_batchfailure",
        rows=_failures,
        url=lambda: reverse("admin:systemadmin_batchfailure_changelist"),
        added="given_up_at",
        line=_failure,
        icon="database",
        order=51,
    ),
    Worklist(
        code="systemadmin.webhooks",
        title=_("Webhooks that were given up"),
        permission="systemadmin.replay_webhookdelivery",
        rows=WEBHOOKS.things,
        url=lambda: reverse("admin:review_queue", args=[WEBHOOKS.code]),
        queue=WEBHOOKS,
        added="created_at",
        line=_webhook,
        icon="zap",
        order=53,
        is_on_rail=False,
    ),
]
