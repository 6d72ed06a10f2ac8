"""Payouts by schedule, with minimum, reserve and debts; files for the bank."""

from dataclasses import replace
from datetime import date, timedelta
from functools import partial

import pytest
from django.urls import reverse
from lxml import etree

from marketplace import errors, services
from marketplace.models import Payout, PayoutBatch
from marketplace.payout_files import Transfer, pain001, transfer_fault
from marketplace.services import clock
from marketplace.services.ledger import seller_balances
from marketplace.services.payouts import is_payout_day, minimum_payout
from marketplace.tests import factories
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import problem
from systemadmin.services import change_settings
from systemadmin.tests.factories import UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("books")]
IBAN, OTHER_IBAN = "ES9121000418450200051332", "DE89370400440532013000"
NAMESPACE = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"}


def settings(**values):
    change_settings(actor=None, values={f"marketplace.{key}": one for key, one in values.items()})


def seller_with(amount, **profile):
    seller = factories.completed(factories.approved(price=amount)).seller
    if profile:
        services.save_seller_profile(actor=factories.root(), seller=seller, **profile)
    return seller


def pay_out(seller):
    return services.create_payout(actor=factories.root(), seller=seller, currency="EUR")


def test_the_schedule_pays_on_its_day_whom_it_can():
    rich, poor = seller_with(90_00), seller_with(5_00)
    assert services.run_payouts() == 0
    settings(payout_schedule="weekly", payout_day=clock.today().isoweekday())
    settings(minimum_payouts=["EUR 10.00"])
    assert services.run_payouts() == 1
    assert services.run_payouts() == 0
    assert [payout.seller for payout in Payout.objects.all()] == [rich]
    assert seller_balances(poor.pk)[0]["available"] == 5_00


@pytest.mark.parametrize(
    ("schedule", "number", "day", "pays"),
    [
        ("manual", 1, date(2026, 6, 1), False),
        ("weekly", 1, date(2026, 6, 1), True),
        ("weekly", 2, date(2026, 6, 1), False),
        ("weekly", 28, date(2026, 6, 7), True),
        ("monthly", 15, date(2026, 6, 15), True),
        ("monthly", 15, date(2026, 6, 16), False),
    ],
)
def test_days_of_the_schedule(schedule, number, day, pays):
    settings(payout_schedule=schedule, payout_day=number)
    assert is_payout_day(day) is pays


def test_the_minimum_is_the_currencys_own():
    settings(minimum_payouts=["EUR 10.00", "JPY 500"], minimum_payout=7)
    assert [minimum_payout(code) for code in ("EUR", "JPY", "USD")] == [10_00, 500, 7]
    for wrong in (["EUR"], ["XXX 5"], ["JPY 5.5"], ["EUR 1e3"]):
        with pytest.raises(InvalidInput):
            settings(minimum_payouts=wrong)


def test_a_reserve_of_the_latest_sales_stays():
    seller = seller_with(10_00)
    factories.completed(factories.approved(seller, price=20_00))
    factories.completed(factories.approved(seller, price=5_00))
    settings(payout_reserve_percent=10, payout_reserve_days=7)
    assert pay_out(seller).amount == 30_00
    assert seller_balances(seller.pk)[0]["available"] == 5_00


def test_a_whole_reserve_is_a_delay():
    seller = seller_with(10_00)
    settings(payout_reserve_percent=100, payout_reserve_days=7)
    with pytest.raises(errors.NothingToPay):
        pay_out(seller)
    settings(payout_reserve_days=0)
    assert pay_out(seller).amount == 10_00


def test_a_debt_is_taken_before_anything_is_paid():
    seller = seller_with(50_00)
    dispute = services.open_dispute(
        actor=UserFactory(), order=seller.sales.get(), reason="other", body="x"
    )
    lines = services.usual_lines(kind="dispute_fee", amount=15_00, seller=seller)
    services.post_journal_entry(
        actor=factories.root(), kind="dispute_fee", currency="EUR", lines=lines, reason="x"
    )
    assert seller_balances(seller.pk)[0]["owed"] == 15_00
    services.resolve_dispute(actor=factories.root(), dispute=dispute, in_favour_of="seller")
    assert pay_out(seller).amount == 35_00
    assert seller_balances(seller.pk)[0]["owed"] == 0


