"""Who has open business with an account, for the check that nobody decides for themselves."""

from marketplace.models import Dispute, Order
from marketplace.personal_data import OPEN_STATES


def open_counterparties(account_id: int) -> set[int]:
    """Return the other parties of the open orders and open disputes of an account."""
    orders = Order.objects.of_member(account_id)
    disputed = Dispute.objects.filter(status=Dispute.Status.OPEN).values("order")
    found: set[int] = set()
    for chosen in (orders.filter(status__in=OPEN_STATES), orders.filter(pk__in=disputed)):
        for parties in chosen.order_by().values_list("buyer", "seller").distinct():
            found.update(parties)
    return found - {account_id}


OPEN_COUNTERPARTIES = [open_counterparties]
