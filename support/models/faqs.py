"""Answers anyone can read."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from support.models.categories import Category
from support.querysets.faqs import FaqQuerySet
from systemadmin.foundation.models import VersionedModel
from systemadmin.models import User


class Faq(VersionedModel):
    """One question with its answer, in one language."""

    question = models.CharField(_("question"), max_length=255)
    answer = models.TextField(_("answer"), help_text=_("Markdown."))
    language = models.CharField(
        _("language"), max_length=2, choices=User.Language.choices, default=User.Language.ENGLISH
    )
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="faqs",
    )
    position = models.PositiveIntegerField(_("position"), default=0)
    is_published = models.BooleanField(_("published"), default=False)
    helpful_count = models.PositiveIntegerField(_("found it helpful"), default=0, editable=False)
    unhelpful_count = models.PositiveIntegerField(_("did not"), default=0, editable=False)
    words = models.TextField(_("words"), blank=True, editable=False)

    objects = FaqQuerySet.as_manager()

    class Meta:
        verbose_name = _("question and answer")
        verbose_name_plural = _("questions and answers")
        ordering = ["position", "id"]
        # The public list of one language in order.
        indexes = [
            models.Index(fields=["language", "is_published", "position", "id"], name="faq_public")
        ]

    def __str__(self) -> str:
        return self.question


class FaqVote(models.Model):
    """Whether an answer helped one account; a later vote replaces the first."""

    faq = models.ForeignKey(
        Faq, verbose_name=_("question"), on_delete=models.CASCADE, related_name="votes"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("account"),
        on_delete=models.CASCADE,
        related_name="+",
    )
    is_helpful = models.BooleanField(_("helpful"))
    voted_at = models.DateTimeField(_("voted at"), auto_now=True)

    class Meta:
        verbose_name = _("vote on an answer")
        verbose_name_plural = _("votes on answers")
        constraints = [
            models.UniqueConstraint(
                fields=["faq", "user"],
                name="support_faqvote_once",
                violation_error_message=_("This account has already voted."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.faq_id} {self.user_id}"
