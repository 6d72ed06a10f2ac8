"""Who has open business with an account, for the check that nobody decides for themselves."""

from marketplace.models import Dispute, Order
from marketplace.personal_data import OPEN_STATES


def open_counterparties(account_id: int, among: set[int]) -> set[int]:
    """Return those of some accounts that share an open order or dispute with an account."""
    disputed = Dispute.objects.filter(status=Dispute.Status.OPEN).values("order")
    found: set[int] = set()
    for party, other in (("buyer", "seller"), ("seller", "buyer")):
        shared = Order.objects.filter(**{party: account_id, f"{other}__in": among}).order_by()
        for open_ones in (shared.filter(status__in=OPEN_STATES), shared.filter(pk__in=disputed)):
            found.update(open_ones.values_list(other, flat=True).distinct())
    return found


OPEN_COUNTERPARTIES = [open_counterparties]
