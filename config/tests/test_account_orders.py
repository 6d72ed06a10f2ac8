"""What a ticket's page shows of its requester's orders: those it names, or the newest."""

import pytest

from marketplace import account, services
from marketplace.models import Order
from marketplace.tests import factories as shop
from support.tests import factories as desk
from systemadmin.foundation.plugins import account_dealings
from systemadmin.foundation.testing import queries_of
from systemadmin.tests.factories import StaffFactory

pytestmark = pytest.mark.django_db


def shown(viewer, user, text=""):
    groups = account_dealings(viewer, user, text)
    return [(one.title, one.is_named) for group in groups for one in group["dealings"]]


def test_named_orders_come_instead_of_the_newest(superuser, member, other_member):
    mine = [shop.paid(buyer=member) for _ in range(5)]
    foreign = shop.paid(buyer=other_member)
    Order.objects.filter(pk=mine[0].pk).update(external_id="W-1042")
    newest = [(f"#{one.pk}", False) for one in reversed(mine[1:])]
    assert shown(superuser, member, "My lamp is broken, 3.50 EUR, 12,5 %") == newest
    assert shown(superuser, member, f"Where is #{mine[1].pk}?") == [(f"#{mine[1].pk}", True)]
    title = f"#{mine[0].pk} · W-1042"
    assert shown(superuser, member, "order W-1042, please") == [(title, True)]
    # Nobody is led to an order of somebody else, nor stopped by a number that is none.
    assert shown(superuser, member, f"{foreign.pk} {'9' * 40} {10**18}") == newest
    assert shown(superuser, member, "1-" * 5000) == newest


def test_money_and_the_refund_stand_there_by_permission(superuser, member):
    order = shop.paid(buyer=member)
    services.refund_order(actor=superuser, order=order, amount=100, reason="Test")
    (one,) = account.orders_of(member, "", superuser)
    assert ("Refunded", "1.00 EUR") in [(str(label), value) for label, value in one.rows]
    assert [url for _text, url in one.acts] == [f"{one.url}?open=refund"]
    assert account.orders_of(member, "", StaffFactory(role="auditor"))[0].acts == []
    assert shown(StaffFactory(), member) == []
    (sold,) = account.orders_of(order.seller, "", superuser)
    assert str(sold.rows[0][0]) == "Sold"


def test_the_page_of_a_ticket_shows_them_at_the_same_cost(admin_client_for, superuser, member):
    order = shop.paid(buyer=member)
    ticket = desk.make_ticket(requester=member, subject=f"Order #{order.pk} is broken")
    client = admin_client_for(superuser)
    page = f"/admin/support/ticket/{ticket.pk}/change/"
    assert f'href="/admin/marketplace/order/{order.pk}/change/?open=refund"' in (
        client.get(page).content.decode()
    )
    one = len(queries_of(lambda: account.orders_of(member, "", superuser)))
    for _ in range(3):
        shop.paid(buyer=member)
    assert len(queries_of(lambda: account.orders_of(member, "", superuser))) == one
    order_page = f"/admin/marketplace/order/{order.pk}/change/?open=refund"
    assert "data-start" in client.get(order_page).content.decode()
