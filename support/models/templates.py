"""Prepared answers, and prepared answers with what to do besides."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from support.models.categories import Category
from support.models.tickets import Priority, Status
from systemadmin.foundation.models import VersionedModel
from systemadmin.models import User


class ReplyTemplate(VersionedModel):
    """A prepared answer in one language; the same code in another language is its sibling."""

    code = models.SlugField(_("code"), max_length=60)
    language = models.CharField(
        _("language"), max_length=2, choices=User.Language.choices, default=User.Language.ENGLISH
    )
    title = models.CharField(_("title"), max_length=120)
    body = models.TextField(
        _("body"),
        help_text=_("Markdown, with variables such as {{ticket.number}} and {{user.first_name}}."),
    )
    category = models.ForeignKey(
        Category,
        verbose_name=_("category"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("reply template")
        verbose_name_plural = _("reply templates")
        ordering = ["title", "language"]
        constraints = [
            models.UniqueConstraint(
                fields=["code", "language"],
                name="support_replytemplate_once_per_language",
                violation_error_message=_("There is already such a template in this language."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.language})"


class Macro(VersionedModel):
    """An answer and the changes that go with it, applied in one step."""

    class Assign(models.TextChoices):
        KEEP = "", _("Leave")
        ME = "me", _("To me")
        NOBODY = "nobody", _("To nobody")
        AGENT = "agent", _("To the agent named")

    name = models.CharField(_("name"), max_length=100, unique=True)
    template = models.ForeignKey(
        ReplyTemplate,
        verbose_name=_("answer"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="macros",
    )
    is_internal = models.BooleanField(_("as an internal note"), default=False)
    status = models.CharField(_("status"), max_length=20, choices=Status.choices, blank=True)
    priority = models.CharField(_("priority"), max_length=10, choices=Priority.choices, blank=True)
    assign = models.CharField(_("assign"), max_length=10, choices=Assign.choices, blank=True)
    agent = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("agent"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    add_tags = models.JSONField(_("tags to add"), default=list, blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("macro")
        verbose_name_plural = _("macros")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
