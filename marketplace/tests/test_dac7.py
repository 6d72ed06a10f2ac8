"""The yearly report on sellers: quarters of the place, net of fees, thresholds with reasons."""

import copy
import csv
import io
from datetime import UTC, date, datetime

import pytest
import time_machine
from django.urls import reverse
from lxml import etree

from marketplace import services
from marketplace.dac7 import Row
from marketplace.tests import factories
from marketplace.tests.dac7_rules import STF, faults
from systemadmin.foundation.testing import problem
from systemadmin.services import change_settings
from systemadmin.tests.factories import UserFactory

URL = "/api/admin/ledger/dac7"
NS = "{urn:oecd:ties:dpi:v1}"
HEADER = {
    "marketplace.platform_legal_name": "Atalaya Plaza S.L.",
    "marketplace.platform_tax_id": "B58378431",
    "marketplace.platform_address": "Calle Mayor 1, 28013 Madrid",
    "marketplace.dac7_country": "ES",
}


@pytest.mark.parametrize(
    ("sales", "consideration", "currency", "reported"),
    [
        (29, 2_000_00, "EUR", False),
        (30, 1, "EUR", True),
        (1, 2_000_01, "EUR", True),
        (1, 1, "JPY", True),
    ],
)
def test_thresholds(sales, consideration, currency, reported):
    row = Row(1, currency, sales=[sales, 0, 0, 0], consideration=[0, consideration, 0, 0])
    assert row.is_reportable is reported


@pytest.mark.django_db
def test_quarters_are_the_places_and_sums_net_of_fees(as_user, staff):
    change_settings(actor=None, values={"marketplace.time_zone": "Europe/Madrid"})
    factories.rule(ppm=100_000, tax_ppm=210_000)
    seller = UserFactory(country="ES")
    services.save_seller_profile(
        actor=factories.root(), seller=seller, legal_name="Ana & Co", birth_date=date(1980, 1, 1)
    )
    for moment, price in (("2025-03-31T21:30", 3_000_00), ("2025-03-31T22:30", 100_00)):
        with time_machine.travel(datetime.fromisoformat(moment).replace(tzinfo=UTC), tick=False):
            factories.completed(factories.approved(seller, price=price))
            small = factories.completed(factories.approved(price=10_00))
    operator = as_user(staff("operator"))
    text = b"".join(operator.get(f"{URL}?year=2025").streaming_content).decode()
    rows = {int(row["seller"]): row for row in csv.DictReader(io.StringIO(text))}
    one = rows[seller.pk]
    assert (one["consideration_q1"], one["fees_q1"], one["sales_q1"]) == ("2637.00", "363.00", "1")
    assert (one["consideration_q2"], one["fees_q2"], one["sales_q3"]) == ("87.90", "12.10", "0")
    assert (one["reportable"], one["reason"]) == ("True", "more than 2,000 EUR")
    assert rows[small.seller_id]["reportable"] == "False"
    problem(operator.get(f"{URL}?year=2025&file=xml"), 400, "dac7_header_incomplete")
    change_settings(actor=None, values=HEADER)
    data = b"".join(operator.get(f"{URL}?year=2025&file=xml").streaming_content)
    (found,) = etree.fromstring(data).iterfind(f".//{NS}ReportableSeller")
    assert found.findtext(f".//{NS}LastName") == "Co"
    assert found.findtext(f".//{NS}ConsQ1") == "2637"
    # Whole units: 87.90 and 12.10 are rounded half-up.
    assert (found.findtext(f".//{NS}ConsQ2"), found.findtext(f".//{NS}FeesQ2")) == ("88", "12")
    assert found.findtext(f".//{NS}NumbQ2") == "1"
    for query in ("", "?year=1", "?year=2025&file=pdf", "?year=2025&colour=1"):
        problem(operator.get(URL + query), 400)


def xml_of(operator):
    data = b"".join(operator.get(f"{URL}?year=2025&file=xml").streaming_content)
    return etree.fromstring(data)


