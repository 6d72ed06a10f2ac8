"""Units taken from a product's stock and put back."""

from django.db.models import F, Q

from marketplace.errors import NotForSale, OutOfStock
from marketplace.models import Order, Product
from systemadmin.foundation.errors import NotFound


def reserve(product_id: int, quantity: int) -> None:
    """Take stock by a conditional update: the database itself refuses the sixth of five."""
    taken = (
        Product.objects.filter(pk=product_id, status=Product.Status.APPROVED)
        .filter(Q(stock__isnull=True) | Q(stock__gte=quantity))
        .update(stock=F("stock") - quantity)
    )
    if taken:
        return
    product = Product.objects.filter(pk=product_id).only("status", "stock").first()
    if product is None:
        raise NotFound
    if product.status != Product.Status.APPROVED:
        raise NotForSale(extra={"product": product_id})
    raise OutOfStock(extra={"product": product_id, "stock": product.stock})


def give_back(order: Order) -> None:
    """Put what an unpaid order had taken from stock back."""
    lines = order.lines.filter(has_stock=True).order_by("product_id")
    for product_id, quantity in lines.values_list("product_id", "quantity"):
        restock(product_id, quantity)


def restock(product_id: int, quantity: int) -> None:
    """Add units to a product's stock, where it has one."""
    Product.objects.filter(pk=product_id, stock__isnull=False).update(stock=F("stock") + quantity)
