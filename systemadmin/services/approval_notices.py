"""Notices about requests: to who may decide them, and to who asked once they are decided."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from systemadmin.models import ApprovalRequest
from systemadmin.services.approvers import eligible
from systemadmin.services.notifications import notify_user
from systemadmin.services.second_person import GuardedAct, act_named


def page_of(request: ApprovalRequest) -> str:
    """Return the address of a request's page in the admin."""
    return reverse("admin:systemadmin_approvalrequest_change", args=[request.pk])


def _link(request: ApprovalRequest) -> str:
    return settings.PUBLIC_URL.rstrip("/") + page_of(request)


def notify_approvers(
    request: ApprovalRequest, act: GuardedAct, arguments: Mapping[str, Any]
) -> None:
    """Queue a notice to everybody who may decide a new request."""
    for person in eligible(request.asked_by, act, arguments):
        with translation.override(person.language):
            notify_user(
                user=person,
                kind="approval.requested",
                subject=_("A request waits for a second person"),
                body=_("%(name)s asks: %(act)s (%(object)s). Reason: %(reason)s\n\n%(link)s")
                % {
                    "name": request.asked_by_name,
                    "act": act.title,
                    "object": request.subject_name,
                    "reason": request.reason,
                    "link": _link(request),
                },
                key=f"approval-{request.pk}-{person.pk}",
            )


def notify_asker(request: ApprovalRequest) -> None:
    """Queue a notice of the decision to who asked."""
    asker = request.asked_by
    if asker is None:
        return
    with translation.override(asker.language):
        notify_user(
            user=asker,
            kind="approval.decided",
            subject=_("Your request was decided"),
            body=_("%(act)s (%(object)s): %(state)s. %(reason)s\n\n%(link)s")
            % {
                "act": act_named(request.act).title,
                "object": request.subject_name,
                "state": request.get_standing_display(),
                "reason": request.result.get("error") or request.decision_reason,
                "link": _link(request),
            },
            key=f"approval-{request.pk}-decided",
        )
