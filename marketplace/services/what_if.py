"""What a schedule would have charged past orders, and which of its rules no sale can reach."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate, groupby
from typing import Any

from marketplace import commission
from marketplace.commission.volume import window_start
from marketplace.commission_lint import Finding, ProductFacts, unreachable
from marketplace.models import Category, Order, OrderLine, Product
from marketplace.services import clock
from marketplace.services.quotes import engine_fees, party_of, place_zone

MAX_LINES = 20_000


def lint_rules(fees: Sequence[commission.Fee] | None = None) -> list[Finding]:
    """Report the rules that no sale can ever reach."""
    fees = engine_fees() if fees is None else fees
    named = {pk for fee in fees for rule in fee.rules for pk in rule.conditions.products or ()}
    products = Product.objects.filter(pk__in=named).select_related("category")
    facts = {
        product.pk: ProductFacts(
            product.category.path_ids, product.seller_id, product.kind, product.currency
        )
        for product in products
    }
    descendants = Category.objects.descendants_by_id()
    return [
        finding
        for fee in fees
        for finding in unreachable(
            fee.rules,
            now=clock.now(),
            descendants=descendants,
            products=facts,
            is_first_match=fee.combine == commission.FIRST_MATCH,
        )
    ]


@dataclass
class _Sums:
    """What is added up while past lines are charged anew."""

    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    per_rule: dict[int | None, int] = field(default_factory=dict)
    changed: list[tuple[int, OrderLine, int, int]] = field(default_factory=list)
    lines: int = 0

    def add(self, line: OrderLine, currency: str, again: commission.Commission) -> None:
        before = sum(one.amount for one in line.charges.all())
        after = again.amount + again.buyer_amount
        sums = self.totals.setdefault(currency, {"lines": 0, "changed": 0, "before": 0, "after": 0})
        sums["lines"] += 1
        sums["before"] += before
        sums["after"] += after
        sums["changed"] += before != after
        self.lines += 1
        rules: set[int | None] = {charge.rule.id for charge in again.charges}
        for rule in rules or {None}:
            self.per_rule[rule] = self.per_rule.get(rule, 0) + 1
        if before != after:
            self.changed.append((abs(after - before), line, before, after))


def preview_fees(
    fees: Sequence[commission.Fee], *, start: datetime, end: datetime
) -> dict[str, Any]:
    """Say what past orders would have been charged by another schedule; nothing is written.

    The newest orders of the period are looked at, up to 20,000 lines of them.
    """
    sums = _Sums()
    orders = _orders(start, end)
    volumes = _Volumes(fees, {lines[0].order.seller_id for lines in orders})
    parties: dict[int, commission.Party] = {}
    for lines in orders:
        order = lines[0].order
        if order.seller_id not in parties:
            parties[order.seller_id] = party_of(order.seller_id, fees)
        basket = commission.Basket(
            _sales(order, lines), parties[order.seller_id], volumes.before(order)
        )
        for line, again in zip(lines, commission.charge_basket(fees, basket), strict=True):
            sums.add(line, order.currency, again)
    largest = sorted(sums.changed, key=lambda one: -one[0])[:20]
    return {
        "currencies": [{"currency": code, **own} for code, own in sorted(sums.totals.items())],
        "rules": [{"rule": rule, "lines": count} for rule, count in sums.per_rule.items()],
        "largest_changes": [
            {"order": line.order_id, "line": line.pk, "before": before, "after": after}
            for _gap, line, before, after in largest
        ],
        "is_complete": sums.lines < MAX_LINES,
    }


def _orders(start: datetime, end: datetime) -> list[list[OrderLine]]:
    """Return the lines of the period, order by order; an order that is cut off is left out."""
    found = list(
        OrderLine.objects.filter(order__paid_at__gte=start, order__paid_at__lt=end)
        .select_related("order", "category")
        .prefetch_related("charges")
        .order_by("-order__paid_at", "-order_id", "id")[:MAX_LINES]
    )
    orders = [list(own) for _key, own in groupby(found, key=lambda line: line.order_id)]
    return orders[:-1] if len(found) == MAX_LINES and len(orders) > 1 else orders


def _sales(order: Order, lines: Iterable[OrderLine]) -> tuple[commission.Sale, ...]:
    return tuple(
        commission.Sale(
            currency=order.currency,
            item=line.unit_price * line.quantity,
            at=order.created_at,
            quantity=line.quantity,
            shipping=line.shipping,
            discount=line.discount,
            tax_included=line.tax_included,
            category_path=line.category.path_ids,
            seller=order.seller_id,
            product=line.product_id,
            kind=line.kind,
            order_value=order.total - order.buyer_fee,
        )
        for line in lines
    )


class _Volumes:
    """The volumes before any past order of some sellers, from one reading of their orders."""

    def __init__(self, fees: Sequence[commission.Fee], sellers: set[int]) -> None:
        self.specs = {rule.volume for fee in fees for rule in fee.rules if rule.volume}
        self.sums: dict[tuple[Any, ...], tuple[list[datetime], list[int]]] = {}
        if self.specs:
            self._read(sellers)

    def before(self, order: Order) -> dict[commission.VolumeSpec, int]:
        """Return each volume as it stood when the order was made."""
        return {spec: self._volume(spec, order) for spec in self.specs}

    def _read(self, sellers: set[int]) -> None:
        rows: dict[tuple[Any, ...], list[tuple[datetime, int]]] = {}
        for key, paid_at, value in _paid_values(sellers, {spec.measure for spec in self.specs}):
            rows.setdefault(key, []).append((paid_at, value))
        for key, own in rows.items():
            self.sums[key] = (
                [paid_at for paid_at, _value in own],
                [0, *accumulate(value for _paid_at, value in own)],
            )

    def _volume(self, spec: commission.VolumeSpec, order: Order) -> int:
        buyer = order.buyer_id if spec.between == "pair" else None
        moments, sums = self.sums.get(
            (spec.measure, order.seller_id, order.currency, buyer), ([], [0])
        )
        start = window_start(spec.window, order.created_at, place_zone())
        first = bisect_left(moments, start) if start else 0
        return sums[bisect_left(moments, order.created_at)] - sums[first]


def _paid_values(
    sellers: set[int], measures: set[str]
) -> Iterator[tuple[tuple[Any, ...], datetime, int]]:
    """Yield what each paid order adds to the volumes of its seller and of the pair."""
    paid = Order.objects.filter(seller_id__in=sellers, paid_at__isnull=False).order_by("paid_at")
    columns = (
        "seller_id", "buyer_id", "currency", "paid_at", "status",
        "total", "buyer_fee", "refunded", "refunded_buyer_fee",
    )  # fmt: skip
    for seller, buyer, currency, at, status, *money in paid.values_list(*columns).iterator():
        total, fee, refunded, refunded_fee = money
        values = {"amount": total - fee - refunded + refunded_fee, "orders": status != "refunded"}
        for measure in measures:
            for whom in (None, buyer):
                yield (measure, seller, currency, whom), at, int(values[measure])