@pytest.fixture
def operator(as_user, staff):
    return as_user(staff("operator"))


@pytest.fixture
def payer(db):
    settings(platform_legal_name="Atalaya Plaza S.L.", platform_iban=IBAN)


URL = "/api/admin/payout-batches"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Peña & Söhne <GmbH>", "Pena + Sohne GmbH"),
        ("Łódź //Żółć/", "Lodz /Zolc"),
        ("A" * 69 + " B", "A" * 69),
        ("Ana\x07\tPaz", "Ana Paz"),
        ("\N{GRINNING FACE}", "Payout 7"),
        ("", "Payout 7"),
    ],
)
def test_no_sellers_name_keeps_the_banks_file_from_being_made(name, expected):
    transfer = Transfer(7, name, IBAN, 1_05, "PAYOUT-000000007")
    text = pain001(
        payer="Ñandú", payer_iban=IBAN, message_id="B", day=date(2026, 1, 2), transfers=[transfer]
    )
    names = [one.text for one in etree.fromstring(text.encode()).iterfind(".//p:Nm", NAMESPACE)]
    assert names == ["Nandu", "Nandu", expected]


def test_a_payout_too_large_for_sepa_is_named_and_the_file_waits(operator, payer):
    """One SEPA credit transfer carries at most 999,999,999.99 euro."""
    small = pay_out(seller_with(90_00, legal_name="Ana", iban=IBAN))
    seller = seller_with(1_000_000_000_00, legal_name="Max", iban=OTHER_IBAN)
    large = pay_out(seller)
    refused = problem(operator.post(URL, {"currency": "EUR"}), 409, "transfer_refused")
    assert (refused["payout"], refused["fault"]) == (large.pk, "amount")
    assert f"Payout {large.pk} to {seller.username} is 1,000,000,000.00 EUR" in refused["detail"]
    assert not PayoutBatch.objects.exists()
    body = {"reference": "by another way"}
    assert operator.post(f"/api/admin/payouts/{large.pk}/mark-paid", body).status_code == 200
    made = operator.post(URL, {"currency": "EUR"})
    assert (made.status_code, made.json()["amount"]) == (201, small.amount)


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, ""),
        ({"amount": 999_999_999_99}, ""),
        ({"amount": 1_000_000_000_00}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": -5}, "amount"),
        ({"iban": "ES91 2100 0418 4502 0005 1332"}, "iban"),
        ({"iban": "ES9121000418450200051333"}, "iban"),
        ({"iban": ""}, "iban"),
        ({"reference": "R" * 35}, ""),
        ({"reference": "R" * 36}, "reference"),
        ({"reference": "PAGO_Ñ"}, "reference"),
        ({"reference": "/PAYOUT"}, "reference"),
        ({"reference": "A//B"}, "reference"),
        ({"reference": ""}, "reference"),
    ],
)
def test_what_a_sepa_transfer_cannot_be_is_in_no_file(changed, fault):
    transfer = replace(Transfer(7, "Ana", IBAN, 1_05, "PAYOUT-000000007"), **changed)
    make = partial(pain001, payer="A", payer_iban=IBAN, message_id="B", day=date(2026, 1, 2))
    assert transfer_fault(transfer) == fault
    if fault:
        with pytest.raises(ValueError, match=f"payout 7: {fault}"):
            make(transfers=[transfer])
    else:
        assert make(transfers=[transfer])


