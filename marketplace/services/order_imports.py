"""Orders that happened elsewhere: written as ours are, many at once, each of them once.

The platform's checkout took the money and the stock. Commissions, books, risk and disputes work
as for orders that were made here.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from marketplace.commission import Fee
from marketplace.errors import (
    AmountMismatch,
    ImportedDifferently,
    ImportRefused,
    OwnProduct,
    PaymentReferenceUsed,
)
from marketplace.imported_orders import (
    ImportedLine,
    ImportedOrder,
    as_it_became,
    external_id_in,
    first_difference,
    parse_order,
)
from marketplace.models import Order, OrderLine, Product
from marketplace.services import clock, ledger, risk
from marketplace.services.announcements import steps_of
from marketplace.services.holds import extend_holds
from marketplace.services.import_limits import PaymentsByHand
from marketplace.services.ledger import Code, Leg, Posting
from marketplace.services.order_creation import Item, lines_of, quote_line, write_lines
from marketplace.services.orders import completion_legs
from marketplace.services.quotes import QuotedLine, quote_order
from marketplace.services.schedule import engine_fees
from systemadmin import audit
from systemadmin.errors import OwnInterest
from systemadmin.foundation.errors import (
    DomainError,
    FieldError,
    InvalidInput,
    NotAllowed,
    field_error,
)
from systemadmin.foundation.references import keys_of
from systemadmin.models import User
from systemadmin.services.duties import accounts_of
from systemadmin.services.event_log import publish_events

logger = logging.getLogger("atalaya.marketplace")

MOST_ROWS: Final = 1000
# How long the platform may take to tell of the payment.
WAITS: Final = timedelta(days=90)
PAY: Final = "marketplace.pay_order"
COMPLETE: Final = "marketplace.complete_order"

# What an order that is sent again is compared with.
TOLD: Final = (
    "external_id", "imported", "total", "payment_reference", "paid_at", "completed_at",
)  # fmt: skip


@dataclass(slots=True)
class Imported:
    """What became of one row: `created`, `known`, or `refused` with the reason."""

    index: int
    external_id: str = ""
    order_id: int | None = None
    refusal: DomainError | None = None
    is_new: bool = False

    @property
    def status(self) -> str:
        """Return it in one word."""
        return "refused" if self.refusal else "created" if self.is_new else "known"


@dataclass(slots=True)
class _Draft:
    """A row on its way to an order."""

    result: Imported
    given: ImportedOrder
    order: Order
    lines: list[OrderLine]
    quoted: list[QuotedLine]


def import_orders(
    *, actor: User | None, rows: Sequence[Any], is_published: bool = True
) -> list[Imported]:
    """Write orders that happened elsewhere; the result of each row, in order.

    The same order again is known; with other facts it is refused, and so is a row that is wrong
    in itself. No row holds up another. `actor` needs the permission to record payments for rows
    that are paid. `is_published`: say so in the event log, too.
    """
    results = [Imported(index) for index in range(len(rows))]
    pairs: list[tuple[Imported, ImportedOrder]] = []
    for result, row in zip(results, rows, strict=True):
        try:
            one = parse_order(row)
            result.external_id = one.external_id
            _check_rights(actor, one)
            pairs.append((result, one))
        except DomainError as refusal:
            result.refusal = refusal
            result.external_id = external_id_in(row)
    writer = _Writer(actor, is_published)
    # The second of two rows with one id is compared with the first.
    first: dict[str, tuple[Imported, ImportedOrder]] = {}
    again = [pair for pair in pairs if first.setdefault(pair[1].external_id, pair) is not pair]
    writer.write(list(first.values()))
    writer.write(again)
    return results


def import_order(*, actor: User | None, row: Any) -> tuple[Order, bool]:
    """Write one order that happened elsewhere; return it, and whether it is new."""
    (result,) = import_orders(actor=actor, rows=[row])
    if result.refusal:
        raise result.refusal
    return Order.objects.get(pk=result.order_id), result.is_new


def _found(products: Sequence[Product | None]) -> tuple[list[Product], list[FieldError]]:
    """Return the products of the lines, and what is wrong with those that are missing or twice."""
    goods: list[Product] = []
    faults: list[FieldError] = []
    for number, product in enumerate(products):
        name = f"lines.{number}.product"
        if product is None:
            faults.append(field_error(name, _("There is no such product."), "does_not_exist"))
        elif product in goods:
            faults.append(field_error(name, _("Name each product once.")))
        else:
            goods.append(product)
    return goods, faults


def _about(field: str, refusal: type[DomainError]) -> FieldError:
    """Return the usual sentence of a refusal as what is wrong with a field."""
    return field_error(field, refusal.default_detail, refusal.code)


def _check_rights(actor: User | None, one: ImportedOrder) -> None:
    if actor is None:
        return
    if one.paid_at and not actor.has_perm(PAY):
        raise NotAllowed(extra={"permissions": [PAY]})
    if one.completed_at and not actor.has_perm(COMPLETE):
        raise NotAllowed(extra={"permissions": [COMPLETE]})


class _Writer:
    """Writes the rows of one call; what all of them need is read once."""

    def __init__(self, actor: User | None, is_published: bool) -> None:
        self.actor, self.is_published = actor, is_published
        self.own = accounts_of(actor.pk) if actor is not None else set[int]()
        self.fees: list[Fee] = engine_fees()
        # What an order is charged may depend on the ones before it.
        self.is_counting = any(rule.volume for fee in self.fees for rule in fee.rules)

    def write(self, pairs: Sequence[tuple[Imported, ImportedOrder]]) -> None:
        """Write all at once, or one by one where something else gets in between."""
        size = 1 if self.is_counting else MOST_ROWS
        for start in range(0, len(pairs), size):
            part = pairs[start : start + size]
            try:
                self._write(part)
            except (IntegrityError, DomainError) as error:
                if len(part) > 1:
                    for pair in part:
                        if pair[0].refusal is None:
                            self._write_alone(pair)
                else:
                    self._refuse(part[0], error)

    def _write_alone(self, pair: tuple[Imported, ImportedOrder]) -> None:
        try:
            self._write([pair])
        except (IntegrityError, DomainError) as error:
            self._refuse(pair, error)

    def _refuse(self, pair: tuple[Imported, ImportedOrder], error: Exception) -> None:
        result, given = pair
        if isinstance(error, DomainError):
            result.refusal = error
        elif self._unknown([pair]):  # nobody else wrote it meanwhile
            used = given.reference and Order.objects.filter(payment_reference=given.reference)
            if used and used.exists():
                result.refusal = PaymentReferenceUsed(
                    errors=[_about("payment.reference", PaymentReferenceUsed)],
                    extra={"reference": given.reference},
                )
            else:
                logger.error("the database refused an imported order", exc_info=error)
                result.refusal = ImportRefused()

    @transaction.atomic
    def _write(self, pairs: Sequence[tuple[Imported, ImportedOrder]]) -> None:
        payments = PaymentsByHand(self.actor)
        drafts = self._drafts(self._unknown(pairs), payments)
        if not drafts:
            return
        orders = Order.objects.bulk_create([draft.order for draft in drafts])
        write_lines((draft.order, draft.lines, draft.quoted) for draft in drafts)
        for order, draft in zip(orders, drafts, strict=True):
            order.created_at = draft.given.ordered_at
        Order.objects.bulk_update(orders, ["created_at"])
        self._post(drafts)
        self._tell(drafts)
        payments.keep()
        for draft in drafts:
            draft.result.order_id, draft.result.is_new = draft.order.pk, True

    def _unknown(
        self, pairs: Sequence[tuple[Imported, ImportedOrder]]
    ) -> list[tuple[Imported, ImportedOrder]]:
        """Mark rows whose order is there, and return the others."""
        names = [one.external_id for _result, one in pairs]
        rows = Order.objects.filter(external_id__in=names).only(*TOLD)
        found = {order.external_id: order for order in rows}
        left = []
        for result, one in pairs:
            order = found.get(one.external_id)
            if order is None:
                left.append((result, one))
                continue
            result.order_id, told = order.pk, one.facts()
            field = first_difference(told, as_it_became(order, told))
            if field is not None:
                result.refusal = ImportedDifferently(field, order=result.order_id)
        return left

    def _drafts(
        self, pairs: Sequence[tuple[Imported, ImportedOrder]], payments: PaymentsByHand
    ) -> list[_Draft]:
        buyers = keys_of({one.buyer for _result, one in pairs}, User)
        products = keys_of({line.product for _r, one in pairs for line in one.lines}, Product)
        people = User.objects.in_bulk(set(buyers.values()))
        goods = Product.objects.select_related("category").in_bulk(set(products.values()))
        drafts = []
        for result, one in pairs:
            try:
                chosen = [goods.get(products[line.product]) for line in one.lines]
                draft = self._draft(result, one, people.get(buyers[one.buyer]), chosen)
                if one.paid_at:
                    payments.add(draft.order)
                drafts.append(draft)
            except DomainError as refusal:
                result.refusal = refusal
        return drafts

    def _draft(
        self,
        result: Imported,
        given: ImportedOrder,
        buyer: User | None,
        products: Sequence[Product | None],
    ) -> _Draft:
        goods = self._checked(buyer, products)
        quoted = quote_order(
            currency=given.currency,
            lines=[
                quote_line(product, _item(one, product))
                for one, product in zip(given.lines, goods, strict=True)
            ],
            seller_id=goods[0].seller_id,
            buyer_id=buyer.pk if buyer else None,
            at=given.ordered_at,
            fees=self.fees,
        )
        if sum(one.total for one in quoted) < 1:
            raise InvalidInput("lines", _("The buyer pays nothing for this order."))
        order = _order(given, buyer, goods[0].seller_id)
        lines = lines_of(order, quoted)
        for line in lines:
            line.has_stock = False
        self._check_amounts(given, order)
        return _Draft(result, given, order, lines, quoted)

    def _checked(self, buyer: User | None, products: Sequence[Product | None]) -> list[Product]:
        goods, faults = _found(products)
        if buyer is None:
            detail = _("There is no such account.")
            faults.insert(0, field_error("buyer", detail, "does_not_exist"))
        if buyer is None or faults:
            raise InvalidInput.of(faults)
        if any(product.seller_id != goods[0].seller_id for product in goods):
            raise InvalidInput("lines", _("All products of an order are from one seller."))
        if goods[0].seller_id == buyer.pk:
            raise OwnProduct(errors=[_about("buyer", OwnProduct)])
        if not self.own.isdisjoint((buyer.pk, goods[0].seller_id)):
            raise OwnInterest
        return goods

    def _check_amounts(self, given: ImportedOrder, order: Order) -> None:
        if given.total is not None and given.total != order.total:
            detail = _("The lines and fees add up to another total.")
            raise AmountMismatch(
                detail,
                errors=[field_error("total", detail, AmountMismatch.code)],
                extra={"total": order.total},
            )
        if given.processing_fee > order.captured - order.commission - order.tax:
            raise InvalidInput("payment.processing_fee", _("Not more than the seller's net."))

    def _post(self, drafts: Sequence[_Draft]) -> None:
        paid = [draft for draft in drafts if draft.given.paid_at]
        completed = [draft for draft in paid if draft.given.completed_at]
        sellers = sorted({(one.order.seller_id, one.order.currency) for one in completed})
        balances = {key: ledger.lock_seller(*key) for key in sellers}
        postings = [_payment(draft) for draft in paid]
        for draft in completed:
            own = balances[draft.order.seller_id, draft.order.currency]
            postings.append(_completion(draft, own))
        ledger.post_new(postings, actor=self.actor)
        for seller, currency in sellers:
            extend_holds(seller, currency, self.actor)

    def _tell(self, drafts: Sequence[_Draft]) -> None:
        risk.record_all([event for draft in drafts for event in risk.events_of(draft.order)])
        audit.record(
            "marketplace.orders.imported",
            actor=self.actor,
            target=drafts[0].order if len(drafts) == 1 else None,
            metadata={"orders": [draft.order.pk for draft in drafts]},
        )
        if self.is_published:
            publish_events(steps_of(draft.order for draft in drafts))


def _completion(draft: _Draft, balances: dict[str, int]) -> Posting:
    """Return the completion of an order; `balances` of its seller are moved by it."""
    legs = completion_legs(draft.order, draft.lines, balances)
    for leg in legs:
        if leg.seller_id is not None:
            balances[leg.code] += leg.amount
    return Posting(
        key=f"order:{draft.order.pk}:completion",
        kind="completion",
        order=draft.order,
        legs=legs,
        at=draft.given.completed_at or clock.now(),
    )


def _item(given: ImportedLine, product: Product) -> Item:
    return Item(
        product.pk,
        given.quantity,
        given.unit_price,
        given.shipping,
        given.discount,
        given.platform_discount,
        given.tax_included,
    )


def _order(given: ImportedOrder, buyer: User | None, seller_id: int) -> Order:
    status = Order.Status.RESERVED
    if given.paid_at:
        status = Order.Status.COMPLETED if given.completed_at else Order.Status.PAID
    return Order(
        external_id=given.external_id,
        imported=given.facts(),
        buyer=buyer,
        seller_id=seller_id,
        currency=given.currency,
        processing_fee=given.processing_fee,
        payment_reference=given.reference,
        status=status,
        reserved_until=clock.now() + WAITS,
        paid_at=given.paid_at,
        completed_at=given.completed_at,
        closed_at=given.completed_at,
    )


def _payment(draft: _Draft) -> Posting:
    order = draft.order
    return Posting(
        key=f"order:{order.pk}:payment",
        kind="payment",
        order=order,
        legs=[Leg(Code.CASH, order.total), Leg(Code.BUYER_FUNDS, -order.total)],
        at=draft.given.paid_at or clock.now(),
    )
