"""Products over HTTP: what the public, the seller and staff see and do."""

import pytest

from marketplace import services
from marketplace.models import Product, ProductRevision
from marketplace.tests import factories
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def seller(member):
    return member


@pytest.fixture
def shop(as_user, seller):
    return as_user(seller)


@pytest.fixture
def moderator(as_user, staff):
    return as_user(staff("marketplace_moderator"))


@pytest.fixture
def body(db):
    return {
        "category": factories.category("Lamps").pk,
        "title": "Lámpara de olivo",
        "description": "Turned by hand.",
        "price": 25_00,
        "currency": "EUR",
        "stock": 3,
        "images": ["https://cdn.example.test/1.jpg"],
        "attributes": {"wood": "olive", "height_cm": 40},
    }


@pytest.mark.parametrize("title", ["\u2800", "Oro \u202emoc.knab"], ids=ascii)
def test_a_title_can_be_read(shop, body, title):
    problem(shop.post("/api/products", {**body, "title": title}), 400, field="title")


def test_a_products_way_to_the_public(api, shop, moderator, body):
    made = shop.post("/api/products", body)
    assert made.status_code == 201, made.json()
    pk = made.json()["id"]
    assert made.json()["status"] == "draft"
    assert api.get(f"/api/products/{pk}").status_code == 404
    assert shop.post(f"/api/products/{pk}/submit").json()["status"] == "pending"
    queue = moderator.get("/api/admin/products?status=pending&ordering=submitted_at").json()
    assert [row["id"] for row in queue["results"]] == [pk]
    assert queue["results"][0]["waiting_seconds"] >= 0
    done = moderator.post(f"/api/admin/products/{pk}/approve")
    assert (done.status_code, done.json()["status"]) == (200, "approved")
    assert done["ETag"] == f'"{done.json()["version"]}"'
    shown = api.get(f"/api/products/{pk}").json()
    assert shown["title"] == "Lámpara de olivo"
    assert "status_reason" not in shown
    assert [row["id"] for row in api.get("/api/products").json()["results"]] == [pk]


def test_rejection_needs_a_reason_or_a_template(shop, moderator, body):
    pk = shop.post("/api/products", body).json()["id"]
    shop.post(f"/api/products/{pk}/submit")
    problem(moderator.post(f"/api/admin/products/{pk}/reject"), 400, field="reason")
    problem(
        moderator.post(f"/api/admin/products/{pk}/reject", {"template": "none"}),
        400,
        field="template",
    )
    moderator.post(
        "/api/admin/reason-templates",
        {"code": "fake", "action": "reject", "title": "Fake", "body": "It is a copy."},
    )
    done = moderator.post(
        f"/api/admin/products/{pk}/reject", {"template": "fake", "reason": "See photo 1."}
    )
    assert done.json()["status_reason"] == "It is a copy.\n\nSee photo 1."
    assert shop.get(f"/api/products/{pk}").json()["status_reason"].startswith("It is a copy.")
    reviews = moderator.get(f"/api/admin/products/{pk}/reviews").json()["results"]
    assert [row["action"] for row in reviews] == ["reject", "submit"]


def test_request_changes_and_submit_again(shop, moderator, body):
    pk = shop.post("/api/products", body).json()["id"]
    shop.post(f"/api/products/{pk}/submit")
    moderator.post(f"/api/admin/products/{pk}/request-changes", {"reason": "Sharper photo"})
    assert shop.get(f"/api/products/{pk}").json()["status"] == "changes_requested"
    shop.patch(f"/api/products/{pk}", {"title": "Olive lamp"})
    assert shop.post(f"/api/products/{pk}/submit").json()["status"] == "pending"
    problem(shop.post(f"/api/products/{pk}/submit"), 409, "transition_not_allowed")


def test_a_material_edit_waits_while_the_approved_version_stays_live(api, shop, moderator, seller):
    product = factories.approved(seller, price=20_00)
    url = f"/api/products/{product.pk}"
    edited = shop.patch(url, {"price": 40_00, "stock": 8})
    assert edited.json()["price"] == 20_00
    assert edited.json()["stock"] == 8
    revision = edited.json()["open_revision"]
    assert (revision["patch"], revision["base"]) == ({"price": 40_00}, {"price": 20_00})
    assert api.get(url).json()["price"] == 20_00
    seen = moderator.get("/api/admin/product-revisions?status=pending").json()["results"][0]
    assert seen["diff"] == [{"field": "price", "before": 20_00, "after": 40_00}]
    done = moderator.post(f"/api/admin/product-revisions/{seen['id']}/approve")
    assert done.json()["status"] == "approved"
    assert api.get(url).json()["price"] == 40_00