def test_a_batch_is_a_file_that_fits_the_schema_and_never_changes(operator, payer):
    paid = [
        pay_out(seller_with(90_00, legal_name="Ana Ñ. & Co", iban=IBAN)),
        pay_out(seller_with(1_05, legal_name="Max", iban=OTHER_IBAN)),
    ]
    left = pay_out(seller_with(7_00))
    made = operator.post(URL, {"currency": "EUR"})
    assert made.status_code == 201, made.json()
    assert (made.json()["count"], made.json()["amount"]) == (2, 91_05)
    path = f"{URL}/{made.json()['id']}"
    text = operator.get(f"{path}/file?file=pain.001").content
    assert text == operator.get(f"{path}/file?file=pain.001").content
    tree = etree.fromstring(text)
    find = lambda name: [one.text for one in tree.iterfind(f".//p:{name}", NAMESPACE)]  # noqa: E731
    assert find("CtrlSum") == ["91.05", "91.05"]
    assert find("InstdAmt") == ["90.00", "1.05"]
    assert find("EndToEndId") == [payout.bank_reference for payout in paid]
    assert find("MsgId") == [f"ATALAYA-{made.json()['id']:09d}"]
    assert find("IBAN") == [IBAN, IBAN, OTHER_IBAN]
    table = operator.get(f"{path}/file?file=csv").content.decode().splitlines()
    assert table[1].endswith(f",{IBAN},90.00,EUR,{paid[0].bank_reference}")
    problem(operator.get(f"{path}/file?file=pdf"), 400, field="file")
    problem(operator.post(URL, {"currency": "EUR"}), 409, "nothing_to_pay")
    assert operator.post(f"{path}/mark-paid").json() == {"paid": 2}
    assert operator.post(f"{path}/mark-paid").json() == {"paid": 0}
    left.refresh_from_db()
    assert (left.status, left.batch) == ("pending", None)
    paid[0].refresh_from_db()
    assert paid[0].reference == paid[0].bank_reference


def test_the_file_is_for_whom_it_is_allowed_and_encrypted_at_rest(operator, as_user, staff, payer):
    pay_out(seller_with(90_00, iban=IBAN))
    batch = services.create_payout_batch(actor=factories.root(), currency="EUR")
    assert IBAN not in batch.pain001_sealed + batch.csv_sealed
    problem(as_user(staff("auditor")).get(f"{URL}/{batch.pk}/file"), 403)
    assert "sealed" not in str(operator.get(f"{URL}/{batch.pk}").json())


def test_who_is_on_hold_waits_and_without_a_payer_there_is_no_file(operator):
    seller = seller_with(90_00, iban=IBAN)
    pay_out(seller)
    problem(operator.post(URL, {"currency": "EUR"}), 409, "payer_missing")
    settings(payout_needs_identity=True)
    problem(operator.post(URL, {"currency": "EUR"}), 409, "nothing_to_pay")
    past = (clock.today() - timedelta(days=1)).isoformat()
    problem(operator.post(URL, {"currency": "EUR", "execution_on": past}), 400)
    assert not PayoutBatch.objects.exists()


def test_other_currencies_are_csv(payer):
    product = factories.approved(price=500, currency="JPY")
    seller = factories.completed(product).seller
    services.save_seller_profile(actor=factories.root(), seller=seller, iban=IBAN)
    services.create_payout(actor=factories.root(), seller=seller, currency="JPY")
    batch = services.create_payout_batch(actor=factories.root(), currency="JPY")
    assert ",500,JPY," in services.payout_file(actor=factories.root(), batch=batch, kind="csv")
    with pytest.raises(InvalidInput):
        services.payout_file(actor=factories.root(), batch=batch, kind="pain.001")


def test_the_page(admin_client_for, superuser, payer):
    pay_out(seller_with(90_00, iban=IBAN))
    client = admin_client_for(superuser)
    add = reverse("admin:marketplace_payoutbatch_add")
    form = {"currency": "EUR", "execution_on": clock.today().isoformat()}
    asked = client.get(add).content.decode()
    assert "EUR: 1 payout, 90.00 EUR" in asked
    assert f'value="{clock.today().isoformat()}"' in asked
    assert client.post(add, form).status_code == 302
    assert b"nothing to pay" in client.post(add, form).content
    assert b"No payout is pending" in client.get(add).content
    batch = PayoutBatch.objects.get()
    page = reverse("admin:marketplace_payoutbatch_changelist")
    assert b"pain.001" in client.get(page).content
    file = client.get(reverse("admin:marketplace_payoutbatch_file", args=[batch.pk]))
    assert b"CstmrCdtTrfInitn" in file.content
    chosen = {"action": "mark_paid", "_selected_action": batch.pk}
    asked = client.post(page, chosen).content.decode()
    assert "Becomes paid: EUR: 1 payout, 90.00 EUR" in asked
    assert Payout.objects.get().status == "pending"
    client.post(page, {**chosen, "apply": "1"})
    assert Payout.objects.get().status == "paid"
    assert b"None of its payouts is pending" in client.post(page, chosen).content
