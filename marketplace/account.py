"""The marketplace's corner of the account page."""

from typing import Any

from django.db.models import Count, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace.models import Order, Product
from marketplace.services import seller_balances
from systemadmin.foundation.money import format_money
from systemadmin.foundation.plugins import AccountPanel


def summary(user: Any) -> list[tuple[Any, Any, str | None]]:
    """What the member sells, buys and is owed."""
    products = Product.objects.filter(seller=user).aggregate(
        live=Count("pk", filter=Q(status="approved")),
        waiting=Count("pk", filter=Q(status="pending")),
    )
    sold = Order.objects.filter(seller=user, paid_at__isnull=False)
    bought = Order.objects.filter(buyer=user, paid_at__isnull=False)
    product_list = reverse("admin:marketplace_product_changelist")
    order_list = reverse("admin:marketplace_order_changelist")
    rows: list[tuple[Any, Any, str | None]] = [
        (_("Products on sale"), products["live"], f"{product_list}?seller__id__exact={user.pk}"),
        (_("Waiting for review"), products["waiting"], None),
        (_("Orders sold"), sold.count(), f"{order_list}?seller__id__exact={user.pk}"),
        (_("Orders bought"), bought.count(), f"{order_list}?buyer__id__exact={user.pk}"),
        (
            _("Disputes about sales"),
            sold.filter(disputes__isnull=False).distinct().count(),
            None,
        ),
    ]
    for balance in seller_balances(user.pk):
        money = format_money(balance["balance"], balance["currency"])
        rows.append((_("Balance"), money, None))
    return rows


PANELS = [
    AccountPanel(
        title=gettext_lazy("Marketplace"),
        permission="marketplace.view_order",
        summary=summary,
        order=20,
    )
]
