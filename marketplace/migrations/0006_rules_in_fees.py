"""Put the rules there are into one fee, copy what past lines were charged, split past refunds."""

from django.db import migrations
from django.db.models import Case, F, When


def one_fee_for_all_rules(apps, schema_editor):
    """Put the rules there are into one fee, and copy what past lines were charged."""
    fees = apps.get_model("marketplace", "CommissionFee")
    rules = apps.get_model("marketplace", "CommissionRule")
    fee, _created = fees.objects.get_or_create(
        code="commission", defaults={"name": "Commission", "position": 1}
    )
    rules.objects.filter(fee__isnull=True).update(fee=fee)
    _copy_charges(apps, fee)
    _split_refunds(apps)


def _copy_charges(apps, fee):
    lines = apps.get_model("marketplace", "CommissionLine")
    charges = apps.get_model("marketplace", "CommissionCharge")
    charged = lines.objects.exclude(amount=0).select_related("line", "rule")
    batch = []
    for number, one in enumerate(charged.order_by("pk").iterator(chunk_size=2000), start=1):
        batch.append(
            charges(
                line_id=one.line_id,
                group=number,
                fee=fee,
                fee_name=fee.name,
                payer="seller",
                rule_id=one.rule_id,
                rule_version=one.rule_version,
                base=one.base,
                base_shipping=min(one.base, one.line.shipping)
                if one.rule is None or one.rule.include_shipping
                else 0,
                amount=one.amount,
                tax=one.tax,
                refundable=one.refundable,
                terms={
                    "on_refund": "proportional",
                    "refund_fee_ppm": one.refund_fee_ppm,
                    "refund_fee_maximum": one.refund_fee_maximum,
                },
                reversed_amount=one.line.refunded_commission,
                reversed_tax=one.line.refunded_tax,
            )
        )
        if len(batch) == 2000:
            charges.objects.bulk_create(batch)
            batch = []
    charges.objects.bulk_create(batch)


def _split_refunds(apps):
    """Say how much of a line's past refunds was shipping, and which units came back."""
    refunded = apps.get_model("marketplace", "OrderLine").objects.filter(refunded__gt=0)
    refunded.update(
        refunded_shipping=Case(
            When(refunded=F("total"), then=F("shipping")),
            default=F("refunded") * F("shipping") / F("total"),
        ),
        refunded_quantity=Case(When(refunded=F("total"), then=F("quantity")), default=0),
    )


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0005_fee_schedules")]

    operations = [migrations.RunPython(one_fee_for_all_rules, migrations.RunPython.noop)]
