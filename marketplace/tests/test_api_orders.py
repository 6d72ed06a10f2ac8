"""Orders, disputes, refunds and payouts over HTTP."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace.models import Order
from marketplace.tests import factories
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.tests.factories import UserFactory
from systemadmin.tests.pictures import png

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]
PNG = png()


@pytest.fixture
def seller(other_member):
    return other_member


@pytest.fixture
def buyer(as_user, member):
    return as_user(member)


@pytest.fixture
def shop(as_user, seller):
    return as_user(seller)


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


@pytest.fixture
def moderator(as_user, staff):
    return as_user(staff("marketplace_moderator"))


@pytest.fixture
def product(seller):
    factories.rule(ppm=100_000, tax_ppm=210_000)
    return factories.approved(seller, stock=5)


def buy(buyer, product, quantity=1, **headers):
    return buyer.post("/api/orders", {"product": product.pk, "quantity": quantity}, headers=headers)


def test_from_purchase_to_payout(buyer, shop, operator, product, seller):
    made = buy(buyer, product, 2)
    assert made.status_code == 201, made.json()
    pk = made.json()["id"]
    assert (made.json()["total"], made.json()["status"]) == (40_00, "reserved")
    assert "commission" not in made.json()
    assert shop.get(f"/api/orders/{pk}").json()["commission"] == 4_00
    paid = operator.post(f"/api/admin/orders/{pk}/pay", {"reference": "p1", "amount": 40_00})
    assert paid.json()["status"] == "paid"
    assert paid.json()["commission_lines"][0]["trace"][0]["matched"] is True
    assert buyer.post(f"/api/orders/{pk}/confirm").json()["status"] == "completed"
    balance = operator.get(f"/api/admin/sellers/{seller.pk}/balance").json()
    assert balance["balances"][0]["available"] == 40_00 - 4_00 - 84
    payout = operator.post("/api/admin/payouts", {"seller": seller.pk, "currency": "EUR"})
    assert (payout.status_code, payout.json()["amount"]) == (201, 35_16)
    url = f"/api/admin/payouts/{payout.json()['id']}"
    problem(
        operator.post("/api/admin/payouts", {"seller": seller.pk, "currency": "EUR"}),
        409,
        "payout_open",
    )
    assert operator.post(f"{url}/mark-failed", {"reason": "IBAN"}).json()["status"] == "failed"
    assert operator.post(f"{url}/retry").json()["attempts"] == 2
    assert operator.post(f"{url}/mark-paid", {"reference": "b1"}).json()["status"] == "paid"
    problem(operator.post(f"{url}/mark-paid"), 409, "transition_not_allowed")
    entries = operator.get("/api/admin/ledger?page_size=100").json()["results"]
    assert sum(entry["amount"] for entry in entries) == 0
    assert {entry["kind"] for entry in entries} == {
        "payment",
        "completion",
        "payout",
        "payout_paid",
    }


def test_same_key_same_order(buyer, product):
    headers = {"Idempotency-Key": "k-1"}
    one = buy(buyer, product, **headers)
    two = buy(buyer, product, **headers)
    assert one.json() == two.json()
    assert Order.objects.count() == 1
    assert two["Idempotent-Replayed"] == "true"
    problem(buy(buyer, product, 2, **headers), 422)


def test_refunds(buyer, operator, product):
    pk = buy(buyer, product).json()["id"]
    operator.post(f"/api/admin/orders/{pk}/pay")
    operator.post(f"/api/admin/orders/{pk}/complete")
    first = operator.post(f"/api/admin/orders/{pk}/refund", {"amount": 5_00})
    assert (first.status_code, first.json()["commission"], first.json()["tax"]) == (201, 50, 11)
    problem(
        operator.post(f"/api/admin/orders/{pk}/refund", {"amount": 15_01}), 409, "refund_too_high"
    )
    operator.post(f"/api/admin/orders/{pk}/refund")
    detail = operator.get(f"/api/admin/orders/{pk}").json()
    assert (detail["status"], detail["refunded_commission"], detail["refunded_tax"]) == (
        "refunded",
        2_00,
        42,
    )
    assert [refund["number"] for refund in detail["refunds"]] == [1, 2]


def test_dispute_with_evidence_and_internal_note(
    buyer, shop, moderator, operator, product, as_user
):
    pk = buy(buyer, product).json()["id"]
    operator.post(f"/api/admin/orders/{pk}/pay")
    problem(shop.post(f"/api/orders/{pk}/dispute", {"reason": "other", "body": "x"}), 403)
    made = buyer.post(f"/api/orders/{pk}/dispute", {"reason": "damaged", "body": "Broken."})
    assert made.status_code == 201, made.json()
    dispute = f"/api/admin/disputes/{made.json()['id']}"
    url = f"/api/orders/{pk}/dispute/messages"
    sent = buyer.post(url, {"evidence": SimpleUploadedFile("p.png", PNG)}, format="multipart")
    assert sent.status_code == 201, sent.json()
    assert shop.post(url, {"body": "It was whole."}).status_code == 201
    note = moderator.post(f"{dispute}/messages", {"body": "Third time.", "internal": True})
    assert note.status_code == 201
    assert [row["body"] for row in shop.get(url).json()["results"]] == [
        "Broken.",
        "",
        "It was whole.",
    ]
    assert len(moderator.get(dispute).json()["messages"]) == 4
    file = shop.get(f"{url}/{sent.json()['id']}/evidence")
    assert file["Content-Disposition"].startswith("attachment")
    assert b"".join(file.streaming_content) == PNG
    stranger = as_user(UserFactory())
    problem(stranger.get(url), 404)
    problem(stranger.get(f"{url}/{sent.json()['id']}/evidence"), 404)
    problem(buyer.get(f"{url}/{note.json()['id']}/evidence"), 404)
    done = moderator.post(
        f"{dispute}/resolve", {"in_favour_of": "buyer", "refund_amount": 10_00, "note": "Half"}
    )
    assert (done.json()["status"], done.json()["refund_amount"]) == ("resolved_buyer", 10_00)
    assert buyer.get(f"/api/orders/{pk}").json()["status"] == "completed"


def test_cancel_before_and_after_payment(buyer, shop, operator, product):
    pk = buy(buyer, product).json()["id"]
    assert buyer.post(f"/api/orders/{pk}/cancel").json()["status"] == "cancelled"
    pk = buy(buyer, product).json()["id"]
    operator.post(f"/api/admin/orders/{pk}/pay")
    problem(buyer.post(f"/api/orders/{pk}/cancel"), 409, "transition_not_allowed")
    assert shop.post(f"/api/orders/{pk}/cancel", {"reason": "Sold out"}).json()["status"] == (
        "refunded"
    )
    product.refresh_from_db()
    assert product.stock == 5


def test_only_the_buyer_confirms(shop, buyer, operator, product):
    pk = buy(buyer, product).json()["id"]
    operator.post(f"/api/admin/orders/{pk}/pay")
    problem(shop.post(f"/api/orders/{pk}/confirm"), 403)


def test_strangers_see_nothing(as_user, buyer, product):
    pk = buy(buyer, product).json()["id"]
    stranger = as_user(UserFactory())
    assert stranger.get("/api/orders").json()["results"] == []
    for method, path in [
        ("get", ""),
        ("post", "/cancel"),
        ("post", "/confirm"),
        ("post", "/dispute"),
        ("get", "/dispute/messages"),
    ]:
        problem(getattr(stranger, method)(f"/api/orders/{pk}{path}", {}), 404)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "product"),
        ({"product": "x"}, "product"),
        ({"product": 1, "quantity": 0}, "quantity"),
        ({"product": 1, "quantity": 10**9}, "quantity"),
        ({"product": 1, "items": [{"product": 2}]}, "product"),
        ({"items": [{"product": 1, "quantity": -1}]}, "items.0.quantity"),
        ({"product": 1, "price": 1}, "price"),
    ],
)
def test_wrong_input(buyer, body, field):
    problem(buyer.post("/api/orders", body), 400, field=field)


def test_missing_product_is_404_and_last_piece_409(buyer, product):
    problem(buyer.post("/api/orders", {"product": 999_999}), 404)
    refused = problem(buy(buyer, product, 6), 409, "out_of_stock")
    assert refused["stock"] == 5


@pytest.mark.parametrize(
    "sides", ["bbbbbbbssssss", "bsbsbsbsbsbs", "sssssssssbbb", "bbbb", "s", ""]
)
def test_pages_of_both_sides_joined_have_no_gap_and_no_double(buyer, member, product, sides):
    mine = factories.approved(member, stock=None)
    theirs = factories.approved(product.seller, stock=None)
    made = [
        factories.order(theirs, buyer=member) if side == "b" else factories.order(mine)
        for side in sides
    ]
    factories.order(theirs)
    newest_first = [order.pk for order in reversed(made)]
    pages, link = [], "/api/orders?page_size=3"
    while link:
        page = buyer.get(link).json()
        pages.append([row["id"] for row in page["results"]])
        last, link = link, page["next"]
    assert [pk for page in pages for pk in page] == newest_first
    back, link = [], buyer.get(last).json()["previous"]
    while link:
        page = buyer.get(link).json()
        back.append([row["id"] for row in page["results"]])
        link = page["previous"]
    assert back == pages[-2::-1] if len(pages) > 1 else back == []


def test_lists_filter_and_do_not_grow_in_queries(buyer, shop, operator, moderator, product, member):
    buy(buyer, product)
    other = factories.approved(member, stock=None)

    def grow():
        for _ in range(8):
            factories.completed(factories.approved(product.seller), buyer=member)
            factories.order(other)

    assert_constant_queries(lambda: buyer.get("/api/orders"), grow)
    assert_constant_queries(lambda: operator.get("/api/admin/orders"), grow)
    assert_constant_queries(lambda: operator.get("/api/admin/ledger"), grow)
    rows = buyer.get("/api/orders?role=seller&page_size=100").json()["results"]
    assert {row["seller"]["id"] for row in rows} == {member.pk}
    problem(buyer.get("/api/orders?role=king"), 400, field="role")
    rows = operator.get("/api/admin/orders?status=completed&page_size=100").json()["results"]
    assert len(rows) == 24


def test_quote_names_rule_and_reason(moderator, product):
    answer = moderator.post("/api/admin/commissions/quote", {"product": product.pk, "quantity": 3})
    quoted = answer.json()
    assert (quoted["commission"], quoted["tax"], quoted["seller_net"]) == (6_00, 1_26, 52_74)
    assert quoted["rule"]["name"]
    assert [step["step"] for step in quoted["trace"]] == ["rule", "base", "percent", "tax"]
    loose = moderator.post(
        "/api/admin/commissions/quote",
        {
            "category": product.category_id,
            "seller": product.seller_id,
            "amount": 1000,
            "currency": "JPY",
        },
    )
    assert loose.json()["commission"] == 100
    problem(moderator.post("/api/admin/commissions/quote", {"amount": 5}), 400, field="category")


def test_payment_service_may_tell_twice(buyer, operator, product):
    pk = buy(buyer, product).json()["id"]
    for _ in range(3):
        answer = operator.post(f"/api/admin/orders/{pk}/pay", {"reference": "pay-9"})
        assert answer.json()["status"] == "paid"
    problem(operator.post(f"/api/admin/orders/{pk}/pay", {"reference": "pay-10"}), 409)
    assert operator.get(f"/api/admin/ledger?order={pk}").json()["results"][0]["kind"] == "payment"


def test_suspended_buyers_read_only(as_user, product):
    from django.utils import timezone

    suspended = UserFactory(suspended_at=timezone.now())
    client = as_user(suspended)
    assert client.get("/api/orders").status_code == 200
    problem(buy(client, product), 403, "account_suspended")
