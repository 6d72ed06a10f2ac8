"""The history of an object in the admin is what the audit trail says of it."""

import pytest
from django.urls import reverse

from marketplace.tests import factories

pytestmark = pytest.mark.django_db


def test_history_leads_to_the_audit_trail_of_the_object(admin_client_for, staff):
    order = factories.completed()
    url = reverse("admin:marketplace_order_history", args=[order.pk])
    auditor = admin_client_for(staff("auditor"))
    page = auditor.get(url, follow=True)
    assert page.status_code == 200
    found = page.context["cl"].queryset
    assert {one.target_id for one in found} == {str(order.pk)}
    assert {one.target_type for one in found} == {"marketplace.order"}
    assert (
        url
        in auditor.get(reverse("admin:marketplace_order_change", args=[order.pk])).content.decode()
    )


def test_who_may_not_see_the_trail_is_offered_none(admin_client_for, staff):
    order = factories.completed()
    url = reverse("admin:marketplace_order_history", args=[order.pk])
    moderator = admin_client_for(staff("marketplace_moderator"))
    assert moderator.get(url).status_code == 403
    assert (
        url
        not in moderator.get(
            reverse("admin:marketplace_order_change", args=[order.pk])
        ).content.decode()
    )
