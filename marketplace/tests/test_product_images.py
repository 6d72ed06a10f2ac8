"""Pictures of products: uploads, who sees them, reviews of live ones, and files that go."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from marketplace import services
from marketplace.models import Product, ProductImage
from marketplace.tests import factories
from systemadmin.foundation.testing import problem
from systemadmin.tests.factories import UserFactory
from systemadmin.tests.pictures import png

pytestmark = pytest.mark.django_db
PNG = png()


def picture(name="photo.png", content=PNG):
    return SimpleUploadedFile(name, content)


def upload(client, product, **kwargs):
    url = f"/api/products/{product.pk}/images"
    return client.post(url, {"file": picture(**kwargs)}, format="multipart")


def stored(address):
    image = ProductImage.objects.get(key=address.rsplit("/", 1)[1])
    return image.file.storage, image.file.name


@pytest.fixture
def shop(as_user, member):
    return as_user(member)


def test_a_draft_shows_its_picture_to_its_seller_and_staff_alone(api, shop, as_user, staff, member):
    product = factories.draft(member)
    made = upload(shop, product, name="../../evil.exe.png")
    assert made.status_code == 201, made.json()
    (address,) = made.json()["images"]
    shown = shop.get(address)
    assert b"".join(shown.streaming_content) == PNG
    assert shown["Content-Type"] == "image/png"
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in shown["Content-Security-Policy"]
    assert ".." not in stored(address)[1]
    problem(api.get(address), 404)
    problem(as_user(UserFactory()).get(address), 404)
    assert as_user(staff("marketplace_moderator")).get(address).status_code == 200
    assert as_user(staff("support_agent")).get(address).status_code == 200


def test_staff_without_the_second_factor_see_no_pending_picture(
    settings, shop, as_user, staff, member
):
    (address,) = upload(shop, factories.draft(member)).json()["images"]
    settings.REQUIRE_STAFF_2FA = True
    moderator = staff("marketplace_moderator")
    problem(as_user(moderator, two_factor=False).get(address), 404)
    assert as_user(moderator).get(address).status_code == 200


def test_everyone_sees_the_picture_of_a_product_on_sale_until_it_is_paused(api, shop, member):
    product = factories.draft(member)
    (address,) = upload(shop, product).json()["images"]
    services.submit_product(actor=member, product=product)
    services.approve_product(actor=factories.root(), product=product)
    assert api.get(address).status_code == 200
    services.pause_product(actor=member, product=product)
    problem(api.get(address), 404)


def test_a_picture_of_a_live_product_waits_for_review(api, shop, member):
    product = factories.approved(member)
    first, second = upload(shop, product), upload(shop, product)
    assert second.json()["images"] == []
    waiting = second.json()["open_revision"]["patch"]["images"]
    assert len(waiting) == 2
    assert waiting[:1] == first.json()["open_revision"]["patch"]["images"]
    for address in waiting:
        problem(api.get(address), 404)
    services.approve_revision(actor=factories.root(), revision=product.revisions.get())
    assert Product.objects.get(pk=product.pk).images == waiting
    assert api.get(waiting[1]).status_code == 200


@pytest.mark.parametrize("decision", ["reject", "withdraw"])
def test_a_refused_edit_takes_its_files_along(
    shop, member, decision, django_capture_on_commit_callbacks
):
    product = factories.approved(member)
    upload(shop, product)
    revision = product.revisions.get()
    storage, name = stored(revision.patch["images"][0])
    assert storage.exists(name)
    with django_capture_on_commit_callbacks(execute=True):
        if decision == "reject":
            services.reject_revision(actor=factories.root(), revision=revision, reason="Blurred.")
        else:
            services.withdraw_revision(actor=member, revision=revision)
    assert not ProductImage.objects.exists()
    assert not storage.exists(name)


def test_taking_a_picture_out_deletes_its_file_after_the_commit(
    shop, member, django_capture_on_commit_callbacks
):
    product = factories.draft(member)
    upload(shop, product)
    first, second = upload(shop, product).json()["images"]
    storage, name = stored(first)
    with django_capture_on_commit_callbacks() as later:
        answer = shop.patch(f"/api/products/{product.pk}", {"images": [second]})
        assert answer.json()["images"] == [second]
        assert storage.exists(name), "a rollback must find the file again"
    for callback in later:
        callback()
    assert not storage.exists(name)
    assert storage.exists(stored(second)[1])


def test_a_picture_of_another_product_is_refused(shop, member):
    mine, other = factories.draft(member), factories.draft()
    services.add_image(actor=other.seller, product=other, file=picture())
    other.refresh_from_db()
    answer = shop.patch(f"/api/products/{mine.pk}", {"images": other.images})
    problem(answer, 400, field="images")
    problem(shop.get(f"/api/products/{mine.pk}/images/{other.images[0][-32:]}"), 404)


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"", 400), (b"<svg onload=alert(1)>", 400), (PNG + b"\0" * 5 * 1024 * 1024, 413)],
)
def test_what_is_no_picture_is_refused_and_leaves_nothing(shop, member, content, status):
    product = factories.draft(member)
    problem(upload(shop, product, content=content), status)
    problem(shop.post(f"/api/products/{product.pk}/images", {}, format="multipart"), 400)
    assert not ProductImage.objects.exists()


def test_the_thirteenth_picture_is_refused_and_its_file_is_gone(shop, member, monkeypatch):
    product = factories.draft(member)
    full = [f"https://cdn.example.test/{number}.jpg" for number in range(12)]
    services.update_product(actor=member, product=product, images=full)
    storage = ProductImage._meta.get_field("file").storage
    deleted = []
    monkeypatch.setattr(storage, "delete", deleted.append)
    problem(upload(shop, product), 400, field="images")
    assert len(deleted) == 1
    assert not ProductImage.objects.exists()


def test_nobody_adds_to_anothers_product(as_user, member):
    product = factories.approved()
    problem(upload(as_user(member), product), 404)


def test_the_admin_shows_pictures_and_those_an_edit_brings(
    shop, member, admin_client_for, superuser
):
    client = admin_client_for(superuser)
    product = factories.approved(member)
    upload(shop, product)
    revision = product.revisions.get()
    (address,) = revision.patch["images"]
    page = client.get(f"/admin/marketplace/productrevision/{revision.pk}/change/")
    assert f'<img class="mp-thumbnail" src="{address}"' in page.content.decode()
    services.approve_revision(actor=factories.root(), revision=revision)
    page = client.get(f"/admin/marketplace/product/{product.pk}/change/")
    assert f'<img class="mp-thumbnail" src="{address}"' in page.content.decode()
