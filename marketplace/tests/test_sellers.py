"""Sellers: their details, their own view of their money, and why nothing is paid out to some."""

from datetime import date

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from marketplace import errors, services
from marketplace.models import SellerProfile
from marketplace.seller_ids import clean_iban, clean_tax_id, mask_iban
from marketplace.services.sellers import payout_account
from marketplace.tests import factories
from systemadmin.foundation.parsing import Unreadable
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import AuditEntry
from systemadmin.services import change_settings
from systemadmin.tests.factories import StaffFactory, UserFactory

IBAN = "ES91 2100 0418 4502 0005 1332"
OWN = "/api/seller/profile"


@pytest.mark.parametrize(
    ("text", "country", "kept"),
    [
        ("54362315-K", "ES", "54362315K"),
        ("b-58378431", "ES", "B58378431"),
        ("X5253868R", "ES", "X5253868R"),
        ("DE 136,695 976", "DE", "136695976"),
        ("36574261809", "DE", "36574261809"),
        ("AB-12.34", "ZZ", "AB-12.34"),
    ],
)
def test_tax_ids_are_kept_in_the_form_of_their_country(text, country, kept):
    assert clean_tax_id(text, country) == kept


@pytest.mark.parametrize(
    ("text", "country"), [("54362315A", "ES"), ("x", "ES"), ("1", ""), ("<b>", "ZZ"), ("٣٣٣٣٣", "")]
)
def test_wrong_tax_ids_are_refused(text, country):
    with pytest.raises(Unreadable):
        clean_tax_id(text, country)


def test_accounts_are_checked_and_masked():
    assert clean_iban(IBAN.lower()) == IBAN.replace(" ", "")
    assert mask_iban(clean_iban(IBAN)) == "ES** **** 1332"
    for wrong in ("ES92 2100 0418 4502 0005 1332", "", "XX", "ES91" * 20):
        with pytest.raises(Unreadable):
            clean_iban(wrong)


@pytest.mark.django_db
def test_sellers_keep_their_own_details_and_see_the_account_masked(as_user):
    seller = UserFactory(country="ES")
    client = as_user(seller)
    assert client.get(OWN).json()["identity"] == "missing"
    body = {"legal_name": "Ana Sol", "tax_id": "54362315k", "city": "Lugo", "iban": IBAN}
    shown = client.put(OWN, body).json()
    assert (shown["payout_account"], shown["tax_id"]) == ("ES** **** 1332", "54362315K")
    assert "iban" not in shown
    assert shown["identity"] == "pending"
    assert payout_account(seller) == IBAN.replace(" ", "")
    kept = SellerProfile.objects.get()
    assert "2100" not in kept.account_sealed
    assert IBAN not in str(AuditEntry.objects.latest("pk").after)
    for field, value in (("tax_id", "54362315A"), ("iban", "ES00"), ("level", "gold")):
        problem(client.put(OWN, {field: value}), 400, field=field)
    stale = client.put(OWN, {"city": "x"}, headers={"If-Match": '"99"'})
    problem(stale, 412)
    assert client.put(OWN, {"iban": ""}).json()["payout_account"] == ""


@pytest.mark.django_db
def test_a_new_name_has_to_be_checked_again(as_user, staff):
    seller = UserFactory()
    client, operator = as_user(seller), as_user(staff("operator"))
    client.put(OWN, {"legal_name": "Ana"})
    url = f"/api/admin/sellers/{seller.pk}/identity"
    assert operator.put(url, {"identity": "verified"}).json()["identity"] == "verified"
    assert client.put(OWN, {"city": "Lugo"}).json()["identity"] == "verified"
    assert client.put(OWN, {"legal_name": "Berta"}).json()["identity"] == "pending"
    problem(operator.put(url, {"identity": "sure"}), 400, field="identity")


