"""Writes of the fees of the schedule and of the taxes on them."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.errors import FeeInUse
from marketplace.models import CommissionCharge, CommissionFee, FeeTaxRate
from marketplace.services.own_charges import no_less_for_own, no_lower_tax_for_own
from marketplace.services.rule_checks import ON_TOP_GOES_BACK, ON_TOP_WAYS, ON_TOP_WHOLE
from marketplace.services.rule_policies import is_charging
from systemadmin.audited_rows import delete_audited, save_audited
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.services.second_person import Attempt, Subject, needs_second_person

FEE_FIELDS = ("code", "name", "position", "combine", "payer", "is_active")
# What it takes to decide about fees, where the refusal says who may.
_RULES = "marketplace.update_commission_rule"
TAX_FIELDS = ("country", "tax_status", "ppm", "is_reverse_charge")


# Of a fee, what decides what people pay.
_DECIDES = ("combine", "payer", "is_active")
_ONCE_CHARGED = _("once a fee was charged")


def _values_before(*, fee: CommissionFee, **_rest: Any) -> list[Any]:
    stored = CommissionFee.objects.get(pk=fee.pk)
    return [getattr(stored, name) for name in _DECIDES]


def _changes_charges(attempt: Attempt) -> bool:
    now = [getattr(attempt.result, name) for name in _DECIDES]
    return now != attempt.before and attempt.result.rules.exists() and is_charging()


def _rate_before(*, rate: FeeTaxRate, **_rest: Any) -> list[Any]:
    stored = FeeTaxRate.objects.get(pk=rate.pk)
    return [getattr(stored, name) for name in TAX_FIELDS]


def _changes_tax(attempt: Attempt) -> bool:
    now = [getattr(attempt.result, name) for name in TAX_FIELDS]
    return now != attempt.before and is_charging()


def _shown(**arguments: Any) -> list[tuple[Any, Any]]:
    """Return the row as it is, and what it would be."""
    row = arguments.get("rate") or arguments.get("fee")
    names = FEE_FIELDS if "fee" in arguments else TAX_FIELDS
    meta: Any = (CommissionFee if "fee" in arguments else FeeTaxRate)._meta
    shown: list[tuple[Any, Any]] = []
    for name in names:
        label = meta.get_field(name).verbose_name
        if row is not None:
            shown.append((label, getattr(row, name)))
        if name in arguments:
            shown.append((_("new: %(name)s") % {"name": label}, arguments[name]))
    return shown


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


@needs_second_person(
    "marketplace.update_fee",
    kind="fees",
    title=_("Change who pays a fee, or switch it"),
    permission="marketplace.change_commissionfee",
    rule=_("once a fee was charged: how it adds up, who pays it, whether it is charged"),
    needs=_changes_charges,
    subject=lambda attempt: attempt.arguments["fee"],
    before=_values_before,
    shown=_shown,
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
    with no_less_for_own(actor=actor, act=_RULES):
        return save_audited(
            fee,
            values,
            actor=actor,
            action="marketplace.fee.updated",
            fields=FEE_FIELDS,
            whole=True,
        )


@transaction.atomic
def delete_fee(*, actor: Any, fee: CommissionFee, expected_version: int | None = None) -> None:
    """Delete a fee that has no rules and never charged an order."""
    fee = lock_row(CommissionFee.objects.all(), pk=fee.pk, expected_version=expected_version)
    charged = CommissionCharge.objects.filter(fee=fee).exists() or fee.payout_charges.exists()
    if fee.rules.exists() or charged:
        raise FeeInUse
    delete_audited(fee, actor=actor, action="marketplace.fee.deleted", fields=FEE_FIELDS)


@needs_second_person(
    "marketplace.create_fee_tax_rate",
    kind="fees",
    title=_("Add a tax on fees"),
    permission="marketplace.add_feetaxrate",
    rule=_ONCE_CHARGED,
    needs=lambda _attempt: is_charging(),
    subject=lambda attempt: Subject(
        type="fee_tax_rate", id=str(attempt.result), name=str(attempt.result)
    ),
    shown=_shown,
)
@transaction.atomic
def create_fee_tax_rate(*, actor: Any, **values: Any) -> FeeTaxRate:
    """Add a row to the taxes on fees."""
    with no_lower_tax_for_own(actor=actor, act=_RULES):
        return save_audited(
            FeeTaxRate(),
            values,
            actor=actor,
            action="marketplace.fee_tax_rate.created",
            fields=TAX_FIELDS,
            whole=True,
        )


@needs_second_person(
    "marketplace.update_fee_tax_rate",
    kind="fees",
    title=_("Change a tax on fees"),
    permission="marketplace.change_feetaxrate",
    rule=_ONCE_CHARGED,
    needs=_changes_tax,
    subject=lambda attempt: attempt.arguments["rate"],
    before=_rate_before,
    shown=_shown,
)
@transaction.atomic
def update_fee_tax_rate(
    *, actor: Any, rate: FeeTaxRate, expected_version: int | None = None, **values: Any
) -> FeeTaxRate:
    """Change a row of the taxes on fees; orders already made keep theirs."""
    rate = lock_row(FeeTaxRate.objects.all(), pk=rate.pk, expected_version=expected_version)
    with no_lower_tax_for_own(actor=actor, act=_RULES):
        return save_audited(
            rate,
            values,
            actor=actor,
            action="marketplace.fee_tax_rate.updated",
            fields=TAX_FIELDS,
            whole=True,
        )


@needs_second_person(
    "marketplace.delete_fee_tax_rate",
    kind="fees",
    title=_("Delete a tax on fees"),
    permission="marketplace.delete_feetaxrate",
    rule=_ONCE_CHARGED,
    needs=lambda _attempt: is_charging(),
    subject=lambda attempt: attempt.arguments["rate"],
    shown=_shown,
)
@transaction.atomic
def delete_fee_tax_rate(
    *, actor: Any, rate: FeeTaxRate, expected_version: int | None = None
) -> None:
    """Delete a row of the taxes on fees."""
    rate = lock_row(FeeTaxRate.objects.all(), pk=rate.pk, expected_version=expected_version)
    with no_lower_tax_for_own(actor=actor, act=_RULES):
        delete_audited(
            rate, actor=actor, action="marketplace.fee_tax_rate.deleted", fields=TAX_FIELDS
        )
