"""What one person of staff could do with money alone: found from inside, refused since."""

import pytest
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from marketplace import services
from marketplace.models import CommissionRule, FeeTaxRate, Order, Product
from marketplace.services.commission import content
from marketplace.services.ledger import seller_balances
from marketplace.tests import factories as shop
from riskops.tests.factories import confirmed
from systemadmin.foundation.testing import problem
from systemadmin.models import AmountDoneAlone
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.services.service_keys import create_service_key
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.two_people, pytest.mark.usefixtures("shipped")]


@pytest.fixture
def product():
    return shop.approved(UserFactory(), price=50_00)


@pytest.fixture
def buyer():
    return UserFactory()


def key_of(owner, *permissions, **more):
    issued = create_service_key(
        actor=None, name=f"key of {owner.pk}", owner=owner, permissions=permissions, **more
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {issued.secret}")
    return client


def importing_key(owner):
    rights = ("import_order", "pay_order", "complete_order")
    return key_of(owner, *(f"marketplace.{right}" for right in rights))


def imported_row(product, buyer, number=1, price=490_00, is_paid=True, **line):
    row = {
        "external_id": f"o-{number}",
        "buyer": buyer.pk,
        "currency": "EUR",
        "ordered_at": "2026-01-02T10:00:00Z",
        "lines": [{"product": product.pk, "quantity": 1, "unit_price": price, **line}],
    }
    if is_paid:
        paid_at = "2026-01-02T10:05:00Z"
        row["payment"] = {"reference": f"pi_{number}", "paid_at": paid_at}
        row["completed_at"] = "2026-01-09T10:00:00Z"
    return row


def sent(client, rows):
    answer = client.post("/api/admin/orders/batch", {"orders": rows}, format="json")
    assert answer.status_code == 200, answer.content
    return [one.get("code", one["status"]) for one in answer.json()["results"]]


def paid_by_hand(client, order):
    url, body = f"/api/admin/orders/{order.pk}/pay", {"reference": f"r-{order.pk}"}
    return client.post(url, body, format="json", HTTP_APPROVAL_REASON="arrived")


# -- what the platform owes -----------------------------------------------------------------


def test_an_imported_discount_by_the_platform_counts(operator, product, buyer, as_user):
    row = imported_row(product, buyer, price=50_000_000, platform_discount=49_999_900)
    refused = as_user(operator).post("/api/admin/orders", row, format="json")
    assert problem(refused, 403)["code"] == "second_person_needed"
    assert not Order.objects.exists()
    assert not seller_balances(product.seller_id)


def test_a_key_is_held_to_the_limit_per_order(operator, product, buyer):
    client = importing_key(operator)
    large = imported_row(product, buyer, 0, price=50_000_000, platform_discount=49_999_900)
    rows = [large, *(imported_row(product, buyer, number) for number in range(1, 5))]
    assert sent(client, rows) == ["second_person_needed", *["created"] * 4]


def test_a_payment_by_hand_counts_the_discount_by_the_platform(operator, product, buyer, as_user):
    row = imported_row(product, buyer, price=2_000_00, platform_discount=1_999_00, is_paid=False)
    order, _new = services.import_order(actor=None, row=row)
    assert paid_by_hand(as_user(operator), order).status_code == 202
    order.refresh_from_db()
    assert (order.status, order.total) == ("reserved", 1_00)


# -- the sum of a day -----------------------------------------------------------------------


def test_imported_payments_add_up_over_the_batch(operator, product, buyer, as_user):
    rows = [imported_row(product, buyer, number) for number in range(20)]
    rows.append(imported_row(product, buyer, 20, is_paid=False))
    outcomes = sent(as_user(operator), rows)
    assert outcomes == [*["created"] * 2, *["second_person_needed"] * 18, "created"]
    assert sum(AmountDoneAlone.objects.values_list("amount", flat=True)) == 980_00
    assert services.check_ledger() == []


def test_imports_and_payments_by_hand_are_one_sum(operator, product, buyer, as_user):
    client = as_user(operator)
    for number in range(2):
        row = imported_row(product, buyer, number)
        assert client.post("/api/admin/orders", row, format="json").status_code == 201
    third = client.post("/api/admin/orders", imported_row(product, buyer, 2), format="json")
    assert problem(third, 403)["code"] == "second_person_needed"
    order = shop.order(shop.approved(price=30_00))
    assert paid_by_hand(client, order).status_code == 202
    # Somebody else has a sum of their own; the command line has no limit.
    assert sent(as_user(StaffFactory(role="operator")), [imported_row(product, buyer, 3)]) == [
        "created"
    ]
    done = services.import_orders(
        actor=None, rows=[imported_row(product, buyer, number) for number in range(4, 10)]
    )
    assert [one.status for one in done] == ["created"] * 6


def test_imported_payments_of_all_currencies_are_one_sum(operator, buyer, as_user):
    rows = []
    for number, currency in enumerate(("EUR", "USD", "CHF")):
        product = shop.approved(UserFactory(), price=50_00, currency=currency)
        rows.append({**imported_row(product, buyer, number), "currency": currency})
    assert sent(as_user(operator), rows) == ["created", "created", "second_person_needed"]
    one_by_one = [sent(as_user(StaffFactory(role="operator")), [row])[0] for row in rows[2:]]
    assert one_by_one == ["created"]


def test_a_row_that_the_database_refuses_changes_no_sum(operator, product, buyer, as_user):
    rows = [imported_row(product, buyer, number, price=300_00) for number in range(4)]
    rows[1]["payment"]["reference"] = "pi_0"
    outcomes = sent(as_user(operator), rows)
    assert outcomes == ["created", "payment_reference_used", "created", "second_person_needed"]
    assert sum(AmountDoneAlone.objects.values_list("amount", flat=True)) == 600_00
    assert services.check_ledger() == []


@pytest.mark.parametrize("rows", [1, 30])
def test_the_sum_costs_the_same_for_one_and_for_many(
    rows, operator, product, buyer, as_user, django_assert_max_num_queries
):
    client = as_user(operator)
    body = {"orders": [imported_row(product, buyer, number, price=1_00) for number in range(rows)]}
    with django_assert_max_num_queries(100):
        assert client.post("/api/admin/orders/batch", body, format="json").json()["created"] == rows


# -- one's own side -------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["seller", "buyer"])
@pytest.mark.parametrize("by", ["person", "key"])
@pytest.mark.parametrize("whose", ["own", "related"])
def test_nobody_imports_orders_of_his_own(side, by, whose, operator, product, buyer, as_user):
    account = operator if whose == "own" else confirmed(operator, UserFactory())
    client = as_user(operator) if by == "person" else importing_key(operator)
    if side == "seller":
        mine = imported_row(shop.approved(account), buyer)
    else:
        mine = imported_row(product, account)
    assert sent(client, [mine, imported_row(product, buyer, 2)]) == ["own_interest", "created"]


# -- disputes in a member's name ------------------------------------------------------------


@pytest.fixture
def member():
    return UserFactory(external_id="u-1")


def speaking(owner):
    client = key_of(
        owner, "systemadmin.act_for_member", member_scopes=("orders:read", "orders:write")
    )
    client.credentials(**client._credentials, HTTP_ACT_FOR="ext:u-1")
    return client


@pytest.mark.parametrize("seller_is", ["owner", "related", "somebody"])
def test_the_owner_of_a_key_does_not_speak_in_his_own_dispute(seller_is, operator, member):
    seller = {
        "owner": lambda: operator,
        "related": lambda: confirmed(operator, UserFactory()),
        "somebody": UserFactory,
    }[seller_is]()
    client = speaking(operator)
    order = shop.paid(shop.approved(seller), buyer=member)
    opening = {"reason": "not_received", "body": "Where is it?"}
    opened = client.post(f"/api/orders/{order.pk}/dispute", opening, format="json")
    if seller_is != "somebody":
        assert problem(opened, 403)["code"] == "own_interest"
        services.open_dispute(actor=member, order=order, reason="not_received", body="")
    else:
        assert opened.status_code == 201, opened.content
    url = f"/api/orders/{order.pk}/dispute/messages"
    said = client.post(url, {"body": "It came after all."}, format="json")
    if seller_is != "somebody":
        assert problem(said, 403)["code"] == "own_interest"
    else:
        assert said.status_code == 201, said.content


# -- fees and the taxes on them -------------------------------------------------------------


def tried_with_fees(client, fee):
    """Change what is charged, each by a call; return what was answered."""
    rates, headers = "/api/admin/fee-tax-rates", {"HTTP_APPROVAL_REASON": "new%20law"}
    body = {"country": "XK", "tax_status": "", "ppm": 0, "is_reverse_charge": True}
    made = client.post(rates, body, format="json", **headers)
    rate, gone = FeeTaxRate.objects.get(country="DE"), FeeTaxRate.objects.get(country="AT")
    answers = [
        made,
        client.patch(f"{rates}/{rate.pk}", {"ppm": 0}, format="json", **headers),
        client.patch(f"/api/admin/fees/{fee.pk}", {"is_active": False}, format="json", **headers),
        client.delete(f"{rates}/{gone.pk}", **headers),
    ]
    return [one.status_code for one in answers]


def test_one_person_changes_no_fee_that_is_charged(operator, as_user, admin_client_for):
    rule = shop.rule(ppm=100_000)
    for country in ("DE", "AT"):
        services.create_fee_tax_rate(actor=None, country=country, ppm=190_000)
    shop.completed()
    assert tried_with_fees(as_user(operator), rule.fee) == [202] * 4
    form = {"country": "FR", "tax_status": "", "ppm": "0"}
    admin_client_for(operator).post("/admin/marketplace/feetaxrate/add/", form)
    assert list(FeeTaxRate.objects.values_list("ppm", flat=True)) == [190_000] * 2
    rule.fee.refresh_from_db()
    assert rule.fee.is_active
    # Its name and its place decide nothing.
    named = as_user(operator).patch(
        f"/api/admin/fees/{rule.fee_id}", {"name": "Selling fee"}, format="json"
    )
    assert named.status_code == 200, named.content


def test_one_person_sets_fees_up_before_anybody_is_charged(operator, as_user):
    rule = shop.rule(ppm=100_000)
    for country in ("DE", "AT"):
        services.create_fee_tax_rate(actor=None, country=country, ppm=190_000)
    assert tried_with_fees(as_user(operator), rule.fee) == [201, 200, 200, 204]


def tried_with_rules(client, rule, other):
    """Change rules for everybody, each by a call; return what was answered."""
    rules, headers = "/api/admin/commission-rules", {"HTTP_APPROVAL_REASON": "spring%20sale"}
    narrow = {"name": "One price", "currency": "EUR", "unit_from": 1, "unit_below": 2, "ppm": 0}
    answers = [
        client.post(rules, {**narrow, "position": 1}, format="json", **headers),
        client.patch(f"{rules}/{rule.pk}", {"ppm": 0}, format="json", **headers),
        client.post(f"{rules}/reorder", {"order": [other.pk, rule.pk]}, format="json", **headers),
        client.delete(f"{rules}/{other.pk}", **headers),
    ]
    return [one.status_code for one in answers]


def test_one_person_changes_no_rule_for_everybody(operator, as_user, admin_client_for):
    rule, other = shop.rule(ppm=100_000), shop.rule(ppm=50_000, kinds=["service"])
    seller = shop.completed().seller
    before = content(rule)
    assert tried_with_rules(as_user(operator), rule, other) == [202] * 4
    rule.refresh_from_db()
    assert content(rule) == before
    assert in_order() == [rule.pk, other.pk]
    page = "/admin/marketplace/commissionrule/"
    client = admin_client_for(operator)
    body = {f"position-{rule.pk}": 2, f"position-{other.pk}": 1}
    client.post(f"{page}order/", body)
    client.post(f"{page}{other.pk}/delete/", {"post": "yes"})
    assert in_order() == [rule.pk, other.pk]
    # Its name decides nothing; a rule for named sellers, or one that is off, is one person's.
    named = [
        services.update_rule(actor=operator, rule=rule, name="Selling fee"),
        services.create_rule(actor=operator, name="Theirs", ppm=0, position=1, sellers=[seller]),
        services.create_rule(
            actor=operator, name="Draft", ppm=0, applies_to_all=True, is_active=False
        ),
    ]
    assert all(one.pk for one in named)
    for opened in ({"sellers": []}, {"sellers": UserFactory.create_batch(21)}):
        with pytest.raises(SecondPersonNeeded):
            services.update_rule(
                actor=operator, rule=named[1], **{"applies_to_all": True, **opened}
            )
    with pytest.raises(SecondPersonNeeded):
        services.update_rule(actor=operator, rule=named[2], is_active=True)


def test_one_person_sets_rules_up_before_anybody_is_charged(operator, as_user):
    rule, other = shop.rule(ppm=100_000), shop.rule(ppm=50_000, kinds=["service"])
    client = as_user(operator)
    assert (
        client.patch(
            f"/api/admin/commission-rules/{rule.pk}", {"ppm": 0}, format="json"
        ).status_code
        == 200
    )
    services.reorder_rules(actor=operator, ids=[other.pk, rule.pk])


# -- the order of commission rules ----------------------------------------------------------


def own_rule(kind, operator):
    """A rule that concerns the operator, the second of three."""
    shop.rule(ppm=100_000, kinds=["product"])
    account = confirmed(operator, UserFactory()) if kind == "related" else operator
    if kind == "products":
        rule = shop.rule(ppm=200_000, products=[shop.approved(account)])
    elif kind == "categories":
        category = shop.category()
        shop.approved(account, category=shop.category(parent=category))
        rule = shop.rule(ppm=200_000, categories=[category])
    else:
        rule = shop.rule(ppm=200_000, sellers=[account])
    shop.rule(ppm=50_000)
    return rule


def in_order():
    return list(CommissionRule.objects.order_by("position", "id").values_list("pk", flat=True))


@pytest.mark.parametrize("kind", ["sellers", "related", "products", "categories"])
def test_nobody_moves_rules_past_his_own(kind, operator, as_user):
    operator.user_permissions.add(*rights("add_commissionrule", "change_commissionrule"))
    own = own_rule(kind, operator)
    client, before = as_user(operator), in_order()
    rules = "/api/admin/commission-rules"
    first, _second, third = before[-3:]
    moved = [*before[:-3], third, first, own.pk]
    tries = [
        client.post(f"{rules}/reorder", {"order": moved}, format="json"),
        client.patch(f"{rules}/{third}", {"position": len(before) - 1}, format="json"),
        client.patch(f"{rules}/{own.pk}", {"ppm": 0}, format="json"),
        client.post(
            rules, {"name": "First", "ppm": 0, "applies_to_all": True, "position": 1}, format="json"
        ),
    ]
    assert [(one.status_code, one.json().get("code")) for one in tries] == [
        (403, "own_interest")
    ] * 4
    assert in_order() == before
    # What leaves it where it is among the others is as ever.
    same = client.post(f"{rules}/reorder", {"order": before}, format="json")
    assert same.status_code == 200, same.content
    added = client.post(rules, {"name": "Last", "ppm": 0, "applies_to_all": True}, format="json")
    assert added.status_code == 201, added.content
    last = client.patch(f"{rules}/{added.json()['id']}", {"position": len(before)}, format="json")
    assert last.status_code == 200, last.content


def test_a_category_with_products_of_others_is_nobodys(operator, as_user):
    operator.user_permissions.add(*rights("change_commissionrule"))
    category = shop.category()
    shop.approved(operator, category=category)
    shop.approved(category=category)
    rule = shop.rule(ppm=200_000, categories=[category])
    answer = as_user(operator).patch(
        f"/api/admin/commission-rules/{rule.pk}", {"position": 1}, format="json"
    )
    assert answer.status_code == 200, answer.content


def listed(client, category):
    body = {"title": "Lamp", "description": "Bright", "price": 10_00, "currency": "EUR"}
    return client.post("/api/products", {**body, "category": category.pk}, format="json")


@pytest.mark.parametrize("by", ["person", "key"])
@pytest.mark.parametrize("whose", ["own", "related"])
def test_nobody_sells_under_a_rule_that_he_wrote_for_an_empty_category(by, whose, as_user):
    operator, colleague = StaffFactory(role="operator"), StaffFactory(role="operator")
    seller = operator if whose == "own" else confirmed(operator, UserFactory())
    everything = shop.category()
    category = shop.category(parent=everything)
    author = as_user(operator)
    if by == "key":
        author = key_of(operator, "marketplace.add_commissionrule")
    rule = {"name": "Free", "ppm": 0, "categories": [everything.pk]}
    made = author.post("/api/admin/commission-rules", rule, format="json")
    assert made.status_code == 201, made.content
    client = as_user(seller)
    refused = problem(listed(client, category), 400)["errors"][0]
    assert (refused["field"], refused["code"]) == ("category", "own_interest")
    elsewhere = listed(client, shop.category())
    assert elsewhere.status_code == 201, elsewhere.content
    product = f"/api/products/{elsewhere.json()['id']}"
    problem(client.patch(product, {"category": category.pk}, format="json"), 400)
    # Nor is the place of one's products moved to another branch.
    place = elsewhere.json()["category"]["id"]
    mover = StaffFactory(is_superuser=True)
    confirmed(operator, mover)
    moved = as_user(mover).patch(
        f"/api/admin/categories/{place}", {"parent": everything.pk}, format="json"
    )
    problem(moved, 403)
    # Others sell there as they like; and so may the author once a colleague stands for the rule.
    assert listed(as_user(UserFactory()), shop.category(parent=everything)).status_code == 201
    Product.objects.exclude(pk=elsewhere.json()["id"]).delete()
    saved = as_user(colleague).patch(
        f"/api/admin/commission-rules/{made.json()['id']}",
        {"name": "Free for a start"},
        format="json",
    )
    assert saved.status_code == 200, saved.content
    assert listed(client, category).status_code == 201


def rights(*names):
    return Permission.objects.filter(content_type__app_label="marketplace", codename__in=names)
