"""Validators and choices that several aggregates share."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.money import is_currency

# Amounts stay far below 2^63 so that sums and products by quantity cannot overflow.
MAX_AMOUNT = 10**13
PPM = 1_000_000


class Kind(models.TextChoices):
    """What is sold."""

    PRODUCT = "product", _("Product")
    SERVICE = "service", _("Service")


def validate_currency(value: str) -> None:
    """Accept active ISO 4217 codes only."""
    if not is_currency(value):
        raise ValidationError(_("Not an ISO 4217 currency code."), code="unknown_currency")
