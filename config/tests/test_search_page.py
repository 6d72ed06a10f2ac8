"""The search of the admin: what it finds, for whom, in how many queries."""

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from marketplace.tests import factories as shop
from riskops.models import Identifier
from support.tests.factories import make_ticket
from systemadmin.foundation.plugins import collect
from systemadmin.foundation.testing import assert_constant_queries
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

PALETTE = {"HX-Request": "true", "HX-Target": "palette-list"}


@pytest.fixture
def world(member):
    """Something of every kind whose beginning is known."""
    person = UserFactory(
        username="zoila", first_name="Zoila", external_id="mk-771", email="zz@example.com"
    )
    ticket = make_ticket(person, subject="Zapatos rotos")
    product = shop.draft(person, title="Zapatos de baile")
    Identifier.objects.create(kind="ip", value="203.0.113.77", accounts=2)
    Identifier.objects.create(kind="wallet", value="bc1zzzz", accounts=1)
    return person, ticket, product


def ask(browser, text, **headers):
    answer = browser.get("/admin/search/", {"q": text}, headers=headers)
    assert answer.status_code == 200
    return answer.content.decode()


def test_everything_is_found_by_its_beginning(world, superuser, admin_client_for):
    person, ticket, product = world
    browser = admin_client_for(superuser)
    account = f"/admin/riskops/account/{person.pk}/change/"
    for text in ("zoi", "ZOILA", str(person.pk), "mk-77", "zz@exa"):
        assert account in ask(browser, text), text
    for text in (ticket.number, str(int(ticket.number[-6:])), "zapatos ro"):
        assert f"/admin/support/ticket/{ticket.pk}/change/" in ask(browser, text), text
    assert f"/admin/marketplace/product/{product.pk}/change/" in ask(browser, "zapa")
    assert "203.0.113.77" in ask(browser, "203.0.113")
    assert "bc1zzzz" in ask(browser, "bc1z")
    assert "/admin/support/ticket/add/" in ask(browser, "ticket")
    assert "/admin/settings/" in ask(browser, "settings")


@pytest.mark.parametrize(
    ("role", "finds"),
    [
        ("support_agent", {"people", "tickets"}),
        ("marketplace_moderator", {"people", "orders", "products"}),
        ("risk_analyst", {"people", "identifiers"}),
        ("operator", {"people"}),
    ],
)
def test_a_role_finds_what_it_may_see(role, finds, world, staff, admin_client_for):
    user = staff(role)
    allowed = {
        source.code
        for source in collect("search_sources", "SOURCES")
        if user.has_perm(source.permission)
    }
    assert finds <= allowed
    page = ask(admin_client_for(user), "za") + ask(admin_client_for(user), "203.0.113")
    assert ("Zapatos rotos" in page) == ("tickets" in allowed)
    assert ("Zapatos de baile" in page) == ("products" in allowed)
    assert ("203.0.113.77" in page) == ("identifiers" in allowed)


def test_masked_values_are_not_searched(world, staff, admin_client_for):
    person, *_rest = world
    agent, analyst = staff("support_agent"), staff("risk_analyst")
    assert str(person.pk) + "/change/" not in ask(admin_client_for(agent), "zz@exa")
    assert str(person.pk) + "/change/" in ask(admin_client_for(analyst), "zz@exa")


def test_nobody_finds_tickets_past_the_list_of_their_own(world, admin_client_for, superuser):
    _person, ticket, _product = world
    ticket.assignee = superuser
    ticket.save()
    newcomer = StaffFactory()
    newcomer.user_permissions.add(Permission.objects.get(codename="view_ticket"))
    for text in (ticket.number, "zapatos"):
        assert "Zapatos rotos" not in ask(admin_client_for(newcomer), text)


def test_the_number_of_queries_does_not_grow(world, superuser, admin_client_for):
    browser = admin_client_for(superuser)

    def grow():
        for number in range(10):
            seller = UserFactory(username=f"zazu{number}")
            shop.draft(seller, title=f"Zapatos {number}")
            make_ticket(seller, subject=f"Zapatos {number}")

    assert_constant_queries(lambda: ask(browser, "za", **PALETTE), grow)


def test_the_palette_gets_a_fragment_and_a_strange_text_is_no_error(superuser, admin_client_for):
    browser = admin_client_for(superuser)
    fragment = ask(browser, "zz", **PALETTE)
    assert "<html" not in fragment
    assert "Nothing begins with" in fragment
    for text in ("%", "'; --", "é" * 300, "9" * 40, "t-2026-", "\\", "10.0.0.1/8", "€ 😀"):
        ask(browser, text)
    assert "Support" in ask(browser, "", **PALETTE)


def test_whoever_is_not_signed_in_searches_nothing(client):
    assert client.get("/admin/search/?q=za").status_code == 302


@pytest.mark.parametrize("typed", ["Ana María López", "ana maría lóp", "Eva de la Torre", "eva de"])
def test_people_are_found_by_their_whole_name(typed, superuser, admin_client_for):
    UserFactory(username="u-1", first_name="Ana María", last_name="López")
    UserFactory(username="u-2", first_name="Eva", last_name="de la Torre")
    UserFactory(username="u-3", first_name="Ana", last_name="Torres")
    page = admin_client_for(superuser).get(reverse("admin:search"), {"q": typed})
    found = [hit.text for group in page.context["groups"] for hit in group.hits]
    assert [text.split(" ")[0] for text in found] == ["@u-1" if typed[0] in "Aa" else "@u-2"]