def test_a_small_change_is_live_at_once(api, shop, seller):
    product = factories.approved(seller, price=20_00)
    edited = shop.patch(f"/api/products/{product.pk}", {"price": 22_00})
    assert (edited.json()["price"], edited.json()["open_revision"]) == (22_00, None)
    again = shop.patch(f"/api/products/{product.pk}", {"price": 24_50})
    assert again.json()["price"] == 22_00, "small steps add up against what was reviewed"


def test_stale_base_is_refused(shop, moderator, seller):
    product = factories.approved(seller, price=20_00)
    shop.patch(f"/api/products/{product.pk}", {"price": 40_00})
    moderator.patch(f"/api/admin/products/{product.pk}", {"price": 21_00})
    revision = ProductRevision.objects.get()
    refused = moderator.post(f"/api/admin/product-revisions/{revision.pk}/approve")
    assert problem(refused, 409, "revision_stale")["fields"] == ["price"]
    product.refresh_from_db()
    assert product.price == 21_00


def test_an_edit_elsewhere_does_not_make_it_stale(shop, moderator, seller):
    product = factories.approved(seller, price=20_00)
    shop.patch(f"/api/products/{product.pk}", {"price": 40_00})
    moderator.patch(f"/api/admin/products/{product.pk}", {"title": "Another title altogether"})
    revision = ProductRevision.objects.get()
    assert moderator.post(f"/api/admin/product-revisions/{revision.pk}/approve").status_code == 200
    product.refresh_from_db()
    assert (product.price, product.title) == (40_00, "Another title altogether")


def test_if_match(shop, moderator, seller):
    product = factories.draft(seller)
    url = f"/api/products/{product.pk}"
    assert shop.patch(url, {"stock": 1}, headers={"If-Match": '"1"'}).status_code == 200
    problem(shop.patch(url, {"stock": 2}, headers={"If-Match": '"1"'}), 412, "stale_version")
    shop.post(f"{url}/submit")
    problem(
        moderator.post(f"/api/admin/products/{product.pk}/approve", headers={"If-Match": '"1"'}),
        412,
    )


def test_editing_in_the_queue_outdates_what_the_moderator_saw(shop, moderator, seller):
    product = factories.draft(seller)
    submitted = shop.post(f"/api/products/{product.pk}/submit")
    shop.patch(f"/api/products/{product.pk}", {"title": "Something else entirely"})
    answer = moderator.post(
        f"/api/admin/products/{product.pk}/approve", headers={"If-Match": submitted["ETag"]}
    )
    problem(answer, 412)


def test_pause_by_staff_cannot_be_undone_by_the_seller(api, shop, moderator, seller):
    product = factories.approved(seller)
    url = f"/api/products/{product.pk}"
    assert shop.post(f"{url}/pause").json()["status"] == "paused"
    assert api.get(url).status_code == 404
    assert shop.post(f"{url}/resume").json()["status"] == "approved"
    moderator.post(f"/api/admin/products/{product.pk}/pause", {"reason": "Recall"})
    problem(shop.post(f"{url}/resume"), 409, "paused_by_staff")
    assert moderator.post(f"/api/admin/products/{product.pk}/resume").status_code == 200


def test_removed_is_gone(api, shop, seller):
    product = factories.approved(seller)
    assert shop.delete(f"/api/products/{product.pk}").status_code == 204
    assert shop.get(f"/api/products/{product.pk}").status_code == 404
    assert api.get("/api/products").json()["results"] == []
    product.refresh_from_db()
    assert product.status == "removed"


def test_someone_elses_draft_is_not_found(as_user, other_member, seller):
    product = factories.draft(seller)
    other = as_user(other_member)
    for method, path in [
        ("get", ""),
        ("patch", ""),
        ("delete", ""),
        ("post", "/submit"),
        ("post", "/pause"),
    ]:
        answer = getattr(other, method)(f"/api/products/{product.pk}{path}", {})
        problem(answer, 404)


def test_someone_elses_approved_product_is_not_ones_own(as_user, other_member, seller):
    product = factories.approved(seller)
    problem(as_user(other_member).patch(f"/api/products/{product.pk}", {"price": 1}), 404)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price": 0}, "price"),
        ({"price": 10**14}, "price"),
        ({"price": 9.5}, "price"),
        ({"currency": "XXQ"}, "currency"),
        ({"category": 999_999}, "category"),
        ({"stock": -1}, "stock"),
        ({"title": ""}, "title"),
        ({"kind": "animal"}, "kind"),
        ({"images": ["http://insecure.example.test/a.png"]}, "images"),
        ({"images": "x"}, "images"),
        ({"images": ["/api/products/1/images/00"]}, "images"),
        ({"attributes": {"a": [1]}}, "attributes"),
        ({"status": "approved"}, "status"),
        ({"seller": 1}, "seller"),
    ],
)
def test_wrong_input_is_400(shop, body, change, field):
    problem(shop.post("/api/products", {**body, **change}), 400, field=field)


