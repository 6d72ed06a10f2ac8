"""The yearly report on sellers: quarters of the place, net of fees, thresholds with reasons."""

import csv
import io
from datetime import UTC, datetime

import pytest
import time_machine
from lxml import etree

from marketplace import services
from marketplace.dac7 import Row
from marketplace.tests import factories
from systemadmin.foundation.testing import problem
from systemadmin.services import change_settings
from systemadmin.tests.factories import UserFactory

URL = "/api/admin/ledger/dac7"


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
    services.save_seller_profile(actor=factories.root(), seller=seller, legal_name="Ana & Co")
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
    data = b"".join(operator.get(f"{URL}?year=2025&file=xml").streaming_content)
    (found,) = etree.fromstring(data).findall("ReportableSeller")
    assert found.findtext("Name") == "Ana & Co"
    assert found.findtext("RelevantActivities/Consideration/ConsQ1") == "2637.00"
    assert found.findtext("RelevantActivities/NumberOfActivities/NumbQ2") == "1"
    for query in ("", "?year=1", "?year=2025&file=pdf", "?year=2025&colour=1"):
        problem(operator.get(URL + query), 400)
