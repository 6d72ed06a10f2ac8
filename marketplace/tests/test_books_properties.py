"""Whatever happens, every account is explained: zero sum, statement, report, fees returned."""

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marketplace import services
from marketplace.models import LedgerEntry
from marketplace.querysets import reports
from marketplace.querysets.statements import balances_before, commission_of, movements
from marketplace.querysets.trial_balance import trial_balance
from marketplace.services.ledger import seller_balances
from marketplace.services.refunds import RefundItem
from marketplace.tests import factories
from marketplace.tests.test_ledger import Market
from systemadmin.tests.factories import UserFactory

ACTIONS = [
    "buy", "pay", "complete", "refund", "unit", "shipping", "dispute", "resolve", "chargeback",
    "appeal", "payout", "settle", "return", "cancel_payout", "fee", "credit", "write_off",
    "reverse",
]  # fmt: skip
PAST = datetime(2000, 1, 1, tzinfo=UTC)


class WholeMarket(Market):
    """Everything that moves a seller's money."""

    def run(self, action, number, order):
        own = getattr(self, f"do_{action}", None)
        if own is None:
            super().run(action, number, order)
        elif order is not None:
            own(number, order)

    def do_unit(self, number, order):
        line = order.lines.first()
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

    def do_return(self, number, order):
        paid = self.seller.payouts.filter(status="paid").last()
        if paid:
            services.fail_payout(actor=self.root, payout=paid, reason="Returned")

    def do_cancel_payout(self, number, order):
        waiting = self.seller.payouts.filter(status__in=["pending", "failed"]).last()
        if waiting:
            services.cancel_payout(actor=self.root, payout=waiting, reason="x")

    def by_hand(self, kind, number):
        amount = 1 + number % 2_000
        lines = services.usual_lines(kind=kind, amount=amount, seller=self.seller)
        self.entry = services.post_journal_entry(
            actor=self.root, kind=kind, currency="EUR", lines=lines, reason="x"
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


def check(seller):
    """Ledger, balance, statement, report and trial balance say the same."""
    assert services.check_ledger() == []
    end = timezone.now() + timedelta(days=1)
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
    charged = sum(parts.get(name, 0) for name in ("charged", "returned", "credited"))
    assert charged == -booked.get("revenue", 0)
    assert parts.get("tax", 0) == -booked.get("tax", 0)
    assert sum(row["closing"] for row in trial_balance(start=PAST, end=end)) == 0


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10**6)), max_size=16),
    sales=st.integers(1, 3),
)
def test_every_account_is_explained(db, steps, sales):
    sid = transaction.savepoint()
    try:
        factories.rule(currency="EUR", ppm=87_500, fixed=11, tax_ppm=210_000)
        seller = UserFactory()
        product = factories.approved(seller, price=9_99, shipping_amount=1_50, stock=50)
        market = WholeMarket(seller, product)
        for _ in range(sales):
            factories.completed(product, quantity=3)
        for action, number in steps:
            market.step(action, number)
        check(seller)
    finally:
        transaction.savepoint_rollback(sid)
