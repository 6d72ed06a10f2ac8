"""Pages of chargebacks, appeals and the yearly report, as a person uses them."""

import io
import zipfile

import pytest
from django.urls import reverse

from marketplace import services
from marketplace.models import Order
from marketplace.tests import factories
from marketplace.tests.test_dac7 import HEADER
from systemadmin.models import AuditEntry
from systemadmin.services import change_settings
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]


@pytest.fixture
def browser(admin_client_for, superuser):
    return admin_client_for(superuser)


@pytest.fixture
def moderator(admin_client_for, staff):
    return admin_client_for(staff("marketplace_moderator"))


@pytest.fixture
def operator(admin_client_for, staff):
    return admin_client_for(staff("operator"))


@pytest.fixture
def sold():
    factories.rule(ppm=100_000)
    return factories.completed(factories.approved(UserFactory(country="ES"), price=100_00))


def act(client, model, action, obj, **data):
    url = reverse(f"admin:marketplace_{model}_changelist")
    body = {"action": action, "_selected_action": [obj.pk], "apply": "1", **data}
    return client.post(url, body, follow=True)


def messages(answer):
    return " ".join(str(one) for one in answer.context["messages"])


CHARGEBACK = {
    "reference": "cb-77",
    "network_reason": "10.4",
    "amount": "40.00",
    "fee": "15",
    "evidence_due_at_0": "2027-01-31",
    "evidence_due_at_1": "18:00",
}


def test_a_chargeback_is_recorded_in_major_units_and_shown(operator, sold):
    answer = act(operator, "order", "record_chargeback", sold, **CHARGEBACK)
    dispute = sold.disputes.get()
    assert (dispute.charged_back, dispute.fee, dispute.source) == (40_00, 15_00, "payment_service")
    assert "40.00" in messages(answer)
    text = operator.get(
        reverse("admin:marketplace_dispute_change", args=[dispute.pk])
    ).content.decode()
    for shown in ("cb-77", "10.4", "40.00", "15.00", "90.00"):
        assert shown in text
    listed = operator.get(
        reverse("admin:marketplace_dispute_changelist"), {"source__exact": "payment_service"}
    )
    assert "40.00" in listed.content.decode()


def test_more_than_the_order_is_refused_and_said(operator, sold):
    answer = act(operator, "order", "record_chargeback", sold, **CHARGEBACK | {"amount": "100.01"})
    assert not sold.disputes.exists()
    assert "left of the order" in answer.content.decode()


def test_appeal_and_the_pack_of_evidence(moderator, sold):
    dispute = services.record_chargeback(actor=factories.root(), order=sold, reference="cb-1")
    pack = moderator.get(reverse("admin:marketplace_dispute_evidence_pack", args=[dispute.pk]))
    names = zipfile.ZipFile(io.BytesIO(pack.getvalue())).namelist()
    assert "dispute.json" in names
    assert AuditEntry.objects.filter(action="marketplace.dispute.evidence_exported").exists()
    act(moderator, "dispute", "resolve_for_seller", dispute, note="Delivered")
    act(moderator, "dispute", "appeal", dispute, reason="New evidence of the bank")
    dispute.refresh_from_db()
    assert (dispute.status, dispute.held_amount) == ("open", 90_00)


def test_the_pack_of_ones_own_dispute_is_somebody_elses(admin_client_for, staff, sold):
    person = staff("marketplace_moderator")
    dispute = services.record_chargeback(actor=factories.root(), order=sold, reference="cb-1")
    Order.objects.filter(pk=sold.pk).update(buyer=person)
    url = reverse("admin:marketplace_dispute_evidence_pack", args=[dispute.pk])
    page = admin_client_for(person).get(url, follow=True)
    assert "This concerns your own account" in page.content.decode()
    assert not AuditEntry.objects.filter(action="marketplace.dispute.evidence_exported").exists()


def test_who_may_not_is_refused(admin_client_for, staff, sold):
    agent = admin_client_for(staff("support_agent"))
    dispute = services.record_chargeback(actor=factories.root(), order=sold, reference="cb-1")
    pack = reverse("admin:marketplace_dispute_evidence_pack", args=[dispute.pk])
    assert agent.get(pack).status_code == 403
    assert agent.get(reverse("admin:marketplace_dac7")).status_code == 403


def test_the_yearly_report_says_who_is_reported_and_what_is_missing(operator, sold):
    year = sold.completed_at.year
    url = reverse("admin:marketplace_dac7")
    text = operator.get(url, {"year": year}).content.decode()
    assert sold.seller.username in text
    assert "90.00" in text
    assert "fewer than 30 sales" in text
    assert "tax id" in text
    assert "marketplace.dac7_country" in text
    assert "file=xml" not in text
    change_settings(actor=None, values=HEADER)
    text = operator.get(url, {"year": year}).content.decode()
    assert f"dac7?year={year}&amp;file=xml" in text
    assert " style=" not in text.split("<body", 1)[1]
    assert "1 seller with sales, 0 to report." in text
    assert operator.get(url, {"year": "x"}).status_code == 200
    assert (
        url in operator.get(reverse("admin:marketplace_sellerprofile_changelist")).content.decode()
    )
