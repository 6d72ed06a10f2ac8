"""Choosing in the admin: rows by their names in forms, and actions where there are rows."""

import pytest
from django.contrib import admin
from django.urls import reverse

from marketplace.tests import factories
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
OURS = [found for found in admin.site._registry.values() if hasattr(found, "editable")]


def test_no_form_asks_for_a_key():
    assert len(OURS) > 50
    assert not [str(found) for found in OURS if found.editable and found.raw_id_fields]


def test_who_a_commission_rule_is_for_is_found_by_name(admin_client_for, superuser):
    client = admin_client_for(superuser)
    page = client.get(reverse("admin:marketplace_commissionrule_add")).content.decode()
    assert page.count("<select") > 3
    assert page.count("data-ajax--url") == 2
    seller = UserFactory(username="taller-luz", first_name="Luz", last_name="Prat")
    lamp = factories.approved(seller, title="Marisma lamp")
    for field, term, found, words in (
        ("sellers", "taller", seller, "Luz Prat (@taller-luz)"),
        ("products", "marisma", lamp, str(lamp)),
    ):
        answer = client.get(
            reverse("admin:autocomplete"),
            {
                "term": term,
                "app_label": "marketplace",
                "model_name": "commissionrule",
                "field_name": field,
            },
        ).json()
        assert answer["results"] == [{"id": str(found.pk), "text": words}], field


def test_a_list_without_rows_has_no_bar_of_actions(admin_client_for, superuser):
    client = admin_client_for(superuser)
    url = reverse("admin:marketplace_product_changelist")
    assert 'name="action"' not in client.get(url).content.decode()
    factories.approved(UserFactory(), title="Marisma lamp")
    assert 'name="action"' in client.get(url).content.decode()
    assert 'name="action"' not in client.get(url, {"q": "nothing like it"}).content.decode()


def test_no_form_makes_an_account_on_the_way(admin_client_for, superuser):
    text = admin_client_for(superuser).get("/admin/support/category/add/").content.decode()
    assert 'id="id_agents"' in text
    assert "add_id_agents" not in text


def test_show_all_is_for_who_searched(admin_client_for, superuser):
    browser = admin_client_for(superuser)
    assert "Show all" not in browser.get("/admin/systemadmin/user/").content.decode()
    assert "Show all" in browser.get("/admin/systemadmin/user/?q=a").content.decode()
