"""What waits at the base app, for the admin home."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.plugins import Worklist
from systemadmin.models import ApprovalRequest

WORKLISTS = [
    Worklist(
        title=_("Requests for a second person"),
        permission="systemadmin.decide_approvalrequest",
        count=lambda user: ApprovalRequest.objects.waiting().exclude(asked_by=user).count(),
        url=lambda: (
            reverse("admin:systemadmin_approvalrequest_changelist") + "?state__exact=waiting"
        ),
        order=5,
    ),
]
