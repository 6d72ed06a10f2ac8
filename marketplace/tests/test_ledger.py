"""The ledger keeps its promises in the database itself, whoever writes to it."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from marketplace import errors, services
from marketplace.models import LedgerAccount, LedgerEntry, LedgerTransaction, PayoutItem
from marketplace.services import ledger
from marketplace.services.ledger import Leg, Unbalanced
from marketplace.tests import factories
from systemadmin.foundation.models import AppendOnlyError
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def post(key="k", legs=((100), (-100)), **kwargs):
    made = [Leg("cash", legs[0]), Leg("buyer_funds", legs[1])]
    return ledger.post(key=key, kind="payment", currency="EUR", legs=made, **kwargs)


def test_posting_and_replaying():
    first = post()
    assert post() == first
    assert LedgerEntry.objects.count() == 2
    with pytest.raises(errors.LedgerConflict):
        post(legs=(101, -101))


def test_nothing_to_move_is_nothing():
    assert post(legs=(0, 0)) is None


def test_unbalanced_legs_are_our_fault():
    with pytest.raises(Unbalanced):
        post(legs=(100, -99))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE marketplace_ledgerentry SET amount = amount + 1",
        "UPDATE marketplace_ledgertransaction SET kind = 'refund'",
        "DELETE FROM marketplace_ledgerentry",
        "DELETE FROM marketplace_ledgertransaction",
    ],
)
def test_append_only_by_trigger(statement):
    post()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert LedgerEntry.objects.count() == 2


@pytest.mark.postgres
def test_truncate_is_refused():
    post()
    connection.check_constraints()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE marketplace_ledgerentry CASCADE")


def test_append_only_in_python():
    entry = post().entries.first()
    with pytest.raises(AppendOnlyError):
        entry.save()
    with pytest.raises(AppendOnlyError):
        entry.delete()


def raw_transaction(amounts, currencies=("EUR", "EUR")):
    """Write rows past every service."""
    with transaction.atomic():
        number = ledger._next_id()
        for amount, currency in zip(amounts, currencies, strict=True):
            account, _ = LedgerAccount.objects.get_or_create(code="cash", currency=currency)
            LedgerEntry.objects.create(
                transaction_id=number, account=account, currency=currency, amount=amount
            )
        return LedgerTransaction.objects.create(
            pk=number, key="raw", kind="payment", digest="", posted_at=timezone.now()
        )


@pytest.mark.parametrize(
    ("amounts", "currencies"),
    [
        ((100, -99), ("EUR", "EUR")),
        ((100, -100), ("EUR", "USD")),
        ((5,), ("EUR",)),
        ((), ()),
    ],
)
def test_the_database_refuses_what_does_not_balance(amounts, currencies):
    with pytest.raises(IntegrityError):
        raw_transaction(amounts, currencies)


def test_a_closed_transaction_takes_no_more_entries():
    closed = raw_transaction((100, -100))
    entry = closed.entries.first()
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerEntry.objects.create(
            transaction=closed, account=entry.account, currency="EUR", amount=1
        )


def test_entries_without_their_transaction_do_not_survive():
    account = LedgerAccount.objects.create(code="cash", currency="EUR")
    orphan = LedgerEntry(account=account, currency="EUR", amount=1)
    orphan.transaction_id = ledger._next_id()

    def commit():
        with transaction.atomic():
            orphan.save()
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        commit()


def test_an_entry_is_paid_once():
    seller = factories.completed().seller
    payout = services.create_payout(actor=factories.root(), seller=seller, currency="EUR")
    claimed = payout.items.first()
    with pytest.raises(IntegrityError), transaction.atomic():
        PayoutItem.objects.create(payout=payout, entry=claimed.entry)


def test_reversal_refers_to_what_it_reverses():
    first = post()
    back = ledger.reverse(first, key="back", kind="reversal")
    assert back.reverses == first
    assert sorted(back.entries.values_list("amount", flat=True)) == [-100, 100]
    with pytest.raises(IntegrityError), transaction.atomic():
        ledger.reverse(first, key="again", kind="reversal")


def test_demo_money_may_go():
    post(is_demo=True)
    LedgerEntry.objects.all()._raw_delete(using=connection.alias)
    LedgerTransaction.objects.all()._raw_delete(using=connection.alias)
    assert not LedgerTransaction.objects.exists()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["buy", "pay", "complete", "cancel", "refund", "dispute", "resolve", "payout", "settle"]
        ),
        st.integers(0, 10**6),
    ),
    max_size=14,
)


class Market:
    """A seller, a product, and whatever happens to their orders."""

    def __init__(self, seller, product):
        self.seller, self.product = seller, product
        self.root = factories.root()

    def step(self, action, number):
        orders = list(self.seller.sales.order_by("pk"))
        order = orders[number % len(orders)] if orders else None
        try:
            with transaction.atomic():
                self.run(action, number, order)
        except (errors.RuleViolation, services_refusal()):
            pass

    def run(self, action, number, order):
        if action == "buy":
            factories.order(self.product, quantity=1 + number % 3)
        elif action in ("payout", "settle"):
            self.payout(action, number)
        elif order is None:
            return
        elif action == "pay":
            services.pay_order(actor=None, order=order, processing_fee=number % 100)
        elif action == "complete":
            services.complete_order(actor=None, order=order)
        elif action == "cancel":
            services.cancel_order(actor=order.buyer, order=order)
        elif action == "refund":
            services.refund_order(actor=None, order=order, amount=1 + number % order.total)
        elif action == "dispute":
            services.open_dispute(actor=order.buyer, order=order, reason="other", body="x")
        elif action == "resolve" and order.disputes.exists():
            self.resolve(number, order.disputes.latest("pk"))

    def payout(self, action, number):
        open_one = self.seller.payouts.filter(status__in=["pending", "failed"]).first()
        if action == "payout":
            services.create_payout(actor=self.root, seller=self.seller, currency="EUR")
        elif open_one and number % 2:
            services.pay_payout(actor=self.root, payout=open_one)
        elif open_one:
            services.fail_payout(actor=self.root, payout=open_one, reason="IBAN")

    def resolve(self, number, dispute):
        if number % 2:
            services.resolve_dispute(actor=self.root, dispute=dispute, in_favour_of="seller")
        else:
            left = dispute.order.refundable
            services.resolve_dispute(
                actor=self.root,
                dispute=dispute,
                in_favour_of="buyer",
                refund_amount=1 + number % left if number % 3 else None,
            )


def services_refusal():
    from systemadmin.foundation.errors import InvalidInput

    return InvalidInput


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_whatever_happens_the_books_add_up(db, steps):
    """Zero sum always; fee + seller + tax + processor = captured for every recognised order."""
    sid = transaction.savepoint()
    try:
        factories.rule(
            currency="EUR", ppm=87_500, fixed=11, tax_ppm=210_000, refund_fee_ppm=100_000
        )
        seller = UserFactory()
        market = Market(seller, factories.approved(seller, price=9_99, stock=20))
        for action, number in steps:
            market.step(action, number)
            assert services.check_ledger() == []
        for order in seller.sales.filter(status="completed"):
            booked = sum(
                LedgerEntry.objects.filter(
                    transaction__order=order,
                    account__code__in=[
                        "revenue",
                        "tax",
                        "processing",
                        "seller_payable",
                        "seller_held",
                        "clawback",
                    ],
                ).values_list("amount", flat=True)
            )
            assert booked == -(order.total - order.refunded)
        balances = ledger.lock_seller(seller.pk, "EUR")
        assert balances["seller_payable"] <= 0
        assert balances["seller_held"] <= 0 <= balances["clawback"]
    finally:
        transaction.savepoint_rollback(sid)