@pytest.mark.django_db
def test_the_header_says_who_sends_what_to_whom(as_user, staff):
    operator = as_user(staff("operator"))
    more = {"marketplace.dac7_contact": "tax@example.com", "marketplace.dac7_sender_id": "ES-77"}
    change_settings(actor=None, values=HEADER | more)
    with time_machine.travel(datetime(2026, 1, 15, 10, tzinfo=UTC), tick=False):
        root = xml_of(operator)
    assert root.tag == f"{NS}DPI_OECD"
    spec = {etree.QName(node).localname: node.text for node in root.find(f"{NS}MessageSpec")}
    assert spec.pop("MessageRefId").startswith("ES2025ES-ES-77-20260115T100000")
    assert spec == {
        "SendingEntityIN": "ES-77",
        "TransmittingCountry": "ES",
        "ReceivingCountry": "ES",
        "MessageType": "DPI",
        "Contact": "tax@example.com",
        "MessageTypeIndic": "DPI403",
        "ReportingPeriod": "2025-12-31",
        "Timestamp": "2026-01-15T10:00:00",
    }
    operator_node = root.find(f"{NS}DPIBody/{NS}PlatformOperator")
    assert operator_node.findtext(f"{NS}TIN") == "B58378431"
    assert operator_node.find(f"{NS}TIN").get("issuedBy") == "ES"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"marketplace.dac7_country": ""}, "marketplace.dac7_country"),
        ({"marketplace.dac7_country": "XX"}, "marketplace.dac7_country"),
        ({"marketplace.dac7_receiving_country": "US"}, "marketplace.dac7_receiving_country"),
        ({"marketplace.platform_tax_id": "B58378432"}, "marketplace.platform_tax_id"),
        ({"marketplace.platform_legal_name": " "}, "marketplace.platform_legal_name"),
    ],
)
def test_a_wrong_header_is_refused_and_named(as_user, staff, change, setting):
    operator = as_user(staff("operator"))
    change_settings(actor=None, values=HEADER | change)
    answer = problem(
        operator.get(f"{URL}?year=2025&file=xml"), 400, "dac7_header_incomplete", field=setting
    )
    assert setting in answer["detail"]
    assert operator.get(f"{URL}?year=2025").status_code == 200


@pytest.fixture
def reported(db):
    """Sellers of every sort that the report knows, in a year that is over."""
    change_settings(actor=None, values=HEADER)
    factories.rule(ppm=100_000, tax_ppm=210_000)
    profiles = (
        ("ES", {
            "legal_name": "Ana María Pérez", "tax_id": "12345678Z", "tax_status": "private",
            "birth_date": date(1980, 2, 29), "address": "Calle Mayor 1", "city": "Madrid",
            "iban": "ES9121000418450200051332",
        }),
        ("DE", {
            "legal_name": "Lampen & Söhne GmbH", "tax_status": "business",
            "tax_id": "DE136695976",
        }),
        ("FR", {"legal_name": "Plato", "birth_date": date(1990, 1, 1)}),
    )  # fmt: skip
    sellers = [UserFactory(country=country) for country, _profile in profiles]
    for seller, (_country, profile) in zip(sellers, profiles, strict=True):
        services.save_seller_profile(actor=factories.root(), seller=seller, **profile)
    with time_machine.travel(datetime(2025, 3, 10, tzinfo=UTC), tick=False):
        for seller in sellers:
            factories.completed(factories.approved(seller, price=3_000_00))
        yen = factories.completed(factories.approved(sellers[0], price=3_000, currency="JPY"))
    with time_machine.travel(datetime(2025, 5, 10, tzinfo=UTC), tick=False):
        services.refund_order(actor=factories.root(), order=yen, amount=1_000)
    return sellers


