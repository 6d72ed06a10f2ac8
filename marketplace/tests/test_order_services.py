"""Orders from reservation to refund, with the books checked after each."""

from datetime import timedelta

import pytest
from django.utils import timezone

from marketplace import errors, services
from marketplace.models import LedgerEntry, LedgerTransaction, Order
from marketplace.services.ledger import seller_balances
from marketplace.services.order_creation import Item
from marketplace.tests import factories
from systemadmin.foundation.errors import InvalidInput
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


def booked(order, code):
    entries = LedgerEntry.objects.filter(transaction__order=order, account__code=code)
    return sum(entries.values_list("amount", flat=True))


def test_reservation_takes_stock_and_freezes_the_commission():
    rule = factories.rule(ppm=33_300, tax_ppm=210_000, name="3.33 %")
    product = factories.approved(price=100_00, stock=5)
    order = factories.order(product, quantity=2)
    product.refresh_from_db()
    assert product.stock == 3
    line = order.lines.get().commission
    assert (order.total, order.commission, order.tax) == (200_00, 6_66, 1_40)
    assert (line.rule, line.rule_version, line.amount) == (rule, 1, 6_66)
    services.update_rule(actor=factories.root(), rule=rule, ppm=500_000)
    line.refresh_from_db()
    assert (line.amount, line.rule_version) == (6_66, 1)


def test_square_example_through_the_books():
    """20.00 with app fee 2.00 and processor 0.88: seller 17.12; 15.00 back: platform 1.50."""
    factories.rule(currency="USD", fixed=2_00)
    order = factories.order(factories.approved(price=20_00, currency="USD"))
    services.pay_order(actor=None, order=order, processing_fee=88)
    order = services.complete_order(actor=None, order=order)
    assert booked(order, "seller_payable") == -17_12
    refund = services.refund_order(actor=factories.root(), order=order, amount=15_00)
    assert (refund.commission, refund.amount - refund.commission) == (1_50, 13_50)
    assert booked(order, "revenue") == -50
    assert seller_balances(order.seller_id)[0]["available"] == 17_12 - 13_50


def test_money_waits_in_buyers_funds_until_completion():
    factories.rule(ppm=100_000)
    order = factories.paid()
    assert booked(order, "buyer_funds") == -20_00
    assert seller_balances(order.seller_id)[0]["pending"] == 18_00
    order = services.complete_order(actor=order.buyer, order=order, as_member=True)
    assert booked(order, "buyer_funds") == 0
    assert booked(order, "seller_payable") == -18_00
    assert booked(order, "revenue") == -2_00


def test_payment_told_twice_happened_once():
    order = factories.order()
    services.pay_order(actor=None, order=order, reference="pay_1", amount=20_00)
    again = services.pay_order(actor=None, order=order, reference="pay_1", amount=20_00)
    assert again.status == "paid"
    assert LedgerTransaction.objects.filter(order=order).count() == 1
    with pytest.raises(errors.TransitionNotAllowed):
        services.pay_order(actor=None, order=order, reference="pay_2")
    with pytest.raises(errors.PaymentReferenceUsed):
        services.pay_order(actor=None, order=factories.order(), reference="pay_1")


def test_wrong_amount_and_fee_are_refused():
    order = factories.order()
    with pytest.raises(errors.AmountMismatch):
        services.pay_order(actor=None, order=order, amount=19_99)
    with pytest.raises(InvalidInput):
        services.pay_order(actor=None, order=order, processing_fee=20_01)


def test_refund_before_completion_comes_from_buyers_funds():
    factories.rule(ppm=100_000)
    product = factories.approved(stock=3)
    order = factories.paid(product)
    services.refund_order(actor=factories.root(), order=order, amount=5_00)
    order.refresh_from_db()
    assert (order.status, order.refunded, order.refunded_commission) == ("paid", 5_00, 50)
    services.refund_order(actor=factories.root(), order=order)
    order.refresh_from_db()
    product.refresh_from_db()
    assert (order.status, order.refunded_commission, product.stock) == ("refunded", 2_00, 3)
    assert booked(order, "buyer_funds") == booked(order, "cash") == 0


def test_fees_kept_on_a_full_refund_are_owed_by_the_seller():
    factories.rule(ppm=100_000, refund_fee_ppm=200_000)
    order = factories.order()
    services.pay_order(actor=None, order=order, processing_fee=30)
    services.refund_order(actor=factories.root(), order=order)
    balance = seller_balances(order.seller_id)[0]
    assert balance["owed"] == 40 + 30
    assert balance["balance"] == -70
    assert booked(order, "revenue") == -40


