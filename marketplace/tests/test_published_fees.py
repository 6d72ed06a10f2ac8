"""Fees as marketplaces publish them, set up and charged by way of the API, right to the cent.

Each example of `data/published_fees.json` names its source: a schedule, an order, and what the
price list says that it costs. `refunds` are made one after the other; each says what of the fees
has gone back in all by then. `payout` is what paying the seller out costs.
"""

import json
from pathlib import Path

import pytest

from marketplace import services
from marketplace.models import LedgerEntry
from marketplace.services.order_creation import Item
from marketplace.tests import factories
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]
EXAMPLES = json.loads((Path(__file__).parent / "data" / "published_fees.json").read_text())


def created(operator, path, body):
    answer = operator.post(f"/api/admin/{path}", body)
    assert answer.status_code == 201, answer.json()
    return answer.json()["id"]


def set_up(operator, example):
    """Make the schedule and the taxes of an example, and return its seller."""
    for place, fee in enumerate(example["fees"], 1):
        payer = fee.get("payer", "seller")
        about = {"code": f"fee-{place}", "name": f"Fee {place}", "position": place, "payer": payer}
        pk = created(operator, "fees", about)
        for rule in fee["rules"]:
            own = {"name": "Rule", "fee": pk, "currency": example["currency"], **rule}
            created(operator, "commission-rules", {"applies_to_all": True, **own})
    for tax in example.get("taxes", ()):
        created(operator, "fee-tax-rates", tax)
    about = dict(example.get("seller", {}))
    seller = UserFactory(country=about.pop("country", ""))
    if about:
        answer = operator.put(f"/api/admin/sellers/{seller.pk}/profile", about)
        assert answer.status_code == 200, answer.json()
    return seller


def test_there_are_enough_and_each_names_its_source():
    assert len(EXAMPLES) >= 80
    assert len({one["id"] for one in EXAMPLES}) == len(EXAMPLES)
    assert all(one["source"] and one["claim"] and one["expected"] for one in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=[one["id"] for one in EXAMPLES])
def test_a_published_fee(as_user, staff, example):
    operator = as_user(staff("operator"))
    seller = set_up(operator, example)
    products = [
        factories.approved(seller, price=line["unit_price"], currency=example["currency"])
        for line in example["lines"]
    ]
    details = [{k: v for k, v in line.items() if k != "unit_price"} for line in example["lines"]]
    asked = [{"product": one.pk, **own} for one, own in zip(products, details, strict=True)]
    quote = operator.post("/api/admin/commissions/quote", {"lines": asked}).json()
    shown = {name: quote[name] for name in example["expected"] if name != "charges"}
    by_fee = {}
    for charge in quote["charges"]:
        by_fee[charge["fee"]] = by_fee.get(charge["fee"], 0) + charge["amount"]
    if "charges" in example["expected"]:
        shown["charges"] = [by_fee[fee] for fee in sorted(by_fee)]
    assert shown == example["expected"]
    buyer = UserFactory()
    items = [Item(one.pk, **own) for one, own in zip(products, details, strict=True)]
    order = services.create_order(actor=buyer, buyer=buyer, items=items)
    for name in ("commission", "tax", "buyer_fee", "total"):
        assert getattr(order, name) == quote[name]
    order = services.pay_order(actor=None, order=order)
    services.complete_order(actor=None, order=order)
    earned = quote["commission"] + sum(
        charge["amount"] for charge in quote["charges"] if charge["payer"] == "buyer"
    )
    assert booked("revenue") == earned
    lines = list(order.lines.order_by("pk").values_list("pk", flat=True))
    for refund in example.get("refunds", ()):
        answer = operator.post(f"/api/admin/orders/{order.pk}/refund", named(refund["what"], lines))
        assert answer.status_code == 201, answer.json()
        order.refresh_from_db()
        assert order.refunded_commission == refund["commission"], refund
        assert order.refunded_tax == refund.get("tax", 0), refund
        assert booked("revenue") == earned - order.refunded_commission
    if "payout" in example:
        body = {"seller": seller.pk, "currency": example["currency"]}
        payout = operator.post("/api/admin/payouts", body).json()
        assert {name: payout[name] for name in example["payout"]} == example["payout"]


def booked(code):
    entries = LedgerEntry.objects.filter(account__code=code)
    return -sum(entries.values_list("amount", flat=True))


def named(what, lines):
    """Return the body of a refund with the order's lines in place of their numbers."""
    body = dict(what)
    if "line" in body:
        body["line"] = lines[body["line"]]
    if "lines" in body:
        body["lines"] = [{**one, "line": lines[one["line"]]} for one in body["lines"]]
    return body
