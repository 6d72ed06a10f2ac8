"""What fees need to know of a seller beyond the account."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import VersionedModel


class SellerProfile(VersionedModel):
    """A seller's tax status and level; the country stands on the account."""

    class TaxStatus(models.TextChoices):
        PRIVATE = "private", _("Private person")
        BUSINESS = "business", _("Registered business")

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="seller_profile"
    )
    tax_status = models.CharField(
        _("tax status"), max_length=10, blank=True, choices=TaxStatus.choices
    )
    level = models.CharField(
        _("level"),
        max_length=40,
        blank=True,
        validators=[RegexValidator(r"\A[a-z0-9_-]*\Z", _("Lower-case letters, digits, - and _."))],
        help_text=_("A word of your own that rules can look at, such as “gold”."),
    )

    class Meta:
        verbose_name = _("seller")
        verbose_name_plural = _("sellers")

    def __str__(self) -> str:
        return str(self.user)
