"""Writes of the fees of the schedule, of the taxes on them, and of what sellers are."""

from typing import Any

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from marketplace.errors import FeeInUse
from marketplace.models import CommissionCharge, CommissionFee, FeeTaxRate
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput

FEE_FIELDS = ("code", "name", "position", "combine", "payer", "is_active")
TAX_FIELDS = ("country", "tax_status", "ppm", "is_reverse_charge")


@transaction.atomic
def create_fee(*, actor: Any, **values: Any) -> CommissionFee:
    """Add a fee; it charges nothing until it has rules."""
    return _create(actor, CommissionFee(), values, FEE_FIELDS, "marketplace.fee.created")


@transaction.atomic
def update_fee(
    *, actor: Any, fee: CommissionFee, expected_version: int | None = None, **values: Any
) -> CommissionFee:
    """Change a fee; orders already made keep what they were charged."""
    fee = lock_row(CommissionFee.objects.all(), pk=fee.pk, expected_version=expected_version)
    payer = values.get("payer", fee.payer)
    kept = fee.rules.exclude(on_refund="proportional")
    if payer == CommissionFee.Payer.BUYER and kept.exists():
        raise InvalidInput(
            "payer", _("A fee that the buyer pays goes back in proportion to the refund.")
        )
    return _update(actor, fee, values, FEE_FIELDS, "marketplace.fee.updated")


@transaction.atomic
def delete_fee(*, actor: Any, fee: CommissionFee, expected_version: int | None = None) -> None:
    """Delete a fee that has no rules and never charged an order."""
    fee = lock_row(CommissionFee.objects.all(), pk=fee.pk, expected_version=expected_version)
    if fee.rules.exists() or CommissionCharge.objects.filter(fee=fee).exists():
        raise FeeInUse
    _delete(actor, fee, FEE_FIELDS, "marketplace.fee.deleted")


@transaction.atomic
def create_fee_tax_rate(*, actor: Any, **values: Any) -> FeeTaxRate:
    """Add a row to the taxes on fees."""
    return _create(actor, FeeTaxRate(), values, TAX_FIELDS, "marketplace.fee_tax_rate.created")


@transaction.atomic
def update_fee_tax_rate(
    *, actor: Any, rate: FeeTaxRate, expected_version: int | None = None, **values: Any
) -> FeeTaxRate:
    """Change a row of the taxes on fees; orders already made keep theirs."""
    rate = lock_row(FeeTaxRate.objects.all(), pk=rate.pk, expected_version=expected_version)
    return _update(actor, rate, values, TAX_FIELDS, "marketplace.fee_tax_rate.updated")


@transaction.atomic
def delete_fee_tax_rate(
    *, actor: Any, rate: FeeTaxRate, expected_version: int | None = None
) -> None:
    """Delete a row of the taxes on fees."""
    rate = lock_row(FeeTaxRate.objects.all(), pk=rate.pk, expected_version=expected_version)
    _delete(actor, rate, TAX_FIELDS, "marketplace.fee_tax_rate.deleted")


def _create(
    actor: Any, row: Any, values: dict[str, Any], fields: tuple[str, ...], action: str
) -> Any:
    _assign(row, values, fields)
    row.full_clean()
    row.save()
    audit.record(action, actor=actor, target=row, after=_shown(row, fields))
    return row


def _update(
    actor: Any, row: Any, values: dict[str, Any], fields: tuple[str, ...], action: str
) -> Any:
    before = _shown(row, fields)
    _assign(row, values, fields)
    row.bump()
    row.full_clean()
    row.save()
    audit.record(action, actor=actor, target=row, before=before, after=_shown(row, fields))
    return row


def _delete(actor: Any, row: Any, fields: tuple[str, ...], action: str) -> None:
    audit.record(action, actor=actor, target=row, before=_shown(row, fields))
    row.delete()


def _assign(row: models.Model, values: dict[str, Any], fields: tuple[str, ...]) -> None:
    for field in fields:
        if field in values:
            setattr(row, field, values[field])


def _shown(row: models.Model, fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: getattr(row, field) for field in fields}
