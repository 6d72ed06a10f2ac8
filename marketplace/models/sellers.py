"""What the books need to know of a seller beyond the account."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import VersionedModel


class SellerProfile(VersionedModel):
    """Who a seller is for taxes, fees and payouts; the country stands on the account."""

    class TaxStatus(models.TextChoices):
        PRIVATE = "private", _("Private person")
        BUSINESS = "business", _("Registered business")

    class Identity(models.TextChoices):
        MISSING = "missing", _("Missing")
        PENDING = "pending", _("Being checked")
        VERIFIED = "verified", _("Verified")
        REFUSED = "refused", _("Refused")

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        verbose_name=_("user"),
        related_name="seller_profile",
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
    legal_name = models.CharField(_("legal name"), max_length=140, blank=True)
    tax_id = models.CharField(_("tax id"), max_length=30, blank=True)
    birth_date = models.DateField(
        _("date of birth"),
        null=True,
        blank=True,
        help_text=_("Of a private person; the yearly report on sellers asks for it."),
    )
    address = models.CharField(_("address"), max_length=200, blank=True)
    postal_code = models.CharField(_("postal code"), max_length=20, blank=True)
    city = models.CharField(_("city"), max_length=100, blank=True)
    identity = models.CharField(
        _("identity check"), max_length=10, choices=Identity.choices, default=Identity.MISSING
    )
    # The IBAN, encrypted; only the masked form is ever shown.
    account_sealed = models.TextField(_("account sealed"), blank=True, editable=False)
    account_masked = models.CharField(_("payout account"), max_length=20, blank=True)

    # Seen masked, if at all, by staff who may not see personal data.
    personal_fields = ("legal_name", "tax_id", "birth_date", "address", "postal_code", "city")

    class Meta:
        verbose_name = _("seller")
        verbose_name_plural = _("sellers")
        permissions = [("check_identity", _("Can record a seller's identity check"))]

    def __str__(self) -> str:
        return str(self.user)
