"""Whatever happens, every account is explained: zero sum, statement, report, fees returned."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import time_machine
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marketplace import services
from marketplace.models import ClosedMonth, LedgerEntry
from marketplace.querysets import reports
from marketplace.querysets.statements import balances_before, commission_of, movements
from marketplace.querysets.trial_balance import trial_balance
from marketplace.services import clock
from marketplace.services.books import totals_between
from marketplace.services.ledger import seller_balances
from marketplace.services.order_creation import Item
from marketplace.services.refunds import RefundItem
from marketplace.tests import factories
from marketplace.tests.test_ledger import Market
from systemadmin.tests.factories import UserFactory

ACTIONS = [
    "buy", "discounted", "pay", "complete", "refund", "unit", "shipping", "dispute", "resolve",
    "chargeback", "appeal", "payout", "settle", "return", "cancel_payout", "fee", "credit",
    "write_off", "reverse", "late", "pay_out",
]  # fmt: skip
PAYOUT_TERMS = {"per": "payout", "ppm": 2_500, "fixed": 25, "tax_ppm": 210_000}
PAST = datetime(2000, 1, 1, tzinfo=UTC)
BEGINS = datetime(2025, 3, 20, 12, tzinfo=UTC)
# How long after the day of an entry by hand it is made, at most.
LATEST = timedelta(days=40)
# A returned payout, a lost chargeback and an entry for a month that is closed, whatever is drawn.
STORY = [
    ("pay_out", 10), ("return", 1), ("unit", 19), ("chargeback", 1), ("resolve", 2), ("late", 35),
    ("shipping", 4), ("pay_out", 7),
]  # fmt: skip


class WholeMarket(Market):
    """Everything that moves a seller's money."""

    def __init__(self, seller, product, second):
        super().__init__(seller, product)
        self.second = second
        self.now = BEGINS

    def step(self, action, number):
        """Some days after the last one: months end in between, and are closed sooner or later."""
        self.now += timedelta(days=number % 20)
        with time_machine.travel(self.now, tick=False):
            if number % 3:
                self.close_month()
            super().step(action, number)

    def close_month(self):
        closed = ClosedMonth.objects.order_by("month").last()
        month = clock.next_month(closed.month) if closed else clock.month_of(BEGINS)
        if clock.next_month(month) <= clock.today():
            services.close_month(actor=self.root, month=month)

    def run(self, action, number, order):
        own = getattr(self, f"do_{action}", None)
        if own is None:
            super().run(action, number, order)
        elif order is not None or action == "discounted":
            own(number, order)

    def do_discounted(self, number, order):
        """Both discounts, two products: one of them costs the buyer nothing but shipping."""
        buyer = UserFactory()
        items = [
            Item(self.product.pk, 1 + number % 3, discount=number % 200),
            Item(self.second.pk, discount=1_00, platform_discount=4_00 if number % 2 else 0),
        ]
        services.create_order(actor=buyer, buyer=buyer, items=items, platform_discount=number % 300)

    def do_unit(self, number, order):
        line = order.lines.order_by("pk")[number % order.lines.count()]
        services.refund_order(
            actor=None, order=order, items=[RefundItem(line.pk, 1 + number % 2, None, None)]
        )

    def do_shipping(self, number, order):
        services.refund_order(actor=None, order=order, shipping=1 + number % 150)

    def do_chargeback(self, number, order):
        services.record_chargeback(
            actor=self.root, order=order, reference=f"cb-{order.pk}", fee=number % 300
        )

    def do_appeal(self, number, order):
        dispute = order.disputes.last()
        if dispute:
            services.appeal_dispute(actor=self.root, dispute=dispute, reason="x")

    def do_pay_out(self, number, order):
        made = services.create_payout(actor=self.root, seller=self.seller, currency="EUR")
        services.pay_payout(actor=self.root, payout=made)

    def do_return(self, number, order):
        paid = self.seller.payouts.filter(status="paid").last()
        if paid:
            services.fail_payout(actor=self.root, payout=paid, reason="Returned")

    def do_cancel_payout(self, number, order):
        waiting = self.seller.payouts.filter(status__in=["pending", "failed"]).last()
        if waiting:
            services.cancel_payout(actor=self.root, payout=waiting, reason="x")

    def by_hand(self, kind, number, **more):
        amount = 1 + number % 2_000
        lines = services.usual_lines(kind=kind, amount=amount, seller=self.seller)
        self.entry = services.post_journal_entry(
            actor=self.root, kind=kind, currency="EUR", lines=lines, reason="x", **more
        )

    def do_late(self, number, order):
        """What happened some weeks ago, perhaps in a month that is closed."""
        self.by_hand(
            "credit", number, booked_on=clock.today() - timedelta(days=number % LATEST.days)
        )

    def do_fee(self, number, order):
        self.by_hand("dispute_fee", number)

    def do_credit(self, number, order):
        self.by_hand("credit", number)

    def do_write_off(self, number, order):
        self.by_hand("write_off", number)

    def do_reverse(self, number, order):
        entry = getattr(self, "entry", None)
        if entry:
            services.reverse_journal_entry(actor=self.root, entry=entry, reason="x")


