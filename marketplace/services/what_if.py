"""What a schedule would have charged past orders, and which of its rules no sale can reach."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate, groupby
from typing import Any

from marketplace import commission
from marketplace.commission.volume import window_start
from marketplace.commission_lint import Finding, ProductFacts, unreachable
from marketplace.models import Category, Order, OrderLine, Payout, Product
from marketplace.querysets.orders import SOLD
from marketplace.services import clock
from marketplace.services.quotes import countries_of
from marketplace.services.schedule import engine_fees, party_of

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
        for payouts in (False, True)
        for fee in commission.rules_for(fees, payouts=payouts)
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
    """Say what past orders and payouts would have been charged by another schedule.

    Nothing is written. The newest orders of the period are looked at, up to 20,000 lines of them.
    """
    sums = _Sums()
    orders = _orders(start, end)
    volumes = _Volumes(fees, {lines[0].order.seller_id for lines in orders})
    parties: dict[int, commission.Party] = {}
    countries = countries_of((lines[0].order.buyer_id for lines in orders), fees)
    for lines in orders:
        order = lines[0].order
        if order.seller_id not in parties:
            parties[order.seller_id] = party_of(order.seller_id, fees)
        party = replace(parties[order.seller_id], buyer_country=countries.get(order.buyer_id, ""))
        basket = commission.Basket(_sales(order, lines), party, volumes.before(order))
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
        "payouts": _payouts(fees, start, end),
        "is_complete": sums.lines < MAX_LINES,
    }


def _payouts(
    fees: Sequence[commission.Fee], start: datetime, end: datetime
) -> list[dict[str, Any]]:
    """Return per currency what the payouts of the period were charged, and would have been."""
    payouts = list(
        Payout.objects.filter(created_at__gte=start, created_at__lt=end).order_by("-id")[:MAX_LINES]
    )
    fees = commission.rules_for(fees, payouts=True)
    sellers = {payout.seller_id for payout in payouts}
    volumes = _Volumes(fees, sellers)
    parties = {seller: party_of(seller, fees) for seller in sellers}
    sums: dict[str, dict[str, int]] = {}
    for payout in payouts:
        after = commission.charge_payout(
            fees,
            amount=payout.gross,
            currency=payout.currency,
            at=payout.created_at,
            seller=payout.seller_id,
            party=parties[payout.seller_id],
            volumes=volumes.before_payout(payout),
        ).amount
        own = sums.setdefault(
            payout.currency, {"payouts": 0, "changed": 0, "before": 0, "after": 0}
        )
        own["payouts"] += 1
        own["changed"] += payout.fee != after
        own["before"] += payout.fee
        own["after"] += after
    return [{"currency": code, **own} for code, own in sorted(sums.items())]


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
            platform_discount=line.platform_discount,
            tax_included=line.tax_included,
            category_path=line.category.path_ids,
            seller=order.seller_id,
            product=line.product_id,
            kind=line.kind,
            order_value=order.captured,
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
        return {
            spec: self._volume(spec, order, order.buyer_id if spec.between == "pair" else None)
            for spec in self.specs
        }

    def before_payout(self, payout: Payout) -> dict[commission.VolumeSpec, int]:
        """Return each volume of the seller as it stood when the payout was made."""
        return {spec: self._volume(spec, payout, None) for spec in self.specs}

    def _read(self, sellers: set[int]) -> None:
        rows: dict[tuple[Any, ...], list[tuple[datetime, int]]] = {}
        for key, paid_at, value in _paid_values(sellers, {spec.measure for spec in self.specs}):
            rows.setdefault(key, []).append((paid_at, value))
        for key, own in rows.items():
            self.sums[key] = (
                [paid_at for paid_at, _value in own],
                [0, *accumulate(value for _paid_at, value in own)],
            )

    def _volume(self, spec: commission.VolumeSpec, made: Order | Payout, buyer: int | None) -> int:
        moments, sums = self.sums.get(
            (spec.measure, made.seller_id, made.currency, buyer), ([], [0])
        )
        start = window_start(spec.window, made.created_at, clock.place_zone())
        first = bisect_left(moments, start) if start else 0
        return sums[bisect_left(moments, made.created_at)] - sums[first]


def _paid_values(
    sellers: set[int], measures: set[str]
) -> Iterator[tuple[tuple[Any, ...], datetime, int]]:
    """Yield what each paid order adds to the volumes of its seller and of the pair."""
    paid = Order.objects.filter(seller_id__in=sellers, paid_at__isnull=False).order_by("paid_at")
    columns = ("seller_id", "buyer_id", "currency", "paid_at", "status", "kept")
    rows = paid.annotate(kept=SOLD).values_list(*columns)
    for seller, buyer, currency, at, status, kept in rows.iterator():
        values = {"amount": kept, "orders": status != "refunded"}
        for measure in measures:
            for whom in (None, buyer):
                yield (measure, seller, currency, whom), at, int(values[measure])
