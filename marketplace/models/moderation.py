"""Revisions of approved products, the record of decisions, and ready-made reasons."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from marketplace.models.catalogue import Product
from marketplace.querysets.moderation import ProductRevisionQuerySet
from systemadmin.foundation.models import AppendOnlyModel, TimestampedModel, VersionedModel

OPEN_REVISION = ("draft", "pending", "changes_requested")


class ProductRevision(VersionedModel):
    """A material edit of an approved product, waiting while the approved version stays live."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PENDING = "pending", _("Waiting for review")
        CHANGES_REQUESTED = "changes_requested", _("Changes requested")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    product = models.ForeignKey(
        Product, models.CASCADE, verbose_name=_("product"), related_name="revisions"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("created by"),
        related_name="product_revisions",
    )
    base_version = models.PositiveIntegerField(_("base version"))
    base = models.JSONField(_("values when edited"), default=dict)
    patch = models.JSONField(_("proposed values"), default=dict)
    status = models.CharField(
        _("status"), max_length=20, choices=Status.choices, default=Status.PENDING
    )
    status_reason = models.CharField(_("reason"), max_length=2000, blank=True)
    checks = models.JSONField(_("automatic checks"), default=list, blank=True)
    submitted_at = models.DateTimeField(_("submitted at"), null=True, blank=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("decided by"),
        null=True,
        blank=True,
        related_name="+",
    )

    objects = ProductRevisionQuerySet.as_manager()

    class Meta:
        verbose_name = _("product revision")
        verbose_name_plural = _("product revisions")
        constraints = [
            models.UniqueConstraint(
                fields=["product"],
                condition=Q(status__in=OPEN_REVISION),
                name="mp_revision_one_open",
                violation_error_message=_("The product has an open revision already."),
            )
        ]
        indexes = [
            # the revision queue, oldest first
            models.Index(
                fields=["submitted_at", "id"],
                name="mp_revision_queue",
                condition=Q(status="pending"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.product} · {self.pk}"


class ProductReview(AppendOnlyModel):
    """One decision about a product or a revision, kept for ever."""

    product = models.ForeignKey(
        Product, models.CASCADE, verbose_name=_("product"), related_name="reviews"
    )
    revision = models.ForeignKey(
        ProductRevision,
        models.CASCADE,
        verbose_name=_("revision"),
        null=True,
        blank=True,
        related_name="reviews",
    )
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        related_name="+",
    )
    action = models.CharField(_("action"), max_length=30)
    from_status = models.CharField(_("from status"), max_length=20)
    to_status = models.CharField(_("to status"), max_length=20)
    reason = models.CharField(_("reason"), max_length=2000, blank=True)
    content = models.JSONField(_("content"), default=dict)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("product review")
        verbose_name_plural = _("product reviews")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.from_status} → {self.to_status}"


class ReasonTemplate(TimestampedModel):
    """A ready-made reason that a moderator may start from."""

    class Action(models.TextChoices):
        REJECT = "reject", _("Reject")
        REQUEST_CHANGES = "request_changes", _("Request changes")
        PAUSE = "pause", _("Pause")
        REMOVE = "remove", _("Remove")

    code = models.SlugField(_("code"), max_length=60, unique=True)
    action = models.CharField(_("action"), max_length=20, choices=Action.choices)
    title = models.CharField(_("title"), max_length=120)
    body = models.CharField(_("text"), max_length=2000)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("reason template")
        verbose_name_plural = _("reason templates")
        ordering = ["action", "title"]

    def __str__(self) -> str:
        return self.title
