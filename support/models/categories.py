"""What a ticket is filed under: one category, any number of tags."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from support.querysets.tickets import ConfinedQuerySet
from systemadmin.foundation.models import TimestampedModel


class Category(TimestampedModel):
    """What a ticket is about, and who in turn takes such tickets."""

    class Assignment(models.TextChoices):
        DEFAULT = "", _("As the desk is set")
        MANUAL = "manual", _("By hand")
        ROUND_ROBIN = "round_robin", _("In turn")
        LOAD = "load", _("To whoever has least open")

    code = models.SlugField(_("code"), max_length=50, unique=True)
    name = models.CharField(_("name"), max_length=100)
    name_es = models.CharField(_("name in Spanish"), max_length=100, blank=True)
    position = models.PositiveIntegerField(_("position"), default=0)
    is_active = models.BooleanField(_("active"), default=True)
    assignment = models.CharField(
        _("assignment"), max_length=12, choices=Assignment.choices, blank=True, default=""
    )
    agents = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("agents"),
        blank=True,
        related_name="+",
        help_text=_("Who may be given its tickets; nobody named means every agent."),
    )

    is_confined = models.BooleanField(
        _("only for named readers"),
        default=False,
        help_text=_("Its tickets are read by the agents named below and by nobody else."),
    )
    readers = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("readers"),
        blank=True,
        related_name="+",
        help_text=_("Who reads its tickets where only named readers do."),
    )

    objects = ConfinedQuerySet.as_manager()

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name

    def name_in(self, language: str) -> str:
        """Return the name as a reader of this language knows it."""
        return (self.name_es or self.name) if language == "es" else self.name


class Tag(models.Model):
    """A word to file tickets under."""

    name = models.SlugField(_("name"), max_length=50, unique=True, allow_unicode=True)

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
