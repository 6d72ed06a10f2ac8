"""What one desk knows of members who have met, seen where another desk shows names."""

import pytest

from marketplace.tests import factories as market

pytestmark = pytest.mark.django_db
BLOCKS = "/api/messages/blocks"


def shown(client, user_id):
    return client.post(BLOCKS, {"user": user_id}).json()["user"]


def test_names_are_told_to_both_sides_of_an_order(as_user):
    order = market.order()
    buyer, seller = as_user(order.buyer), as_user(order.seller)
    assert shown(buyer, order.seller_id)["name"] == order.seller.get_full_name()
    assert shown(buyer, order.seller_id)["username"] == order.seller.username
    assert shown(seller, order.buyer_id)["username"] == order.buyer.username


def test_sellers_are_known_by_the_user_name_beside_their_product(as_user, member, other_member):
    assert shown(as_user(other_member), member.pk)["username"] == ""
    market.draft(seller=member)
    assert shown(as_user(other_member), member.pk)["username"] == ""
    market.approved(seller=member)
    found = shown(as_user(other_member), member.pk)
    assert (found["username"], found["name"]) == ("marta", "")
