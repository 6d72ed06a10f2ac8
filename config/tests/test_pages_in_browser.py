"""The stock pages work in a browser under our Content-Security-Policy, with nothing blocked."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def roles(transactional_db):
    from django.core.management import call_command

    # A test with real transactions starts without what migrations wrote.
    call_command("setup")


def test_the_login_page_is_styled(page):
    page.goto("/admin/login/")
    box = page.locator("#content")
    assert box.evaluate("element => getComputedStyle(element).backgroundColor") != (
        "rgba(0, 0, 0, 0)"
    )


def test_the_api_docs_list_the_operations(page):
    page.goto("/api/docs")
    # The schema of every desk takes a busy machine a while.
    page.locator(".opblock").first.wait_for(timeout=60_000)
    # Long lists are drawn as they come into view, so the first operation stands for all.
    page.locator(".opblock-summary-control").first.click(timeout=60_000)
    page.locator(".opblock-body").first.wait_for(timeout=60_000)


def test_the_admin_pages_of_the_base(page, sign_in, superuser, roles):
    sign_in(superuser)
    for path in ("/admin/", "/admin/systemadmin/user/", f"/admin/systemadmin/user/{superuser.pk}/"):
        answer = page.goto(path)
        assert answer.status == 200
        page.locator("#main").wait_for()
