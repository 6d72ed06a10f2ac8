"""What waits for the team."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from messaging.models import MessageReport
from systemadmin.foundation.plugins import Worklist
from systemadmin.models import User


def _count(user: User) -> int:
    return MessageReport.objects.open().count()


def _url() -> str:
    return reverse("admin:messaging_messagereport_changelist") + "?status__exact=open"


WORKLISTS = [
    Worklist(
        title=_("Reported messages"),
        permission="messaging.handle_messagereport",
        count=_count,
        url=_url,
    )
]
