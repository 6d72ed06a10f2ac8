"""Who has met whom here: plugged in where members see one another."""

from collections.abc import Callable, Collection

from marketplace.models import Order, Product


def have_ordered(member_id: int, others: Collection[int]) -> set[int]:
    """Return which of these accounts share an order with the member."""
    bought = Order.objects.filter(buyer_id=member_id, seller_id__in=others)
    sold = Order.objects.filter(seller_id=member_id, buyer_id__in=others)
    return {
        *bought.values_list("seller_id", flat=True).distinct(),
        *sold.values_list("buyer_id", flat=True).distinct(),
    }


def sell_in_public(others: Collection[int]) -> set[int]:
    """Return which of these accounts have a product on sale, with their user name beside it."""
    rows = Product.objects.public().filter(seller_id__in=others)
    return set(rows.values_list("seller_id", flat=True).distinct())


MET: list[Callable[[int, Collection[int]], set[int]]] = [have_ordered]
PUBLIC: list[Callable[[Collection[int]], set[int]]] = [sell_in_public]
