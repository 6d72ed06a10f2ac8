"""The pages of commissions and sales, of the trial balance, and of a calculation."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from marketplace import services
from marketplace.admin.trace import AMOUNTS, REASONS, shown_step
from marketplace.commission.matching import _bounds, _what, _who
from marketplace.commission.rules import Conditions, Party, Sale
from marketplace.models import CommissionLine, LedgerAccount
from marketplace.tests import factories

pytestmark = pytest.mark.django_db
SALE = Sale("EUR", 1, timezone.now())


@pytest.fixture
def operator(admin_client_for, staff):
    return admin_client_for(staff("operator"))


def sold_today(count=1, price=100_00):
    factories.rule(ppm=100_000)
    return [factories.completed(factories.approved(price=price)) for _one in range(count)]


def page(client, name, **query):
    return client.get(reverse(f"admin:{name}"), query)


def test_the_last_day_counts(operator):
    sold_today()
    today = timezone.localdate()
    tables = page(operator, "marketplace_reports", start=today, end=today).context["tables"]
    assert [table.total[0] for table in tables][:2] == ["10.00 EUR", "100.00 EUR"]
    yesterday = today - timedelta(days=1)
    assert (
        page(operator, "marketplace_reports", start=yesterday, end=yesterday).context["tables"]
        == []
    )


def test_a_period_that_is_none_shows_no_figures(operator):
    sold_today()
    for query in ({"start": "foo"}, {"start": "2026-06-02", "end": "2026-06-01"}):
        answer = page(operator, "marketplace_reports", **query)
        assert "tables" not in answer.context
        assert b"errorlist" in answer.content
        assert page(operator, "marketplace_reports_csv", **query)["Content-Type"].startswith(
            "text/html"
        )


def test_every_currency_is_shown_and_what_is_left_out_is_counted(operator, monkeypatch):
    monkeypatch.setattr("marketplace.admin.sales_page.MOST_ROWS", 2)
    sold_today(3)
    factories.completed(factories.approved(price=5_000, currency="CLP"))
    answer = page(operator, "marketplace_reports")
    sellers = [one for one in answer.context["tables"] if one.first == "Seller"]
    assert [(one.title[-3:], len(one.rows), one.left_out) for one in sellers] == [
        ("CLP", 1, 0),
        ("EUR", 2, 1),
    ]
    assert b"1 more in the CSV file" in answer.content


def test_a_day_is_filled_in_whatever_the_language(operator, settings):
    operator.cookies[settings.LANGUAGE_COOKIE_NAME] = "es"
    text = page(operator, "marketplace_reports", start="2026-03-01").content.decode()
    assert 'type="date" name="start" value="2026-03-01"' in text


def test_the_trial_balance_adds_up(operator, admin_client_for, staff):
    sold_today(2)
    answer = page(operator, "marketplace_balances")
    (table,) = answer.context["tables"]
    assert table.total == ["0.00 EUR", "400.00 EUR", "-400.00 EUR", "0.00 EUR"]
    rows = dict(table.rows)
    assert rows[LedgerAccount.Code.CASH.label][3] == "200.00 EUR"
    assert page(admin_client_for(staff("support_agent")), "marketplace_balances").status_code == 403


def test_payouts_say_where_a_seller_is_paid(operator):
    text = page(operator, "marketplace_payout_changelist").content.decode()
    assert "?code__exact=seller_payable" in text


class TestCalculation:
    def test_every_step_is_a_sentence_in_spanish_with_its_currency(self):
        factories.rule(ppm=77_700, fixed=13, minimum=50, currency="EUR")
        factories.completed(factories.approved(price=2_99), quantity=3)
        line = CommissionLine.objects.latest("pk")
        with override("es"):
            shown = [shown_step(step, "EUR") for step in line.trace]
        kept = {step["detail"] for step in line.trace}
        assert shown
        assert not kept & set(shown)
        assert any("7,77 %" in one and "EUR" in one for one in shown)

    def test_a_step_of_another_time_is_shown_as_it_was_kept(self):
        assert shown_step({"step": "moon", "detail": "Full moon."}, "EUR") == "Full moon."

    def test_every_reason_and_every_amount_has_its_words(self):
        codes = {"inactive", "no_conditions"}
        codes |= {
            code for code, _holds in (*_what(Conditions(), SALE), *_who(Conditions(), Party()))
        }
        for name in ("value", "line", "unit_price", "volume"):
            codes |= {code for code, _holds in _bounds(name, None, None, 0)}
        assert codes == set(REASONS)
        assert all("%(value)s" in str(text) for text in AMOUNTS.values())

    def test_a_line_is_called_by_its_amount(self):
        sold_today()
        assert str(CommissionLine.objects.latest("pk")).endswith(": 10.00 EUR")


def test_a_part_that_was_refunded_before_an_appeal_is_not_asked_again():
    (order,) = [factories.completed(factories.approved(price=100_00))]
    dispute = services.record_chargeback(actor=None, order=order, reference="dp_1")
    root = factories.root()
    services.resolve_dispute(actor=root, dispute=dispute, in_favour_of="buyer", refund_amount=40_00)
    dispute.refresh_from_db()
    dispute = services.appeal_dispute(actor=root, dispute=dispute, reason="The bank asks again.")
    services.resolve_dispute(actor=root, dispute=dispute, in_favour_of="buyer")
    order.refresh_from_db()
    assert (order.refunded, order.status) == (100_00, "refunded")
    assert services.check_ledger() == []


def test_a_month_is_closed_by_a_button_that_says_so(operator):
    text = page(operator, "marketplace_closedmonth_add").content.decode()
    assert 'value="Close the month"' in text
    assert "_addanother" not in text
    assert "_continue" not in text


@pytest.mark.parametrize("typed", ["close month", "closed month", "month closed"])
def test_pages_are_found_by_any_of_their_words(operator, typed):
    text = operator.get(reverse("admin:search"), {"q": typed}).content.decode()
    assert reverse("admin:marketplace_closedmonth_changelist") in text
    assert "Add closed month" in text
