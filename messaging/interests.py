"""Who has open business with an account, for the check that nobody decides for themselves."""

from messaging.models import MessageReport


def open_counterparties(account_id: int, among: set[int]) -> set[int]:
    """Return those of some accounts that reported the account, or that it reported."""
    reports = MessageReport.objects.open()
    found: set[int] = set()
    for party, other in (("reporter", "reported"), ("reported", "reporter")):
        mutual = reports.filter(**{party: account_id, f"{other}__in": among})
        found.update(mutual.order_by().values_list(other, flat=True).distinct())
    return found


OPEN_COUNTERPARTIES = [open_counterparties]
