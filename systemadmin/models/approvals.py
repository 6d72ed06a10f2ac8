"""Acts that wait for a second person."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import VersionedModel
from systemadmin.querysets.approvals import ApprovalRequestQuerySet


class ApprovalRequest(VersionedModel):
    """One act that somebody asked for and that another person has to approve.

    The names of people and of the object are copied: the row must speak after they are gone.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        APPROVED = "approved", _("Approved")
        REFUSED = "refused", _("Refused")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        EXPIRED = "expired", _("Expired")
        FAILED = "failed", _("Failed")

    kind = models.CharField(_("kind"), max_length=30)
    act = models.CharField(_("act"), max_length=100)
    arguments = models.JSONField(_("arguments"), default=dict, blank=True)
    subject_type = models.CharField(_("object type"), max_length=100)
    subject_id = models.CharField(_("object id"), max_length=200)
    subject_name = models.CharField(_("object"), max_length=200, blank=True)
    subject_state = models.CharField(
        _("version of the object"),
        max_length=64,
        blank=True,
        help_text=_("When another one is found at the decision, the act is not done."),
    )
    amount = models.BigIntegerField(_("amount in minor units"), null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("asked by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    asked_by_name = models.CharField(_("name of who asked"), max_length=150)
    reason = models.TextField(_("reason"))
    expires_at = models.DateTimeField(_("expires at"))
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.WAITING
    )
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("decided by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    decided_by_name = models.CharField(_("name of who decided"), max_length=150, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decision_reason = models.TextField(_("reason of the decision"), blank=True)
    result = models.JSONField(_("result"), default=dict, blank=True)

    objects = ApprovalRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("approval request")
        verbose_name_plural = _("approval requests")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject_type", "subject_id"],
                condition=Q(state="waiting"),
                name="approval_waits_once_per_object",
                violation_error_message=_("Such a request waits already."),
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True)
                | Q(asked_by__isnull=True)
                | ~Q(decided_by=F("asked_by")),
                name="approval_is_decided_by_another",
                violation_error_message=_("Somebody else has to decide it."),
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", decided_at__isnull=True)
                | (~Q(state="waiting") & Q(decided_at__isnull=False)),
                name="approval_is_decided_at_a_moment",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="approval_has_a_reason"),
        ]
        permissions = [
            ("decide_approvalrequest", _("Can approve and refuse what needs a second person")),
        ]
        indexes = [
            # The review list and the sweep of what has expired: few rows wait.
            models.Index(
                fields=["expires_at"], name="approval_waiting", condition=Q(state="waiting")
            ),
            # What retention removes.
            models.Index(fields=["decided_at"], name="approval_decided"),
            # "What did this person ask for", newest first.
            models.Index(fields=["asked_by", "-id"], name="approval_asked_by"),
        ]

    @property
    def standing(self) -> str:
        """The state by the clock: what nobody decided in time has expired, marked so or not."""
        is_overdue = self.state == self.State.WAITING and self.expires_at <= timezone.now()
        return self.State.EXPIRED if is_overdue else self.state

    def get_standing_display(self) -> str:
        """Return that state in words."""
        return str(self.State(self.standing).label)

    def __str__(self) -> str:
        return f"{self.act} ({self.subject_name})"
