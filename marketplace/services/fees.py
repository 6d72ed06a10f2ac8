"""Writes of the fees of the schedule and of the taxes on them."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.errors import FeeInUse
from marketplace.models import CommissionCharge, CommissionFee, FeeTaxRate
from marketplace.services.rule_checks import ON_TOP_GOES_BACK, ON_TOP_WAYS, ON_TOP_WHOLE
from systemadmin.audited_rows import delete_audited, save_audited
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput

FEE_FIELDS = ("code", "name", "position", "combine", "payer", "is_active")
TAX_FIELDS = ("country", "tax_status", "ppm", "is_reverse_charge")


@transaction.atomic
def create_fee(*, actor: Any, **values: Any) -> CommissionFee:
    """Add a fee; it charges nothing until it has rules."""
    return save_audited(
        CommissionFee(),
        values,
        actor=actor,
        action="marketplace.fee.created",
        fields=FEE_FIELDS,
        whole=True,
    )


@transaction.atomic
def update_fee(
    *, actor: Any, fee: CommissionFee, expected_version: int | None = None, **values: Any
) -> CommissionFee:
    """Change a fee; orders already made keep what they were charged."""
    fee = lock_row(CommissionFee.objects.all(), pk=fee.pk, expected_version=expected_version)
    payer = values.get("payer", fee.payer)
    others = fee.rules.exclude(on_refund__in=ON_TOP_WAYS, **ON_TOP_WHOLE)
    if payer == CommissionFee.Payer.BUYER and others.exists():
        raise InvalidInput("payer", ON_TOP_GOES_BACK)
    if payer == CommissionFee.Payer.BUYER and fee.rules.filter(per="payout").exists():
        raise InvalidInput("payer", _("Buyers pay no fees per payout."))
    return save_audited(
        fee, values, actor=actor, action="marketplace.fee.updated", fields=FEE_FIELDS, whole=True
    )


@transaction.atomic
def delete_fee(*, actor: Any, fee: CommissionFee, expected_version: int | None = None) -> None:
    """Delete a fee that has no rules and never charged an order."""
    fee = lock_row(CommissionFee.objects.all(), pk=fee.pk, expected_version=expected_version)
    charged = CommissionCharge.objects.filter(fee=fee).exists() or fee.payout_charges.exists()
    if fee.rules.exists() or charged:
        raise FeeInUse
    delete_audited(fee, actor=actor, action="marketplace.fee.deleted", fields=FEE_FIELDS)


@transaction.atomic
def create_fee_tax_rate(*, actor: Any, **values: Any) -> FeeTaxRate:
    """Add a row to the taxes on fees."""
    return save_audited(
        FeeTaxRate(),
        values,
        actor=actor,
        action="marketplace.fee_tax_rate.created",
        fields=TAX_FIELDS,
        whole=True,
    )


@transaction.atomic
def update_fee_tax_rate(
    *, actor: Any, rate: FeeTaxRate, expected_version: int | None = None, **values: Any
) -> FeeTaxRate:
    """Change a row of the taxes on fees; orders already made keep theirs."""
    rate = lock_row(FeeTaxRate.objects.all(), pk=rate.pk, expected_version=expected_version)
    return save_audited(
        rate,
        values,
        actor=actor,
        action="marketplace.fee_tax_rate.updated",
        fields=TAX_FIELDS,
        whole=True,
    )


@transaction.atomic
def delete_fee_tax_rate(
    *, actor: Any, rate: FeeTaxRate, expected_version: int | None = None
) -> None:
    """Delete a row of the taxes on fees."""
    rate = lock_row(FeeTaxRate.objects.all(), pk=rate.pk, expected_version=expected_version)
    delete_audited(rate, actor=actor, action="marketplace.fee_tax_rate.deleted", fields=TAX_FIELDS)
