"""What could not be handled or sent, in the admin: looked at, and tried again by hand."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.admin import AtalayaModelAdmin, service_action
from systemadmin.foundation.caller import caller
from systemadmin.models import BatchFailure, Notification
from systemadmin.services.batch_failures import retry_batch_failure
from systemadmin.services.notifications import resend_notification


@admin.register(BatchFailure)
class BatchFailureAdmin(AtalayaModelAdmin):
    """Rows of batches that raised, with their error and when they are tried again."""

    list_display = [
        "batch",
        "key",
        "attempts",
        "error",
        "last_failed_at",
        "next_attempt_at",
        "given_up_at",
    ]
    list_filter = ["batch", ("given_up_at", admin.EmptyFieldListFilter)]
    search_fields = ["batch__startswith", "key"]
    actions = ["retry"]

    @service_action(description=_("Try again"), perm="systemadmin.change_batchfailure")
    def retry(self, request: HttpRequest, obj: BatchFailure) -> None:
        """Another round of tries, from the next run of the batch on."""
        retry_batch_failure(actor=caller(request), failure=obj)


@admin.register(Notification)
class NotificationAdmin(AtalayaModelAdmin):
    """The delivery log of notices to accounts; what they say is not shown."""

    list_display = ["created_at", "kind", "channel", "status", "attempts", "sent_at", "last_error"]
    list_filter = ["status", "channel", "kind"]
    search_fields = ["kind__startswith"]
    exclude = ["subject", "body", "key"]
    actions = ["resend"]

    @service_action(description=_("Send again"), perm="systemadmin.change_notification")
    def resend(self, request: HttpRequest, obj: Notification) -> None:
        """Another round of attempts for each that was given up."""
        resend_notification(actor=caller(request), notification=obj)
