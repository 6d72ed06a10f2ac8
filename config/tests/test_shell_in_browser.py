"""The shell in a real browser: axe finds nothing, nothing sticks out, keys and palette work."""

import re

import pytest
from axe_core_python.sync_playwright import Axe
from django.core.management import call_command

from marketplace.tests import factories as shop
from support.tests.factories import make_ticket
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# Django's own script writes these into a box for choosing several.
OURS = {"exclude": [[".help-tooltip"]]}
RULES = {"runOnly": {"type": "tag", "values": TAGS}}


@pytest.fixture
def chief(transactional_db):
    call_command("setup")
    return StaffFactory(username="ana", first_name="Ana", is_superuser=True)


def faults_of(page, name):
    """What axe finds, and whether anything sticks out sideways."""
    found = [
        f"{name}: {one['id']}: {node['html'][:160]}"
        for one in Axe().run(page, context=OURS, options=RULES)["violations"]
        for node in one["nodes"]
    ]
    if page.evaluate(
        "[document.documentElement, document.getElementById('main')]"
        ".some((box) => box.scrollWidth > box.clientWidth)"
    ):
        found.append(f"{name}: wider than the window")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
def test_axe_finds_nothing(page, sign_in, chief, width, height, scheme):
    member = UserFactory(username="zoila", first_name="Zoila")
    make_ticket(member, subject="Where is my lamp?", assignee=chief)
    sign_in(chief)
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    faults = []
    for path in (
        "/admin/",
        "/admin/systemadmin/user/",
        f"/admin/systemadmin/user/{member.pk}/change/",
        "/admin/search/?q=zoi",
        "/admin/preferences/",
    ):
        page.goto(path)
        page.locator("#main").wait_for()
        faults += faults_of(page, f"{path} {width} {scheme}")
    page.goto("/admin/")
    page.keyboard.press("Control+k")
    page.locator("#palette [role=combobox]").fill("zoi")
    page.locator("#palette-list").get_by_text("Zoila").first.wait_for()
    faults += faults_of(page, f"palette {width} {scheme}")
    page.keyboard.press("Escape")
    page.locator("#palette").wait_for(state="hidden")
    page.keyboard.press("?")
    page.locator("#keys").wait_for()
    faults += faults_of(page, f"keys {width} {scheme}")
    assert not faults, "\n".join(faults)


def test_an_order_is_found_by_its_number_from_anywhere(page, sign_in, chief):
    seller, buyer = UserFactory.create_batch(2)
    order = shop.paid(shop.approved(seller), buyer=buyer)
    sign_in(chief)
    page.goto("/admin/riskops/anomaly/")
    page.keyboard.press("Control+k")
    page.locator("#palette [role=combobox]").fill(f"#{order.pk}")
    page.locator("#palette-list").get_by_text(f"Order {order.pk}").click()
    page.wait_for_url(re.compile(rf"/admin/marketplace/order/{order.pk}/change/"))


def test_the_keyboard_alone_is_enough(page, sign_in, chief):
    UserFactory(username="zoila", first_name="Zoila")
    sign_in(chief)
    page.goto("/admin/")
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url(re.compile("/admin/systemadmin/user/"))
    # Letters typed into a box are letters.
    page.locator("#searchbar").fill("")
    page.locator("#searchbar").press_sequentially("g/?")
    assert page.locator("#searchbar").input_value() == "g/?"
    page.locator("#searchbar").blur()
    page.keyboard.press("/")
    page.keyboard.type("zoila")
    page.locator("#palette-list [aria-selected=true]").get_by_text("Zoila").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/admin/riskops/account/\d+/change/"))


def test_a_refused_request_of_htmx_is_a_notice_and_leaves_the_page(page, sign_in, chief):
    sign_in(chief)
    page.goto("/admin/search/?q=typed")
    page.evaluate("htmx.ajax('GET', '/admin/nowhere/', {target: '#palette-list', swap: 'none'})")
    page.locator("#notices .at-notice").get_by_text("There is nothing here.").wait_for()
    assert page.locator("#search-q").input_value() == "typed"
    # The browser itself says that an answer was a 404.
    page.complaints.clear()