def test_the_file_keeps_the_rules_of_the_report(as_user, staff, reported):
    operator = as_user(staff("operator"))
    root = xml_of(operator)
    assert len(list(root.iter(f"{NS}ReportableSeller"))) == 4
    assert faults(root) == []
    assert [node.text for node in root.iter(f"{NS}FirstName")] == ["Ana María", "Ana María", "NFN"]
    assert root.findtext(f".//{NS}BirthDate") == "1980-02-29"
    empty = operator.get(f"{URL}?year=2024&file=xml")
    assert faults(etree.fromstring(b"".join(empty.streaming_content))) == []


HARMS = [
    lambda root: _drop(root, "BirthInfo"),
    lambda root: _drop(root, "TaxQ3"),
    lambda root: _drop(root, "Nexus") or _drop(root, "Name"),
    lambda root: _say(root, "ResCountryCode", ""),
    lambda root: _say(root, "ConsQ1", "87.90"),
    lambda root: _say(root, "MessageTypeIndic", "DPI403"),
    lambda root: _say(root, "ReportingPeriod", "2025-06-30"),
    lambda root: _say(root, "MessageRefId", "x"),
    lambda root: _say(root, "TIN", "NOTIN"),
    lambda root: _say(root, "BirthDate", "1880-01-01"),
    lambda root: [_say(node, "DocRefId", "ES2025-1", STF) for node in root.iter(f"{NS}DocSpec")],
    lambda root: next(root.iter(f"{NS}FeesQ1")).attrib.clear(),
    lambda root: next(root.iter(f"{NS}Fees")).append(next(root.iter(f"{NS}FeesQ1"))),
]


def test_the_written_rules_find_what_is_wrong(as_user, staff, reported):
    sound = xml_of(as_user(staff("operator")))
    for number, harm in enumerate(HARMS):
        root = copy.deepcopy(sound)
        harm(root)
        assert faults(root), number


def _drop(root, name):
    node = next(root.iter(NS + name))
    node.getparent().remove(node)


def _say(root, name, text, namespace=NS):
    next(root.iter(namespace + name)).text = text


def test_what_the_schema_needs_of_a_seller_is_asked_for(as_user, staff, admin_client_for, reported):
    private, business, _other = reported
    root = factories.root()
    services.save_seller_profile(actor=root, seller=private, birth_date=None)
    business.country = ""
    business.save()
    operator = as_user(staff("operator"))
    answer = problem(operator.get(f"{URL}?year=2025&file=xml"), 400, "dac7_sellers_incomplete")
    assert answer["count"] == 2
    assert answer["sellers"] == [
        {"seller": private.pk, "missing": ["birth_date"]},
        {"seller": business.pk, "missing": ["country"]},
    ]
    text = b"".join(operator.get(f"{URL}?year=2025").streaming_content).decode()
    rows = {int(row["seller"]): row["missing"] for row in csv.DictReader(io.StringIO(text))}
    assert (rows[private.pk], rows[business.pk]) == ("birth_date", "country")
    page = admin_client_for(staff("operator")).get(
        reverse("admin:marketplace_dac7"), {"year": 2025}
    )
    assert "2 sellers to report" in page.content.decode()
    assert "file=xml" not in page.content.decode()


@pytest.mark.django_db
def test_a_seller_gives_the_date_of_birth_and_is_checked_again(as_user):
    seller = UserFactory(country="ES")
    client = as_user(seller)
    saved = client.put("/api/seller/profile", {"birth_date": "1980-02-29"})
    assert (saved.status_code, saved.json()["birth_date"]) == (200, "1980-02-29")
    assert saved.json()["identity"] == "pending"
    for wrong in ("1899-12-31", "2999-01-01", "29.2.1980"):
        problem(client.put("/api/seller/profile", {"birth_date": wrong}), 400, field="birth_date")


def test_a_seller_outside_the_union_is_kept_in_the_list_and_not_reported():
    inside, outside = Row(1, "EUR", country="PT"), Row(2, "CLP", country="CL")
    inside.sales[0] = outside.sales[0] = 30
    assert (inside.is_reportable, outside.is_reportable) == (True, False)
    assert outside.reason == "not resident in a member state"
