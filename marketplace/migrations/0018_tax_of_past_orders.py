"""Sum up the included tax of orders that were made before they kept it."""

from typing import Any

from django.db import migrations
from django.db.models import OuterRef, Subquery, Sum


def sum_up(apps: Any, schema_editor: Any) -> None:
    """Write each order's tax where its lines have some."""
    order, line = apps.get_model("marketplace", "Order"), apps.get_model("marketplace", "OrderLine")
    taxed = line.objects.filter(tax_included__gt=0).values("order_id")
    sums = (
        line.objects.filter(order_id=OuterRef("pk"))
        .order_by()
        .values("order_id")
        .annotate(tax=Sum("tax_included"))
        .values("tax")
    )
    order.objects.filter(pk__in=taxed).update(tax_included=Subquery(sums))


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0017_discounts_of_orders")]

    operations = [migrations.RunPython(sum_up, migrations.RunPython.noop)]
