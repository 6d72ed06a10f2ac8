"""Whom a decision of the desk concerns: the accounts that may not take it themselves."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from marketplace.journal_templates import Line
from marketplace.models import (
    Category,
    CommissionRule,
    Dispute,
    JournalEntry,
    Order,
    Payout,
    PayoutBatch,
    Product,
    ProductRevision,
)
from marketplace.querysets.payouts import waiting_for_a_file
from systemadmin.models import User
from systemadmin.services.duties import accounts_of


def seller_of_product(*, product: Product, **_rest: Any) -> list[int]:
    """Return whose product it is."""
    return [product.seller_id]


def seller_of_revision(*, revision: ProductRevision, **_rest: Any) -> list[int]:
    """Return whose product is edited."""
    return [revision.product.seller_id]


def seller_if_moderated(*, product: Product, by_moderator: bool = False, **_rest: Any) -> list[int]:
    """Return the seller where the edit passes without a review."""
    return [product.seller_id] if by_moderator else []


def seller_unless_own(*, actor: User, product: Product, **_rest: Any) -> list[int]:
    """Return the seller; sellers themselves pause, resume and remove by the rules for sellers."""
    return [] if actor.pk == product.seller_id else [product.seller_id]


def sellers_of_rule(
    *, rule: CommissionRule | None = None, actor: Any = None, **values: Any
) -> set[int]:
    """Return for whom alone a commission rule holds, before and after; nobody where for all.

    A rule for categories holds for the actor where nobody else has products in them.
    """
    named = [one.pk for one in values.get("sellers", ())]
    named += [one.seller_id for one in values.get("products", ())]
    if rule is not None and rule.pk:
        named += rule.sellers.values_list("pk", flat=True)
        named += rule.products.values_list("seller", flat=True)
    own = accounts_with_products(actor)
    if own:
        named += _alone_in(values.get("categories", ()), own)
        if rule is not None and rule.pk:
            named += _alone_in(rule.categories.all(), own)
    return set(named)


def sellers_of_rules(*, actor: Any, rules: Iterable[CommissionRule]) -> set[int]:
    """Return for whom alone any of these stored rules holds."""
    ids = [rule.pk for rule in rules]
    stored = CommissionRule.objects.filter(pk__in=ids)
    named = {
        *stored.filter(sellers__isnull=False).values_list("sellers", flat=True),
        *stored.filter(products__isnull=False).values_list("products__seller", flat=True),
    }
    own = accounts_with_products(actor)
    if own:
        for rule in stored.filter(categories__isnull=False).distinct():
            named.update(_alone_in(rule.categories.all(), own))
    return named


def accounts_with_products(actor: Any) -> list[int]:
    """Return which accounts of the actor's have products, or had some."""
    if actor is None:
        return []
    found = Product.objects.filter(seller__in=accounts_of(actor.pk))
    return list(found.order_by().values_list("seller", flat=True).distinct())


def _alone_in(categories: Iterable[Category], own: Sequence[int]) -> list[int]:
    """Return the accounts if all products in the categories, and below them, are theirs."""
    sold = sold_in(list(categories))
    if sold.exclude(seller__in=own).exists():
        return []
    return list(own) if sold.exists() else []


def sold_in(categories: Iterable[Category]) -> QuerySet[Product]:
    """Return the products in the categories, or below them."""
    below = Category.objects.none()
    for category in categories:
        below |= Category.objects.filter(path__startswith=category.path)
    return Product.objects.filter(category__in=below).exclude(status="removed")


def parties(*, order: Order, **_rest: Any) -> list[int]:
    """Return the ids of the order's buyer and seller."""
    return [order.buyer_id, order.seller_id]


def parties_unless_buyer_confirms(
    *, actor: User, order: Order, as_member: bool = False, **_rest: Any
) -> list[int]:
    """Return buyer and seller; the buyer confirms the receipt as a member."""
    return [] if as_member and actor.pk == order.buyer_id else parties(order=order)


def parties_unless_seller_refunds(
    *, actor: User, order: Order, as_member: bool = False, **_rest: Any
) -> list[int]:
    """Return buyer and seller; the seller gives a sale back as a member."""
    return [] if as_member and actor.pk == order.seller_id else parties(order=order)


def parties_unless_theirs(*, actor: User, order: Order, **_rest: Any) -> list[int]:
    """Return buyer and seller; each of them may cancel an unpaid order."""
    both = parties(order=order)
    return [] if actor.pk in both else both


def parties_of_dispute(*, dispute: Dispute, **_rest: Any) -> list[int]:
    """Return buyer and seller of the disputed order."""
    return parties(order=dispute.order)


def parties_if_internal(*, dispute: Dispute, is_internal: bool = False, **_rest: Any) -> list[int]:
    """Return buyer and seller for a note that only staff read; both may write to each other."""
    return parties_of_dispute(dispute=dispute) if is_internal else []


def paid_seller(*, seller: User, **_rest: Any) -> list[int]:
    """Return who would be paid."""
    return [seller.pk]


def seller_of_payout(*, payout: Payout, **_rest: Any) -> list[int]:
    """Return the id of the seller whom the payout pays."""
    return [payout.seller_id]


def parties_of_entry(
    *,
    lines: Sequence[Line],
    seller: User | None = None,
    order: Order | None = None,
    payout: Payout | None = None,
    **_rest: Any,
) -> list[int | None]:
    """Return whose balance an entry by hand moves, and whom it is about."""
    ids: list[int | None] = [line.seller_id for line in lines]
    if seller is not None:
        ids.append(seller.pk)
    if payout is not None:
        ids.append(payout.seller_id)
    return [*ids, *(parties(order=order) if order else [])]


def parties_of_stored_entry(*, entry: JournalEntry, **_rest: Any) -> list[int | None]:
    """Return whose balance the reversal of an entry moves, and whom it is about."""
    return parties_of_entry(
        lines=[Line(row.account, row.amount, row.seller_id) for row in entry.lines.all()],
        seller=entry.seller,
        order=entry.order,
        payout=entry.payout,
    )


def sellers_of_pending_payouts(*, currency: str, **_rest: Any) -> list[int]:
    """Return who would be paid by a new batch."""
    waiting = waiting_for_a_file().filter(currency=currency)
    return list(waiting.order_by().values_list("seller_id", flat=True).distinct())


def sellers_of_batch(*, batch: PayoutBatch, **_rest: Any) -> list[int]:
    """Return whom a batch pays."""
    return list(batch.payouts.order_by().values_list("seller_id", flat=True).distinct())
