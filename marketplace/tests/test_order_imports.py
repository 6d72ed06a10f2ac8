"""Orders that happened elsewhere: once each, with commissions, books, risk and disputes."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from marketplace import services
from marketplace.errors import ImportedDifferently
from marketplace.models import LedgerTransaction, Order
from marketplace.services.ledger import seller_balances
from marketplace.services.order_imports import import_orders
from marketplace.tests import factories
from riskops.models import AccountEvent
from systemadmin.foundation.testing import problem, run_threads
from systemadmin.models import PublishedEvent
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    factories.rule(ppm=100_000)
    product = factories.approved(UserFactory(external_id="s-1"), price=50_00)
    product.external_id = "listing-1"
    product.save()
    UserFactory(external_id="b-1")
    return product


def row(number=1, **changed):
    values = {
        "external_id": f"o-{number}",
        "buyer": "ext:b-1",
        "currency": "EUR",
        "ordered_at": "2026-01-02T10:00:00Z",
        "lines": [
            {"product": "ext:listing-1", "quantity": 2, "unit_price": 40_00, "shipping": 5_00}
        ],
        "payment": {
            "reference": f"pi_{number}",
            "paid_at": "2026-01-02T10:05:00Z",
            "processing_fee": 1_00,
        },
    }
    return {**values, **changed}


class TestOne:
    def test_a_paid_order_is_in_the_books(self, shop, as_user, superuser):
        client = as_user(superuser)
        made = client.post("/api/admin/orders", row(total=85_00))
        assert made.status_code == 201, made.content
        order = Order.objects.get()
        assert (order.status, order.total, order.commission) == ("paid", 85_00, order.commission)
        assert order.commission > 0
        assert order.created_at == datetime(2026, 1, 2, 10, tzinfo=UTC)
        posted = LedgerTransaction.objects.get()
        assert (posted.kind, posted.posted_at) == ("payment", order.paid_at)
        assert services.check_ledger() == []
        assert AccountEvent.objects.filter(account=order.buyer, amount=85_00).exists()
        assert list(
            PublishedEvent.objects.filter(kind__startswith="order").values_list("kind", flat=True)
        ) == ["order.created", "order.paid"]

    def test_the_same_again_and_differently(self, shop, as_user, superuser):
        client = as_user(superuser)
        first = client.post("/api/admin/orders", row())
        again = client.post("/api/admin/orders", row())
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
        services.refund_order(actor=None, order=Order.objects.get(), amount=1_00)
        assert client.post("/api/admin/orders", row()).status_code == 200
        changed = row()
        changed["lines"][0]["quantity"] = 3
        problem(client.post("/api/admin/orders", changed), 409, field="lines")
        problem(client.post("/api/admin/orders", row(buyer="ext:s-1")), 409, field="buyer")
        assert Order.objects.count() == 1

    def test_a_completed_order_pays_its_seller_like_ours(self, shop):
        told = row(completed_at="2026-01-09T10:00:00Z")
        order, is_new = services.import_order(actor=None, row=told)
        assert (is_new, order.status) == (True, "completed")
        (balance,) = seller_balances(shop.seller_id)
        net = order.total - order.commission - order.tax - order.processing_fee
        assert balance["available"] == net
        assert services.check_ledger() == []
        services.refund_order(actor=None, order=order)
        assert services.check_ledger() == []

    def test_an_unpaid_order_is_paid_later(self, shop):
        told = row()
        del told["payment"]
        order, _new = services.import_order(actor=None, row=told)
        assert order.status == "reserved"
        services.pay_order(actor=None, order=order, reference="pi_9", amount=order.total)
        shop.refresh_from_db()
        assert services.import_order(actor=None, row=told) == (order, False)
        dispute = services.record_chargeback(actor=None, order=order, reference="du_1")
        assert dispute.order_id == order.pk
        assert services.check_ledger() == []

    def test_how_an_order_stands_now_is_nothing_new(self, shop):
        told = row()
        payment = told.pop("payment")
        order, _new = services.import_order(actor=None, row=told)
        assert services.import_order(actor=None, row={**told, "total": 85_00}) == (order, False)
        with pytest.raises(ImportedDifferently):
            services.import_order(actor=None, row={**told, "total": 1})
        with pytest.raises(ImportedDifferently):
            services.import_order(actor=None, row={**told, "payment": payment})
        services.pay_order(
            actor=None, order=order, reference=payment["reference"], amount=order.total
        )
        assert services.import_order(actor=None, row={**told, "payment": payment})[1] is False
        services.complete_order(actor=None, order=order)
        done = {**told, "payment": payment, "completed_at": "2026-01-03T10:00:00Z"}
        assert services.import_order(actor=None, row=done)[1] is False
        assert services.check_ledger() == []

    def test_a_closed_month_takes_nothing_more(self, shop):
        services.close_month(actor=None, month=datetime(2026, 1, 1).date())
        order, _new = services.import_order(actor=None, row=row())
        posted = LedgerTransaction.objects.get(order=order)
        assert posted.posted_at >= datetime(2026, 2, 1, tzinfo=UTC) - timedelta(hours=2)
        assert str(posted.belongs_to) == "2026-01-01"

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"surprise": 1}, "surprise"),
            ({"external_id": ""}, "external_id"),
            ({"buyer": "ext:nobody"}, "buyer"),
            ({"currency": "EURO"}, "currency"),
            ({"ordered_at": "1999-01-01T00:00:00Z"}, "ordered_at"),
            ({"ordered_at": "2999-01-01T00:00:00Z"}, "ordered_at"),
            ({"lines": []}, "lines"),
            (
                {"lines": [{"product": "ext:nothing", "quantity": 1, "unit_price": 1}]},
                "lines.0.product",
            ),
            (
                {"lines": [{"product": "ext:listing-1", "quantity": 0, "unit_price": 1}]},
                "lines.0.quantity",
            ),
            (
                {"lines": [{"product": "ext:listing-1", "quantity": 1, "unit_price": -1}]},
                "lines.0.unit_price",
            ),
            (
                {
                    "lines": [
                        {"product": "ext:listing-1", "quantity": 1, "unit_price": 5, "discount": 6}
                    ]
                },
                "lines.0.discount",
            ),
            (
                {"lines": [{"product": "ext:listing-1", "quantity": 1, "unit_price": 5}] * 2},
                "lines.1.product",
            ),
            (
                {"lines": [{"product": "ext:listing-1", "quantity": 1, "unit_price": 0}]},
                "lines",
            ),
            ({"payment": {"reference": "x"}}, "payment.paid_at"),
            ({"payment": {"paid_at": "2025-12-31T00:00:00Z"}}, "payment.paid_at"),
            ({"completed_at": "2026-01-02T10:00:00Z"}, "completed_at"),
        ],
    )
    def test_what_is_wrong_names_its_field(self, shop, as_user, superuser, changed, field):
        problem(as_user(superuser).post("/api/admin/orders", row(**changed)), 400, field=field)
        assert not Order.objects.exists()

    def test_every_wrong_field_is_named(self, shop, as_user, superuser):
        line = {"product": "listing", "quantity": 0, "unit_price": "5.00", "colour": "red"}
        told = row(currency="EURO", payment=[], lines=[line, "x"], surprise=1)
        del told["buyer"]
        answer = problem(as_user(superuser).post("/api/admin/orders", told), 400)
        assert {(one["field"], one["code"]) for one in answer["errors"]} == {
            ("surprise", "unknown_field"),
            ("buyer", "required"),
            ("currency", "invalid"),
            ("payment", "not_an_object"),
            ("lines.0.colour", "unknown_field"),
            ("lines.0.product", "invalid"),
            ("lines.0.quantity", "invalid"),
            ("lines.0.unit_price", "invalid"),
            ("lines.1", "not_an_object"),
        }

    def test_everything_unknown_is_named(self, shop, as_user, superuser):
        lines = [{"product": f"ext:no-{one}", "quantity": 1, "unit_price": 1} for one in range(2)]
        told = row(buyer="ext:nobody", lines=lines)
        answer = problem(as_user(superuser).post("/api/admin/orders", told), 400)
        assert [(one["field"], one["code"]) for one in answer["errors"]] == [
            (name, "does_not_exist") for name in ("buyer", "lines.0.product", "lines.1.product")
        ]

    def test_another_total_is_refused(self, shop, as_user, superuser):
        answer = as_user(superuser).post("/api/admin/orders", row(total=1))
        assert problem(answer, 409)["total"] == 85_00

    def test_rights(self, shop, as_user, staff, settings):
        from django.contrib.auth.models import Permission

        service = UserFactory()
        client = as_user(service)
        problem(client.post("/api/admin/orders", row()), 403)
        service.user_permissions.add(Permission.objects.get(codename="import_order"))
        client = as_user(type(service).objects.get(pk=service.pk))
        unpaid = {name: value for name, value in row().items() if name != "payment"}
        assert client.post("/api/admin/orders", unpaid).status_code == 201
        problem(client.post("/api/admin/orders", row(2)), 403)


class TestMany:
    def test_each_row_by_itself(self, shop, as_user, superuser):
        rows = [row(1), row(2, buyer="ext:nobody"), row(1), row(1, currency="USD"), row(3), 7]
        answer = as_user(superuser).post("/api/admin/orders/batch", {"orders": rows}).json()
        assert [one["status"] for one in answer["results"]] == [
            "created", "refused", "known", "refused", "created", "refused",
        ]  # fmt: skip
        assert (answer["created"], answer["known"], answer["refused"]) == (2, 1, 3)
        assert answer["results"][3]["field"] == "currency"
        refused = answer["results"][1]
        assert refused["external_id"] == row(2)["external_id"]
        assert refused["errors"] == [
            {"field": "buyer", "code": "does_not_exist", "detail": refused["detail"]}
        ]
        assert Order.objects.count() == 2
        assert services.check_ledger() == []

    def test_one_reference_for_two_orders(self, shop):
        second = row(2)
        second["payment"]["reference"] = "pi_1"
        done = import_orders(actor=None, rows=[row(1), second, row(3)])
        assert [one.status for one in done] == ["created", "refused", "created"]
        assert done[1].refusal.code == "payment_reference_used"

    def test_many_cost_few_queries(self, shop, django_assert_max_num_queries):
        import_orders(actor=None, rows=[row(0)])
        with django_assert_max_num_queries(60):
            import_orders(actor=None, rows=[row(number) for number in range(1, 60)])
        assert Order.objects.count() == 60

    def test_a_file_and_again(self, shop, tmp_path):
        path = tmp_path / "orders.jsonl"
        path.write_text("".join(json.dumps(row(number)) + "\n" for number in range(3)))
        out, err = StringIO(), StringIO()
        call_command("import_orders", str(path), stdout=out, stderr=err)
        call_command("import_orders", str(path), stdout=out, stderr=err)
        first, second = out.getvalue().splitlines()
        assert first.startswith("3 created, 0 known")
        assert second.startswith("0 created, 3 known")
        assert not PublishedEvent.objects.filter(kind__startswith="order").exists()
        table = tmp_path / "orders.csv"
        table.write_text(
            "external_id,buyer,currency,ordered_at,product,quantity,unit_price,paid_at\n"
            "c-1,ext:b-1,EUR,2026-01-02T10:00:00Z,ext:listing-1,1,1000,2026-01-02T11:00:00Z\n"
            "c-2,ext:b-9,EUR,2026-01-02T10:00:00Z,ext:listing-1,1,1000,\n"
        )
        with pytest.raises(SystemExit):
            call_command("import_orders", str(table), stdout=out, stderr=err)
        assert Order.objects.get(external_id="c-1").total == 1000
        assert "row 2: c-2" in err.getvalue()

    def test_rows_of_one_order_are_its_products(self, shop, tmp_path):
        second = factories.approved(shop.seller, external_id="listing-2")
        table = tmp_path / "orders.csv"
        table.write_text(
            "external_id,buyer,currency,ordered_at,product,quantity,unit_price,total\n"
            "c-1,ext:b-1,EUR,2026-01-02T10:00:00Z,ext:listing-1,1,1000,2900\n"
            f"c-1,ext:b-1,EUR,2026-01-02T10:00:00Z,{second.pk},2,950,2900\n"
            "c-2,ext:b-1,EUR,2026-01-02T10:00:00Z,ext:listing-1,1,1000,\n"
            f"c-2,ext:b-1,USD,2026-01-02T10:00:00Z,{second.pk},1,950,\n"
            f"c-3,ext:b-1,EUR,2026-01-02T10:00:00Z,{second.pk},1,950,\n"
        )
        out, err = StringIO(), StringIO()
        with pytest.raises(SystemExit):
            call_command("import_orders", str(table), stdout=out, stderr=err)
        order = Order.objects.get(external_id="c-1")
        assert (order.total, order.lines.count()) == (2900, 2)
        assert set(Order.objects.values_list("external_id", flat=True)) == {"c-1", "c-3"}
        assert "rows of order c-2 say different things of currency" in err.getvalue()


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_orders_at_once(shop):
    rows = [row(number) for number in range(20)]
    outcomes = run_threads(lambda _i: import_orders(actor=None, rows=rows), 4)
    assert all(one.status in ("created", "known") for done in outcomes for one in done)
    assert sum(one.is_new for done in outcomes for one in done) == 20
    assert Order.objects.count() == 20
    assert services.check_ledger() == []


class TestListings:
    @pytest.fixture
    def listing(self):
        UserFactory(external_id="s-9")
        return {
            "external_id": "l-1",
            "seller": "ext:s-9",
            "category": factories.category().pk,
            "title": "A bicycle",
            "price": 100_00,
            "currency": "EUR",
        }

    def test_pushed_judged_and_pushed_again(self, listing, as_user, superuser):
        client = as_user(superuser)

        def push(**changed):
            answer = client.post(
                "/api/admin/products/batch",
                {"products": [{**listing, **changed}]},
            )
            assert answer.status_code == 200, answer.content
            return answer.json()["results"][0]

        first = push()
        assert first["status"] == "created"
        assert push()["status"] == "unchanged"
        path = f"/api/admin/products/{first['id']}"
        assert client.get(path).json()["status"] == "pending"
        assert client.get("/api/admin/products/ext:l-1").json()["id"] == first["id"]
        client.post(f"{path}/request-changes", {"reason": "Say more."})
        verdict = PublishedEvent.objects.get(kind="product.changes_requested").data
        assert (verdict["external_id"], verdict["reason"]) == ("l-1", "Say more.")
        assert push(title="A red bicycle")["status"] == "updated"
        assert client.get(path).json()["status"] == "pending"
        refused = push(seller=UserFactory().pk)
        assert (refused["status"], refused["code"]) == ("refused", "listed_by_another")

    def test_a_row_that_is_wrong_holds_up_no_other(self, listing, as_user, superuser):
        rows = [{**listing, "price": 0}, listing, {**listing, "external_id": " "}, "x"]
        answer = as_user(superuser).post("/api/admin/products/batch", {"products": rows}).json()
        assert [one["status"] for one in answer["results"]] == [
            "refused", "created", "refused", "refused",
        ]  # fmt: skip
        assert answer["results"][0]["field"] == "price"

    def test_every_wrong_field_of_a_row_is_named(self, listing, as_user, superuser):
        wrong = {**listing, "category": 999_999, "price": 0, "external_id": "a\nb", "title": ""}
        body = {"products": [wrong]}
        answer = as_user(superuser).post("/api/admin/products/batch", body).json()
        (refused,) = answer["results"]
        assert {(one["field"], one["code"]) for one in refused["errors"]} == {
            ("category", "does_not_exist"),
            ("price", "min_value"),
            ("external_id", "invalid"),
            ("title", "blank"),
        }
        (category,) = (one for one in refused["errors"] if one["field"] == "category")
        assert category["detail"] == "Nothing has this id: 999999."


def test_ordered_today_is_not_ahead(shop):
    now = timezone.now().isoformat()
    told = row(ordered_at=now)
    del told["payment"]
    assert services.import_order(actor=None, row=told)[1]
