"""Changes of the schedule that would charge their own author less: refused, whatever they name."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from marketplace.commission import Fee
from marketplace.fee_comparison import Listing, charges_less
from marketplace.models import Order, Product
from marketplace.services import clock
from marketplace.services.concerned import accounts_with_products
from marketplace.services.schedule import engine_fees, party_of
from systemadmin.foundation.context import current
from systemadmin.models import User
from systemadmin.services.duties import check_no_own_interest


@contextmanager
def no_less_for_own(*, actor: Any, act: str) -> Iterator[None]:
    """Raise `OwnInterest` where the block makes sales of the actor, or of their accounts, cheaper.

    What counts is what the accounts' listings would be charged before and after, not what the
    changed rules name. Whoever approves the change counts as the actor does. Put it around the
    change, inside its transaction.
    """
    sellers = {person: accounts_with_products(person) for person in _deciding(actor)}
    if not any(sellers.values()):
        yield
        return
    before = engine_fees()
    yield
    after = engine_fees()
    for person, own in sellers.items():
        check_no_own_interest(actor=person, concerns=_charged_less(own, before, after), act=act)


@contextmanager
def no_lower_tax_for_own(*, actor: Any, act: str) -> Iterator[None]:
    """Raise `OwnInterest` where the block taxes the fees of the actor's own sales less.

    Put it around the change, inside its transaction.
    """
    sellers = {person: accounts_with_products(person) for person in _deciding(actor)}
    before = {seller: _tax_of(seller) for own in sellers.values() for seller in own}
    yield
    for person, own in sellers.items():
        lower = [seller for seller in own if _is_lower(before[seller], _tax_of(seller))]
        check_no_own_interest(actor=person, concerns=lower, act=act)


def _deciding(actor: Any) -> list[Any]:
    """Return whoever acts and, where a second person approves, that person."""
    approver = User.objects.filter(pk=current().approver_id).first()
    return [one for one in (actor, approver) if one is not None]


def _tax_of(seller: int) -> int | None:
    """Return the tax on the seller's fees in parts per million; None where each rule says it."""
    party = party_of(seller, None)
    return 0 if party.is_reverse_charge else party.tax_ppm


def _is_lower(before: int | None, after: int | None) -> bool:
    if before == after:
        return False
    return before is None or after is None or after < before


def _charged_less(own: Sequence[int], before: list[Fee], after: list[Fee]) -> list[int]:
    """Return the first account whose sales would cost less; an empty list where none does."""
    if before == after:
        return []
    rules = [rule for fee in (*before, *after) for rule in fee.rules]
    named = {pk for rule in rules for pk in rule.conditions.products or ()}
    parties = {seller: party_of(seller, [*before, *after]) for seller in own}
    for listing in _listings(own, named):
        if charges_less(before, after, listing, parties[listing.seller], clock.now()):
            return [listing.seller]
    return []


def _listings(own: Sequence[int], named: set[int]) -> list[Listing]:
    """Return what rules can tell apart of the accounts' products; `named` are named by a rule.

    An imported order may have another currency than its product, and may be of a removed one.
    """
    products = Product.objects.filter(seller__in=own)
    sold = Order.objects.filter(seller__in=own).order_by()
    currencies: dict[int, set[str]] = {}
    for rows in (products.order_by(), sold):
        for seller, currency in rows.values_list("seller", "currency").distinct():
            currencies.setdefault(seller, set()).add(currency)
    return list(
        dict.fromkeys(
            Listing(
                currency=currency,
                seller=product.seller_id,
                category_path=tuple(product.category.path_ids),
                kind=product.kind,
                product=product.pk if product.pk in named else None,
            )
            for product in products.select_related("category").order_by("pk")
            for currency in sorted(currencies[product.seller_id])
        )
    )