def test_search_folds_accents_and_finds_beginnings(api, seller):
    one = factories.approved(seller, title="Lámpara de pie", attributes={"madera": "olivo"})
    factories.approved(seller, title="Silla de pino")

    def found(text):
        rows = api.get("/api/products", {"search": text}).json()["results"]
        return [row["id"] for row in rows]

    assert found("LAMPARA") == found("lámp pie") == found("oliv") == [one.pk]
    assert found("lampara silla") == found("...") == []


def test_filters_and_order(api, seller):
    home = factories.category("Home")
    lamps = factories.category("Lamps", home)
    cheap = factories.approved(seller, category=lamps, price=5_00, title="Cheap lamp")
    dear = factories.approved(seller, category=home, price=50_00, title="Dear vase", stock=0)

    def found(**query):
        answer = api.get("/api/products", query)
        assert answer.status_code == 200, answer.json()
        return [row["id"] for row in answer.json()["results"]]

    assert found(category=home.pk) == [dear.pk, cheap.pk]
    assert found(category=lamps.pk) == [cheap.pk]
    assert found(price_min=10_00) == [dear.pk]
    assert found(in_stock="true") == [cheap.pk]
    assert found(seller=seller.pk, currency="EUR", ordering="price") == [cheap.pk, dear.pk]
    problem(api.get("/api/products", {"ordering": "price"}), 400, field="currency")
    problem(api.get("/api/products", {"colour": "red"}), 400, field="colour")
    problem(api.get("/api/products", {"ordering": "stock"}), 400, field="ordering")


def test_pages_join_without_gap_or_double(api, seller):
    for _ in range(7):
        factories.approved(seller)
    seen, url = [], "/api/products?page_size=3"
    while url:
        page = api.get(url).json()
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
    newest_first = Product.objects.order_by("-listed_at", "-id").values_list("pk", flat=True)
    assert seen == list(newest_first)


def test_list_queries_do_not_grow(api, shop, moderator, seller):
    factories.approved(seller)

    def grow():
        for _ in range(9):
            product = factories.approved(UserFactory())
            services.update_product(actor=product.seller, product=product, price=99_00)
            factories.approved(seller)

    assert_constant_queries(lambda: api.get("/api/products"), grow)
    assert_constant_queries(lambda: shop.get("/api/products/mine"), grow)
    assert_constant_queries(lambda: moderator.get("/api/admin/products"), grow)
    assert_constant_queries(lambda: moderator.get("/api/admin/product-revisions"), grow)


def test_own_list_shows_every_state(shop, seller):
    factories.draft(seller)
    factories.approved(seller)
    states = {row["status"] for row in shop.get("/api/products/mine").json()["results"]}
    assert states == {"draft", "approved"}
    only = shop.get("/api/products/mine?status=draft").json()["results"]
    assert [row["status"] for row in only] == ["draft"]


def test_categories_form_a_tree(moderator):
    def make(name, parent=None):
        return moderator.post("/api/admin/categories", {"name": name, "parent": parent}).json()

    top = make("Top")
    middle, leaf = make("Middle", top["id"]), None
    leaf = make("Leaf", middle["id"])
    assert leaf["path"] == [top["id"], middle["id"], leaf["id"]]
    url = f"/api/admin/categories/{middle['id']}"
    problem(moderator.patch(url, {"parent": leaf["id"]}), 400, field="parent")
    assert moderator.patch(url, {"parent": None}).json()["path"] == [middle["id"]]
    again = moderator.get(f"/api/admin/categories/{leaf['id']}").json()
    assert again["path"] == [middle["id"], leaf["id"]]
    problem(moderator.delete(url), 409, "category_in_use")
    assert moderator.delete(f"/api/admin/categories/{leaf['id']}").status_code == 204
    problem(moderator.post("/api/admin/categories", {"name": "Top"}), 400)


def test_too_deep(moderator):
    parent = None
    for number in range(6):
        made = moderator.post("/api/admin/categories", {"name": f"L{number}", "parent": parent})
        parent = made.json()["id"]
    problem(
        moderator.post("/api/admin/categories", {"name": "L7", "parent": parent}),
        400,
        field="parent",
    )
