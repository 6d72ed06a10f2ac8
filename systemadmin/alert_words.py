"""Alerts as people read them: the account by its name, the metric in words."""

from collections.abc import Iterable
from typing import Any, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.plugins import collect, person_page
from systemadmin.models import Alert, User

# Where an alert comes from, by the first word of its rule.
AREAS: Final = {
    "audit": _("Audit trail"),
    "backup": _("Backups"),
    "batch": _("Batches"),
    "duties": _("Duties"),
    "error": _("Errors"),
    "marketplace": _("Marketplace"),
    "metric": _("Thresholds"),
    "queue": _("Queue"),
    "restore": _("Restores"),
    "riskops": _("Risk"),
    "sign_in": _("Signing in"),
    "support": _("Support"),
    "systemadmin": _("Webhooks"),
    "test": _("Tests"),
    "web": _("Web processes"),
}


def name_accounts(alerts: Iterable[Alert], viewer: Any) -> None:
    """Read whom the alerts are about, in one query; nobody for a viewer who sees no accounts."""
    if not viewer.has_perm("systemadmin.view_user"):
        return
    named = [alert for alert in alerts if alert.account_id is not None]
    accounts = User.objects.in_bulk([alert.account_id for alert in named]) if named else {}
    for alert in named:
        alert.account = accounts.get(alert.account_id)
        if alert.account is not None:
            alert.account_page = person_page(viewer, alert.account.pk)


def metric_words() -> dict[str, str]:
    """Return what each metric counts, in the language of the reader."""
    return {metric.name: gettext(metric.help) for metric in collect("status", "METRICS")}


def metric_title(name: str) -> str:
    """Return what a metric counts; its name where no app offers it any more."""
    return metric_words().get(name, name)
