"""Forms of the admin let people choose rows by their names: nobody types the key of a row."""

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
