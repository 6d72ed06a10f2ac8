"""The settings that the marketplace's staff may change at run time."""

from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.configuration import Setting
from systemadmin.foundation.money import TooFine, UnknownCurrency, to_minor
from systemadmin.foundation.parsing import Unreadable, parse_decimal
from systemadmin.foundation.retention import days_setting


def parse_minimum(text: str) -> tuple[str, int]:
    """Return currency and minor units of a text such as “EUR 10.00”; raises `Unreadable`."""
    code, _space, amount = text.strip().partition(" ")
    try:
        return code, to_minor(parse_decimal(amount.strip()), code)
    except (UnknownCurrency, TooFine) as error:
        raise Unreadable(_("A currency and an amount, as in EUR 10.00.")) from error


def parse_minimums(texts: list[str]) -> list[tuple[str, int]]:
    """Return all of them; raises `Unreadable`."""
    return [parse_minimum(text) for text in texts]


SETTINGS = [
    Setting(
        key="ratelimit.orders.create",
        type="rate",
        default="30/m",
        description=_("Orders a member may place."),
    ),
    Setting(
        key="marketplace.reservation_minutes",
        type=int,
        default=15,
        min=1,
        max=1440,
        description=_("How long an unpaid order keeps its stock."),
    ),
    Setting(
        key="marketplace.forbidden_words",
        type=list,
        default=[],
        description=_("Words that a product's text should not hold (shown to the moderator)."),
    ),
    Setting(
        key="marketplace.reject_forbidden_words",
        type=bool,
        lowering_needs_second_person=True,
        default=False,
        description=_("Reject products with forbidden words without a moderator."),
    ),
    Setting(
        key="marketplace.approve_clean_products",
        type=bool,
        raising_needs_second_person=True,
        default=False,
        description=_("Approve products whose automatic checks found nothing."),
    ),
    Setting(
        key="marketplace.material_price_percent",
        type=int,
        raising_needs_second_person=True,
        default=20,
        min=0,
        max=1000,
        description=_("A price change above this percentage goes through review."),
    ),
    Setting(
        key="marketplace.material_text_percent",
        type=int,
        raising_needs_second_person=True,
        default=10,
        min=0,
        max=100,
        description=_("A change of more than this percentage of a text goes through review."),
    ),
    Setting(
        key="marketplace.price_outlier_factor",
        type=int,
        raising_needs_second_person=True,
        default=10,
        min=2,
        max=1000,
        description=_("A price this many times the category's median, or less, is an outlier."),
    ),
    Setting(
        key="marketplace.high_risk_score",
        type=int,
        raising_needs_second_person=True,
        default=61,
        min=0,
        max=100,
        description=_("From this risk score on, a seller is shown as high risk."),
    ),
    Setting(
        key="marketplace.dispute_days",
        type=int,
        lowering_needs_second_person=True,
        default=60,
        min=1,
        max=365,
        description=_("How many days after payment a buyer may open a dispute."),
    ),
    Setting(
        key="marketplace.complete_after_days",
        type=int,
        lowering_needs_second_person=True,
        zero_is_endless=True,
        default=14,
        min=0,
        max=365,
        description=_("Paid orders are completed by themselves after so many days (0: never)."),
    ),
    Setting(
        key="marketplace.time_zone",
        type="timezone",
        default="UTC",
        description=_("The time zone in which days, months and closed books begin and end."),
    ),
    Setting(
        key="marketplace.minimum_payout",
        type=int,
        default=1,
        min=1,
        max=10**9,
        description=_("The smallest payout, in minor units of its currency."),
    ),
    Setting(
        key="marketplace.minimum_payouts",
        type=list,
        default=[],
        check=parse_minimums,
        description=_(
            "The smallest payout of single currencies, in major units, as in “EUR 10.00”."
        ),
    ),
    Setting(
        key="marketplace.payout_schedule",
        type="choice",
        changing_needs_second_person=True,
        choices=["manual", "weekly", "monthly"],
        default="manual",
        description=_("When payouts are created by themselves."),
    ),
    Setting(
        key="marketplace.payout_day",
        type=int,
        changing_needs_second_person=True,
        default=1,
        min=1,
        max=28,
        description=_("On which day: 1 is Monday by the week, or the first by the month."),
    ),
    Setting(
        key="marketplace.payout_reserve_percent",
        type=int,
        lowering_needs_second_person=True,
        default=0,
        min=0,
        max=100,
        description=_("How much of the latest sales stays with the platform at a payout."),
    ),
    Setting(
        key="marketplace.payout_reserve_days",
        type=int,
        lowering_needs_second_person=True,
        default=0,
        min=0,
        max=365,
        description=_("How many days back sales count as the latest, for the reserve."),
    ),
    Setting(
        key="marketplace.payout_most_risk",
        type=int,
        raising_needs_second_person=True,
        default=100,
        min=0,
        max=100,
        description=_("Above this risk score, nothing is paid out to a seller."),
    ),
    Setting(
        key="marketplace.payout_waits_for_disputes",
        type=bool,
        lowering_needs_second_person=True,
        default=False,
        description=_("Pay nothing to a seller with an open dispute, not only its amount."),
    ),
    Setting(
        key="marketplace.payout_needs_identity",
        type=bool,
        lowering_needs_second_person=True,
        default=False,
        description=_("Pay only sellers whose identity was verified."),
    ),
    Setting(
        key="marketplace.platform_legal_name",
        type=str,
        default="",
        description=_("The platform's legal name, in payment files and on invoices."),
    ),
    Setting(
        key="marketplace.platform_tax_id",
        type=str,
        default="",
        description=_("The platform's tax id, on invoices."),
    ),
    Setting(
        key="marketplace.platform_address",
        type=str,
        default="",
        description=_("The platform's address, on invoices."),
    ),
    Setting(
        key="marketplace.invoice_series",
        type=str,
        default="C",
        description=_("What the numbers of commission invoices begin with; the year follows."),
    ),
    Setting(
        key="marketplace.platform_iban",
        type=str,
        changing_needs_second_person=True,
        default="",
        description=_("The account that payouts are paid from."),
    ),
    Setting(
        key="marketplace.dac7_country",
        type=str,
        default="",
        description=_("The member state that the yearly report on sellers is sent to, as in ES."),
    ),
    Setting(
        key="marketplace.dac7_receiving_country",
        type=str,
        default="",
        description=_("The state that receives the report, where it is another one."),
    ),
    Setting(
        key="marketplace.dac7_sender_id",
        type=str,
        default="",
        description=_("The sender's number at the tax authority; the platform's tax id if empty."),
    ),
    Setting(
        key="marketplace.dac7_platform_name",
        type=str,
        default="",
        description=_("The platform's name in the report; its legal name if empty."),
    ),
    Setting(
        key="marketplace.dac7_contact",
        type=str,
        default="",
        description=_("Whom the tax authority asks about the report."),
    ),
    days_setting(
        "retention.payment_event_days",
        default=180,
        least=30,
        description=_(
            "Days after which events of payment services are deleted; what they told is in the "
            "books. 0 keeps them."
        ),
    ),
    Setting(
        key="duties.second_person_payout_limit",
        type=int,
        default=100_000,
        min=0,
        max=1_000_000_000_000,
        raising_needs_second_person=True,
        description=_(
            "Amount in minor units from which creating a payout, marking it as paid or taking a "
            "paid one back needs a second person; 0 for always."
        ),
    ),
    Setting(
        key="duties.new_account_days",
        type=int,
        default=14,
        min=1,
        max=365,
        lowering_needs_second_person=True,
        description=_(
            "Days for which a changed payout account counts as new: payouts to one that somebody "
            "else than the seller entered need a second person, whatever their sum."
        ),
    ),
    Setting(
        key="duties.second_person_payment_limit",
        type=int,
        default=100_000,
        min=0,
        max=1_000_000_000_000,
        raising_needs_second_person=True,
        description=_(
            "Amount in minor units from which a payment that staff record by hand needs a second "
            "person; 0 for always."
        ),
    ),
    Setting(
        key="duties.second_person_entry_limit",
        type=int,
        default=100_000,
        min=0,
        max=1_000_000_000_000,
        raising_needs_second_person=True,
        description=_(
            "Amount in minor units (the sum of the debits) from which posting or reversing a "
            "journal entry needs a second person; 0 for always."
        ),
    ),
]
