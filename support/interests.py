"""Who has open business with an account, for the check that nobody decides for themselves."""

from support.models import Ticket


def open_counterparties(account_id: int, among: set[int]) -> set[int]:
    """Return those of some accounts whose open ticket the account works on."""
    tickets = Ticket.objects.open().filter(assignee=account_id, requester__in=among)
    return set(tickets.order_by().values_list("requester", flat=True).distinct())


OPEN_COUNTERPARTIES = [open_counterparties]
