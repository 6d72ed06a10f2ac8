"""Charge an order by the whole schedule of fees: the one calculation of quotes and orders."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from marketplace.commission.charging import (
    Base,
    Scope,
    base_of,
    charge_on,
    limit_to_remaining,
    tax_on,
)
from marketplace.commission.matching import NOBODY, mismatch
from marketplace.commission.rules import (
    BUYER,
    FIRST_MATCH,
    PER_ORDER,
    PER_PAYOUT,
    Basket,
    Fee,
    Party,
    Rule,
    Sale,
    TraceStep,
    VolumeSpec,
    rules_for,
)
from marketplace.commission.sharing import share_within
from marketplace.commission.trace import considered, step


@dataclass(frozen=True, slots=True)
class Charge:
    """One fee on one line by one rule.

    Charges of one `group` were calculated together: a refund looks at all of them.
    """

    fee: Fee
    rule: Rule
    line: int
    group: int
    base: Base
    amount: int
    tax: int
    fixed: int
    refundable: int
    volume: int = 0

    @property
    def is_paid_by_buyer(self) -> bool:
        """Whether the buyer pays it on top of the price."""
        return self.fee.payer == BUYER


@dataclass(frozen=True, slots=True)
class Commission:
    """The answer for one line: how much, by which rules, and why."""

    currency: str
    base: int
    captured: int
    amount: int
    tax: int
    rule: Rule | None
    refundable: int
    trace: tuple[TraceStep, ...] = field(default=())
    charges: tuple[Charge, ...] = ()

    @property
    def seller_net(self) -> int:
        """What is left for the seller."""
        return self.captured - self.amount - self.tax

    @property
    def buyer_amount(self) -> int:
        """What the buyer pays on top, without its tax."""
        return sum(one.amount for one in self.charges if one.is_paid_by_buyer)

    @property
    def buyer_tax(self) -> int:
        """The tax on what the buyer pays on top."""
        return sum(one.tax for one in self.charges if one.is_paid_by_buyer)


def quote(rules: Iterable[Rule], sale: Sale) -> Commission:
    """Calculate the commission of one line under one ordered list of rules."""
    return charge_basket([Fee(tuple(rules))], Basket((sale,)))[0]


def charge_basket(fees: Sequence[Fee], basket: Basket) -> list[Commission]:
    """Return what each line of an order is charged: every fee, in the schedule's order.

    All fees that the seller pays, with their taxes, never exceed what was captured of a line.
    Rules per payout are left out.
    """
    return _FeeCalculation(basket).charge(rules_for(fees, payouts=False))


def charge_payout(
    fees: Sequence[Fee],
    *,
    amount: int,
    currency: str,
    at: datetime,
    seller: int,
    party: Party = NOBODY,
    volumes: Mapping[VolumeSpec, int] | None = None,
) -> Commission:
    """Return what a payout of an amount is charged by the rules per payout, and why.

    The fees with their taxes never exceed the amount.
    """
    basket = Basket((Sale(currency, item=amount, at=at, seller=seller),), party, volumes or {})
    return _FeeCalculation(basket).charge(rules_for(fees, payouts=True))[0]


class _FeeCalculation:
    """The state of one calculation: what is left of each line, and the steps so far."""

    def __init__(self, basket: Basket) -> None:
        self.basket = basket
        self.room = [line.captured for line in basket.lines]
        self.traces: list[list[TraceStep]] = [[] for _line in basket.lines]
        self.charges: list[Charge] = []
        # What the buyer pays on top so far, taxes included.
        self.on_top = [0] * len(basket.lines)
        self.groups = 0

    def charge(self, fees: Sequence[Fee]) -> list[Commission]:
        for fee in fees:
            for rule, lines in self._matches(fee):
                start = self.basket.volumes.get(rule.volume, 0) if rule.volume else 0
                is_once = rule.per in (PER_ORDER, PER_PAYOUT)
                for together in [lines] if is_once else [[one] for one in lines]:
                    start += self._charge_group(fee, rule, together, start)
        return [self._answer(place) for place in range(len(self.basket.lines))]

    def _matches(self, fee: Fee) -> list[tuple[Rule, list[int]]]:
        """Return the rules that apply, in order, each with its lines."""
        found: dict[int, tuple[Rule, list[int]]] = {}
        for place, sale in enumerate(self.basket.lines):
            matched = False
            for position, rule in enumerate(fee.rules):
                reason = mismatch(rule, sale, self.basket.party, self.basket.volumes)
                self.traces[place].append(considered(rule, reason))
                if reason is None:
                    matched = True
                    found.setdefault(position, (rule, []))[1].append(place)
                    if fee.combine == FIRST_MATCH:
                        break
            if not matched:
                detail = "No rule matches: no commission is charged."
                self.traces[place].append({"step": "no_rule", "fee": fee.code, "detail": detail})
        return [found[position] for position in sorted(found)]

    def _charge_group(self, fee: Fee, rule: Rule, places: list[int], start: int) -> int:
        """Charge lines that are calculated together; return the base they had in all."""
        sales = [self.basket.lines[place] for place in places]
        bases = self._bases(rule, places)
        base = sum(one.amount for one in bases)
        steps = [step("base", base, f"Commission is charged on {base}.")]
        scope = Scope(sum(sale.quantity for sale in sales), len(sales), start)
        is_by_seller = fee.payer != BUYER
        amount, fixed = charge_on(rule, base, scope, steps, is_capped=is_by_seller)
        tax_ppm, is_reverse = _tax(rule, self.basket.party)
        rooms = [self.room[place] for place in places] if is_by_seller else None
        if rooms is not None:
            amount = limit_to_remaining(amount, sum(rooms), tax_ppm, steps)
        tax = tax_on(amount, tax_ppm, is_reverse, steps)
        amounts, taxes = _shared(amount, tax, bases, rooms)
        fixed_parts = share_within(min(fixed, amount), amounts, amounts)
        self.groups += 1
        for place, part, one, own_tax, own_fixed in zip(
            places, bases, amounts, taxes, fixed_parts, strict=True
        ):
            self._keep(
                Charge(
                    fee, rule, place, self.groups, part, one, own_tax, own_fixed,
                    one if rule.fixed_refundable else one - own_fixed, start,
                ),
                [*steps, *([] if len(places) == 1 else [_own_share(one, amount)])],
            )  # fmt: skip
        return base

    def _bases(self, rule: Rule, places: list[int]) -> list[Base]:
        """Return what each line is charged on, with the buyer's fees so far if the rule says so."""
        bases = [base_of(rule, self.basket.lines[place]) for place in places]
        if not rule.include_buyer_fees:
            return bases
        return [
            Base(one.amount + self.on_top[place], one.shipping)
            for one, place in zip(bases, places, strict=True)
        ]

    def _keep(self, charge: Charge, steps: list[TraceStep]) -> None:
        self.charges.append(charge)
        self.traces[charge.line].extend(steps)
        if charge.is_paid_by_buyer:
            self.on_top[charge.line] += charge.amount + charge.tax
        else:
            self.room[charge.line] -= charge.amount + charge.tax

    def _answer(self, place: int) -> Commission:
        sale = self.basket.lines[place]
        own = tuple(one for one in self.charges if one.line == place)
        paid = [one for one in own if not one.is_paid_by_buyer]
        base = paid[0].base.amount if len(paid) == 1 else sale.captured
        return Commission(
            currency=sale.currency,
            base=base,
            captured=sale.captured,
            amount=sum(one.amount for one in paid),
            tax=sum(one.tax for one in paid),
            rule=paid[0].rule if paid else None,
            refundable=sum(one.refundable for one in paid),
            trace=tuple(self.traces[place]),
            charges=own,
        )


def _tax(rule: Rule, party: Party) -> tuple[int, bool]:
    """Return the rate of tax on the fee, and whether the seller accounts for it instead."""
    if not rule.tax_by_seller:
        return rule.tax_ppm, False
    if party.is_reverse_charge:
        return 0, True
    return party.tax_ppm or 0, False


def _shared(
    amount: int, tax: int, bases: list[Base], rooms: list[int] | None
) -> tuple[list[int], list[int]]:
    """Return each line's part of an amount and of its tax; no line pays more than its room."""
    amounts = share_within(amount, [one.amount for one in bases], rooms)
    if rooms is None:
        return amounts, share_within(tax, amounts, None)
    left = [room - one for room, one in zip(rooms, amounts, strict=True)]
    return amounts, share_within(tax, amounts, left)


def _own_share(amount: int, whole: int) -> TraceStep:
    return step("share", amount, f"This line's share of {whole}: {amount}.")
