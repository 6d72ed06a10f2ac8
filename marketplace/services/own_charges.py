"""Changes of the schedule that would charge their own author less: refused, whatever they name."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from marketplace.commission import Fee
from marketplace.fee_comparison import Listing, charges_less
from marketplace.models import Product
from marketplace.services import clock
from marketplace.services.concerned import accounts_with_products
from marketplace.services.schedule import engine_fees, party_of
from systemadmin.services.duties import check_no_own_interest


@contextmanager
def no_less_for_own(*, actor: Any, act: str) -> Iterator[None]:
    """Raise `OwnInterest` where the block makes sales of the actor, or of their accounts, cheaper.

    What counts is what the accounts' listings would be charged before and after, not what the
    changed rules name. Put it around the change, inside its transaction.
    """
    own = accounts_with_products(actor)
    if not own:
        yield
        return
    before = engine_fees()
    yield
    after = engine_fees()
    check_no_own_interest(actor=actor, concerns=_charged_less(own, before, after), act=act)


@contextmanager
def no_lower_tax_for_own(*, actor: Any, act: str) -> Iterator[None]:
    """Raise `OwnInterest` where the block taxes the fees of the actor's own sales less.

    Put it around the change, inside its transaction.
    """
    own = accounts_with_products(actor)
    before = {seller: _tax_of(seller) for seller in own}
    yield
    concerned = [seller for seller in own if _is_lower(before[seller], _tax_of(seller))]
    check_no_own_interest(actor=actor, concerns=concerned, act=act)


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
    """Return what rules can tell apart of the accounts' products; `named` are named by a rule."""
    products = Product.objects.filter(seller__in=own).exclude(status="removed")
    return list(
        dict.fromkeys(
            Listing(
                currency=product.currency,
                seller=product.seller_id,
                category_path=tuple(product.category.path_ids),
                kind=product.kind,
                product=product.pk if product.pk in named else None,
            )
            for product in products.select_related("category").order_by("pk")
        )
    )