def fee_to_return(line):
    """What goes back of a fee per line on price and shipping: its share of what was refunded."""
    charge = line.charges.get()
    goods = line.unit_price * line.quantity - line.discount
    paid = goods - line.platform_discount
    if paid:
        refunded = line.refunded - line.refunded_shipping
        gone = Fraction(goods * refunded, paid)
    else:
        gone = Fraction(goods * line.refunded_quantity, line.quantity)
    exact = charge.amount * (gone + line.refunded_shipping) / charge.base if charge.base else 0
    return int(exact + Fraction(1, 2))


def check_orders(seller):
    """Each order's fees came back by what was refunded, and its accounts hold what it says."""
    for order in seller.sales.filter(paid_at__isnull=False):
        for line in order.lines.all():
            assert line.refunded_commission == fee_to_return(line)
            share = line.platform_discount * line.part_returned
            assert line.refunded_platform_discount == int(share + Fraction(1, 2))
        entries = LedgerEntry.objects.filter(transaction__order=order).order_by()
        booked = dict(entries.values_list("account__code").annotate(Sum("amount")))
        if order.completed_at:
            left = order.commission - order.refunded_commission
            assert booked.get("revenue", 0) == -left
            paid = order.platform_discount - order.refunded_platform_discount
            assert booked.get("promotions", 0) == paid


def check_payouts(seller):
    """Each payout's fee stands as long as the payout does, and goes back with it."""
    for payout in seller.payouts.all():
        entries = LedgerEntry.objects.filter(transaction__payout=payout).order_by()
        booked = dict(entries.values_list("account__code").annotate(Sum("amount")))
        is_gone = payout.status in ("returned", "cancelled")
        assert booked.get("revenue", 0) == (0 if is_gone else -payout.fee)
        assert booked.get("tax", 0) == (0 if is_gone else -payout.fee_tax)
        asked = (payout.gross * 2_500 + 25 * 10**6 + 500_000) // 10**6
        # With its tax it fits into what is paid out.
        assert payout.fee == min(asked, payout.gross * 10**6 // (10**6 + PAYOUT_TERMS["tax_ppm"]))


def check_months(seller, end):
    """Months follow one another, reports of each are its ledger, closed ones have not changed."""
    for closed in ClosedMonth.objects.all():
        assert closed.totals == totals_between(closed.start_at, closed.end_at)
    periods = {"group_by": ["period"], "tz": clock.place_zone()}
    net = {row["period"]: row["net"] for row in reports.commissions(start=PAST, end=end, **periods)}
    sold = {row["period"]: row["net"] for row in reports.sales(start=PAST, end=end, **periods)}
    key, balance, month = (seller.pk, "EUR"), 0, clock.month_of(BEGINS - LATEST)
    while (start := clock.day_start(month)) < end:
        month = clock.next_month(month)
        after = clock.day_start(month)
        balance += sum(movements(start, after).get(key, {}).values())
        assert balances_before(after).get(key, 0) == balance
        entries = LedgerEntry.objects.between(start, after)
        revenue = entries.filter(account__code="revenue").aggregate(sum=Sum("amount", default=0))
        assert net.get(start, 0) == -revenue["sum"]
        cash = entries.filter(account__code="cash", transaction__kind__in=["payment", "refund"])
        assert sold.get(start, 0) == cash.aggregate(sum=Sum("amount", default=0))["sum"]


def check(seller, end):
    """Ledger, balance, statement, report and trial balance say the same."""
    assert services.check_ledger() == []
    check_orders(seller)
    check_payouts(seller)
    check_months(seller, end)
    key = (seller.pk, "EUR")
    balance = sum(row["balance"] for row in seller_balances(seller.pk))
    assert balances_before(end).get(key, 0) == balance
    assert sum(movements(PAST, end).get(key, {}).values()) == balance
    booked = dict(
        LedgerEntry.objects.order_by().values_list("account__code").annotate(Sum("amount"))
    )
    rows = list(reports.commissions(start=PAST, end=end, group_by=[]))
    assert sum(row["net"] for row in rows) == -booked.get("revenue", 0)
    parts = commission_of(PAST, end).get(key, {})
    charged = sum(parts.get(name, 0) for name in ("charged", "returned", "payouts", "credited"))
    assert charged == -booked.get("revenue", 0)
    assert parts.get("tax", 0) == -booked.get("tax", 0)
    assert sum(row["closing"] for row in trial_balance(start=PAST, end=end)) == 0


@hypothesis_settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10**6)), min_size=6, max_size=18
    ),
    sales=st.integers(1, 3),
)
@example(steps=STORY, sales=3)
def test_every_account_is_explained(db, steps, sales):
    sid = transaction.savepoint()
    try:
        factories.rule(currency="EUR", ppm=87_500, fixed=11, tax_ppm=210_000)
        fee = services.create_fee(actor=None, code="payouts", name="Payouts", position=2)
        terms = PAYOUT_TERMS
        factories.rule(fee=fee, currency="EUR", applies_to_all=True, **terms)
        seller = UserFactory()
        product = factories.approved(seller, price=9_99, shipping_amount=1_50, stock=50)
        second = factories.approved(seller, price=5_00, shipping_amount=99, stock=50)
        market = WholeMarket(seller, product, second)
        with time_machine.travel(BEGINS, tick=False):
            for _ in range(sales):
                factories.completed(product, quantity=3)
        for action, number in steps:
            market.step(action, number)
        check(seller, market.now + timedelta(days=1))
    finally:
        transaction.savepoint_rollback(sid)
