"""The marketplace's corner of the account page."""

import re
from typing import Any, Final

from django.db.models import Count, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace.models import Order, Product
from marketplace.services import seller_balances
from systemadmin.foundation.display import display_name
from systemadmin.foundation.money import format_money
from systemadmin.foundation.plugins import AccountDealings, AccountPanel, Dealing

SHOWN: Final = 4
_MOST_TEXT: Final = 4000
_MOST_WORDS: Final = 60
# A number of an order, or the platform's own id of it; the largest key has 18 digits. A short one
# without the sign is a count or a price.
_NUMBER: Final = re.compile(
    r"(?:#([1-9]\d{0,17})|(?<![\w.,#])([1-9]\d{2,17}))(?![\w]|[.,]\d)", re.ASCII
)
_WORD: Final = re.compile(r"(?<![\w-])[\w-]*\d[\w-]*", re.ASCII)
_TONES: Final = {
    Order.Status.RESERVED: "",
    Order.Status.PAID: "info",
    Order.Status.COMPLETED: "good",
    Order.Status.DISPUTED: "bad",
    Order.Status.REFUNDED: "warn",
    Order.Status.CANCELLED: "",
    Order.Status.EXPIRED: "",
}


def summary(user: Any) -> list[tuple[Any, Any, str | None]]:
    """Return what the member sells, buys and is owed."""
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


def orders_of(user: Any, text: str, viewer: Any) -> list[Dealing]:
    """Return the member's orders that a text names by number, or else the newest, with money."""
    found = _named_orders(user, text)
    rows = found or _newest_orders(user)
    return [_dealing(order, user, viewer, is_named=bool(found)) for order in rows]


def _named_orders(user: Any, text: str) -> list[Order]:
    text = text[:_MOST_TEXT]
    found = [int(signed or bare) for signed, bare in _NUMBER.findall(text)]
    numbers = list(dict.fromkeys(found))[:_MOST_WORDS]
    words = list(dict.fromkeys(_WORD.findall(text)))[:_MOST_WORDS]
    if not words:
        return []
    named = Q(pk__in=numbers) | Q(external_id__in=words)
    # Somebody else's order is never offered, whatever number is written.
    return list(Order.objects.of_member(user).filter(named).with_lines().order_by("-id")[:SHOWN])


def _newest_orders(user: Any) -> list[Order]:
    # One list by each index: together they would read all orders of somebody who sells a lot.
    sides = [
        Order.objects.filter(**{side: user}).order_by("-id").values_list("pk", flat=True)[:SHOWN]
        for side in ("buyer", "seller")
    ]
    newest = sorted({pk for side in sides for pk in side}, reverse=True)[:SHOWN]
    return list(Order.objects.filter(pk__in=newest).with_lines().order_by("-id"))


def _goods(order: Order) -> str:
    """Return the first line of an order, and how many others there are."""
    lines = list(order.lines.all())
    if not lines:
        return ""
    return f"{lines[0]}" + (f" +{len(lines) - 1}" if len(lines) > 1 else "")


def _dealing(order: Order, user: Any, viewer: Any, *, is_named: bool) -> Dealing:
    url = reverse("admin:marketplace_order_change", args=[order.pk])
    is_purchase = order.buyer_id == user.pk
    other = order.seller if is_purchase else order.buyer
    rows: list[tuple[Any, Any]] = [
        (_("Bought") if is_purchase else _("Sold"), _goods(order)),
        (_("Seller") if is_purchase else _("Buyer"), display_name(other) if other else "–"),
    ]
    if order.refunded:
        rows.append((_("Refunded"), format_money(order.refunded, order.currency)))
    acts = []
    if order.paid_at and order.refundable > 0 and viewer.has_perm("marketplace.refund_order"):
        acts.append((_("Refund…"), f"{url}?open=refund"))
    return Dealing(
        title=str(order) + (f" · {order.external_id}" if order.external_id else ""),
        url=url,
        state=order.get_status_display(),
        tone=_TONES.get(Order.Status(order.status), ""),
        amount=format_money(order.total, order.currency),
        rows=rows,
        acts=acts,
        is_named=is_named,
    )


DEALINGS = [
    AccountDealings(
        title=gettext_lazy("Recent orders"),
        named_title=gettext_lazy("Order of this ticket"),
        icon="package",
        permission="marketplace.view_order",
        find=orders_of,
        order=10,
    )
]

PANELS = [
    AccountPanel(
        title=gettext_lazy("Marketplace"),
        permission="marketplace.view_order",
        summary=summary,
        order=20,
    )
]