@pytest.mark.django_db
def test_personal_fields_are_masked_for_staff_who_may_not_see_them(as_user):
    seller = UserFactory()
    services.save_seller_profile(
        actor=factories.root(), seller=seller, legal_name="Ana Sol", birth_date=date(1980, 1, 1)
    )
    url = f"/api/admin/sellers/{seller.pk}/profile"
    assert as_user(factories.root()).get(url).json()["legal_name"] == "Ana Sol"
    reader = StaffFactory()
    reader.user_permissions.add(Permission.objects.get(codename="view_sellerprofile"))
    shown = as_user(reader).get(url).json()
    # A date has no masked form that is a date.
    assert (shown["legal_name"], shown["birth_date"]) == ("***", None)


@pytest.mark.django_db
@pytest.mark.usefixtures("books")
def test_a_seller_sees_balance_and_payouts_of_their_own_only(as_user):
    order = factories.completed(factories.approved(price=90_00))
    payout = services.create_payout(actor=factories.root(), seller=order.seller, currency="EUR")
    client, other = as_user(order.seller), as_user(UserFactory())
    assert client.get("/api/seller/balance").json()["balances"][0]["in_transit"] == 90_00
    assert [row["id"] for row in client.get("/api/seller/payouts").json()["results"]] == [payout.pk]
    shown = client.get(f"/api/seller/payouts/{payout.pk}").json()
    assert [one["order"] for one in shown["orders"]] == [order.pk]
    assert other.get("/api/seller/payouts").json()["results"] == []
    problem(other.get(f"/api/seller/payouts/{payout.pk}"), 404)
    assert other.get("/api/seller/balance").json()["balances"] == []

    def more():
        for _ in range(3):
            services.fail_payout(actor=factories.root(), payout=payout, reason="x")
            services.retry_payout(actor=factories.root(), payout=payout)

    assert_constant_queries(lambda: client.get("/api/seller/payouts"), more)


@pytest.mark.django_db
def test_the_page_keeps_the_account_that_there_is(admin_client_for, superuser):
    seller = UserFactory(country="ES")
    services.save_seller_profile(actor=superuser, seller=seller, iban=IBAN)
    profile = SellerProfile.objects.get()
    page = reverse("admin:marketplace_sellerprofile_change", args=[profile.pk])
    client = admin_client_for(superuser)
    form = {"tax_status": "business", "level": "", "legal_name": "Ana", "tax_id": "", "address": "",
            "postal_code": "", "city": "", "iban": ""}  # fmt: skip
    assert client.post(page, form).status_code == 302
    profile.refresh_from_db()
    assert (profile.legal_name, profile.account_masked) == ("Ana", "ES** **** 1332")
    assert b"Not an IBAN" in client.post(page, {**form, "iban": "ES00"}).content
    chosen = {"action": "check_identity", "_selected_action": profile.pk, "apply": "1"}
    client.post(reverse("admin:marketplace_sellerprofile_changelist"),
                {**chosen, "identity": "verified"})  # fmt: skip
    profile.refresh_from_db()
    assert profile.identity == "verified"


@pytest.mark.django_db
@pytest.mark.usefixtures("books")
def test_each_reason_holds_payouts_back(as_user, staff, monkeypatch):
    order = factories.completed(factories.approved(price=90_00))
    seller = order.seller
    operator = as_user(staff("operator"))

    def reasons():
        return operator.get(f"/api/admin/sellers/{seller.pk}/holds").json()["reasons"]

    assert reasons() == []
    change_settings(
        actor=None,
        values={
            "marketplace.payout_most_risk": 50,
            "marketplace.payout_waits_for_disputes": True,
            "marketplace.payout_needs_identity": True,
        },
    )
    assert reasons() == ["identity"]
    services.check_identity(actor=factories.root(), seller=seller, identity="verified")
    assert reasons() == []
    again = factories.completed(factories.approved(seller, price=5_00))
    services.open_dispute(actor=again.buyer, order=again, reason="other", body="x")
    monkeypatch.setattr(
        "marketplace.services.risk.seller_risk", lambda ids: {pk: {"score": 51} for pk in ids}
    )
    assert reasons() == ["risk", "dispute"]
    with pytest.raises(errors.PayoutHeld) as refusal:
        services.create_payout(actor=factories.root(), seller=seller, currency="EUR")
    assert refusal.value.extra["reasons"] == ["risk", "dispute"]
