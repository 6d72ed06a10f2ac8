"""The trial balance: what every kind of account held before a period, its turnover, and after."""

from datetime import datetime
from typing import Any

from django.db.models import Q, Sum

from marketplace.models import LedgerEntry


def trial_balance(
    *,
    start: datetime,
    end: datetime,
    seller: int | None = None,
    currency: str | None = None,
) -> list[dict[str, Any]]:
    """Return opening, debit, credit and closing per kind of account and currency.

    Debits are positive and credits negative, so opening and closing add up to zero per currency,
    and so do debit and credit together. With a seller it is the seller's own accounts.
    """
    entries = LedgerEntry.objects.between(None, end)
    if seller is not None:
        entries = entries.filter(account__seller_id=seller)
    if currency:
        entries = entries.filter(currency=currency)
    before, within = (
        Q(transaction__posted_at__lt=start),
        Q(transaction__posted_at__gte=start),
    )
    rows = (
        entries.order_by()
        .values("currency", "account__code")
        .annotate(
            opening=Sum("amount", filter=before, default=0),
            debit=Sum("amount", filter=within & Q(amount__gt=0), default=0),
            credit=Sum("amount", filter=within & Q(amount__lt=0), default=0),
        )
        .order_by("currency", "account__code")
    )
    return [
        {
            "currency": row["currency"],
            "account": row["account__code"],
            "opening": row["opening"],
            "debit": row["debit"],
            "credit": row["credit"],
            "closing": row["opening"] + row["debit"] + row["credit"],
        }
        for row in rows
    ]