def test_refund_after_payout_is_clawed_back_from_the_next_sale():
    factories.rule(ppm=100_000)
    seller = UserFactory()
    product = factories.approved(seller)
    order = factories.completed(product)
    payout = services.create_payout(actor=factories.root(), seller=seller, currency="EUR")
    services.pay_payout(actor=factories.root(), payout=payout)
    services.refund_order(actor=factories.root(), order=order)
    assert seller_balances(seller.pk)[0]["owed"] == 18_00
    assert seller_balances(seller.pk)[0]["balance"] == -18_00
    with pytest.raises(errors.NothingToPay):
        services.create_payout(actor=factories.root(), seller=seller, currency="EUR")
    factories.completed(product, quantity=2)
    balance = seller_balances(seller.pk)[0]
    assert (balance["owed"], balance["available"]) == (0, 18_00)


def test_refund_of_one_line_reverses_that_lines_own_rate():
    """Not the order's blended rate (tezgah #144)."""
    seller = UserFactory()
    books, tools = factories.category("Books"), factories.category("Tools")
    factories.rule(categories=[books], ppm=100_000)
    factories.rule(categories=[tools], ppm=150_000)
    one = factories.approved(seller, category=books, price=100_00)
    two = factories.approved(seller, category=tools, price=100_00, title="Hammer")
    buyer = UserFactory()
    order = services.create_order(
        actor=buyer, buyer=buyer, items=[Item(one.pk, 1), Item(two.pk, 1)]
    )
    services.pay_order(actor=None, order=order)
    line = order.lines.get(product=one)
    refund = services.refund_order(actor=None, order=order, amount=50_00, line_id=line.pk)
    assert refund.commission == 5_00
    refund = services.refund_order(actor=None, order=order)
    assert refund.commission == 5_00 + 15_00


def test_more_than_is_left_is_refused():
    order = factories.paid()
    services.refund_order(actor=None, order=order, amount=19_00)
    with pytest.raises(errors.RefundTooHigh):
        services.refund_order(actor=None, order=order, amount=1_01)


def test_basket_of_one_seller_only():
    buyer = UserFactory()
    items = [Item(factories.approved().pk), Item(factories.approved().pk)]
    with pytest.raises(InvalidInput):
        services.create_order(actor=buyer, buyer=buyer, items=items)


def test_own_product_suspended_seller_and_hidden_product():
    product = factories.approved()
    with pytest.raises(errors.OwnProduct):
        factories.order(product, buyer=product.seller)
    with pytest.raises(errors.NotForSale):
        factories.order(factories.draft())
    product.seller.suspended_at = timezone.now()
    product.seller.save()
    with pytest.raises(errors.SellerNotActive):
        factories.order(product)
    product.refresh_from_db()
    assert product.stock == 10


def test_out_of_stock_says_how_much_is_left():
    product = factories.approved(stock=2)
    with pytest.raises(errors.OutOfStock) as refused:
        factories.order(product, quantity=3)
    assert refused.value.extra["stock"] == 2


def test_unlimited_stock_stays_unlimited():
    product = factories.approved(stock=None, kind="service")
    order = factories.order(product, quantity=7)
    services.cancel_order(actor=order.buyer, order=order)
    product.refresh_from_db()
    assert product.stock is None


def test_expiry_frees_stock_and_a_late_payment_takes_it_again():
    product = factories.approved(stock=1)
    order = factories.order(product)
    Order.objects.filter(pk=order.pk).update(reserved_until=timezone.now() - timedelta(seconds=1))
    assert services.expire_reservations() == 1
    assert services.expire_reservations() == 0
    product.refresh_from_db()
    assert product.stock == 1
    order = services.pay_order(actor=None, order=order)
    product.refresh_from_db()
    assert (order.status, product.stock) == ("paid", 0)


def test_a_late_payment_without_stock_is_refused():
    product = factories.approved(stock=1)
    order = factories.order(product)
    Order.objects.filter(pk=order.pk).update(reserved_until=timezone.now())
    services.expire_reservations()
    factories.order(product)
    with pytest.raises(errors.OrderNotResumable):
        services.pay_order(actor=None, order=order)


def test_cancel_frees_the_stock_once():
    product = factories.approved(stock=1)
    order = factories.order(product)
    services.cancel_order(actor=order.buyer, order=order)
    with pytest.raises(errors.TransitionNotAllowed):
        services.cancel_order(actor=order.buyer, order=order)
    product.refresh_from_db()
    assert product.stock == 1


def test_changed_price_is_noticed():
    product = factories.approved()
    buyer = UserFactory()
    with pytest.raises(errors.AmountMismatch) as refused:
        services.create_order(
            actor=buyer, buyer=buyer, items=[Item(product.pk)], expected_total=19_00
        )
    assert (refused.value.code, refused.value.extra) == ("price_changed", {"total": 20_00})


def test_paid_orders_complete_themselves_in_time():
    order = factories.paid()
    assert services.complete_due_orders() == 0
    Order.objects.filter(pk=order.pk).update(paid_at=timezone.now() - timedelta(days=15))
    assert services.complete_due_orders() == 1
