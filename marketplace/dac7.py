"""The yearly report on sellers that DAC7 (EU 2021/514) asks of platforms, out of the ledger.

Per seller and currency, for each quarter: what was credited net of fees (consideration), the fees
and taxes withheld, and the number of sales. Sellers of goods with fewer than 30 sales and at most
2,000 EUR of consideration in the year are excluded (article 4, annex V, section I).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_UP
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext_noop
from lxml import etree

from marketplace.dac7_header import (
    NAMESPACE,
    TYPES,
    Header,
    add,
    add_address,
    doc_spec,
    message_spec,
    platform_operator,
    read_header,
)
from marketplace.errors import Dac7SellersIncomplete
from marketplace.models import LedgerTransaction, SellerProfile
from marketplace.querysets.statements import Key, commission_of, movements
from marketplace.services import clock
from marketplace.services.sellers import open_account
from systemadmin.foundation.csv_export import csv_of_mappings
from systemadmin.foundation.money import to_major
from systemadmin.models import User

FEWEST_SALES, MOST_EXCLUDED = 30, 2_000_00
# A reportable seller of goods or services is resident in one of these (annex V, section I.B.3).
MEMBER_STATES = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)
MOST_SHOWN = 100
SELLER_COLUMNS = (
    "seller", "name", "tax_id", "birth_date", "country", "address", "account", "currency",
)  # fmt: skip
COLUMNS = (
    *SELLER_COLUMNS,
    *(f"{what}_q{n}" for n in range(1, 5) for what in ("consideration", "fees", "sales")),
    "reportable",
    "reason",
    "missing",
)
BASES = ("completion", "refund", "payout_fee")


@dataclass(slots=True)
class Row:
    """A seller's year in one currency, quarter by quarter, in minor units."""

    seller: int
    currency: str
    consideration: list[int] = field(default_factory=lambda: [0] * 4)
    fees: list[int] = field(default_factory=lambda: [0] * 4)
    sales: list[int] = field(default_factory=lambda: [0] * 4)
    country: str = ""

    @property
    def reason(self) -> str:
        """Why it is reported, or not: the English text, which the catalogue has."""
        if self.country and self.country not in MEMBER_STATES:
            return gettext_noop("not resident in a member state")
        if sum(self.sales) >= FEWEST_SALES:
            return gettext_noop("30 sales or more")
        if self.currency != "EUR":
            return gettext_noop("another currency: compare with 2,000 EUR by hand")
        if sum(self.consideration) > MOST_EXCLUDED:
            return gettext_noop("more than 2,000 EUR")
        return gettext_noop("fewer than 30 sales and at most 2,000 EUR")

    @property
    def is_reportable(self) -> bool:
        """Whether the seller is resident in the Union and above the thresholds."""
        return not self.reason.startswith(("fewer", "not resident"))


def rows_of(year: int) -> list[Row]:
    """Return every seller's year; quarters begin in the place's zone. Run it in a snapshot."""
    found: dict[Key, Row] = {}

    def row(key: Key) -> Row:
        return found.setdefault(key, Row(*key))

    for place in range(4):
        start = clock.day_start(date(year, 3 * place + 1, 1))
        last = date(year, 3 * place + 3, 1)
        end = clock.day_start(clock.next_month(last))
        for key, kinds in movements(start, end).items():
            row(key).consideration[place] = sum(kinds.get(kind, 0) for kind in BASES)
        for key, parts in commission_of(start, end).items():
            row(key).fees[place] = sum(parts.values())
        sold = (
            LedgerTransaction.objects.filter(
                kind="completion", posted_at__gte=start, posted_at__lt=end
            )
            .order_by()
            .values_list("order__seller_id", "order__currency")
            .annotate(count=Count("pk"))
        )
        for seller, currency, count in sold:
            row((seller, currency)).sales[place] = count
    rows = [found[key] for key in sorted(found) if any(found[key].sales + found[key].consideration)]
    countries = dict(
        User.objects.filter(pk__in=[one.seller for one in rows]).values_list("pk", "country")
    )
    for one in rows:
        one.country = countries.get(one.seller, "")
    return rows


def csv(year: int) -> Iterator[str]:
    """Yield the report as CSV, in major units, the excluded with the reason."""
    return csv_of_mappings(COLUMNS, _shown(rows_of(year)))


def _shown(rows: list[Row]) -> Iterator[dict[str, object]]:
    sellers = User.objects.select_related("seller_profile").in_bulk([row.seller for row in rows])
    for row in rows:
        seller = sellers[row.seller]
        shown: dict[str, object] = _identity(seller)
        missing = missing_of(seller, getattr(seller, "seller_profile", None))
        shown["missing"] = ", ".join(missing)
        shown |= {"currency": row.currency, "reportable": row.is_reportable, "reason": row.reason}
        for place in range(4):
            number = place + 1
            shown[f"consideration_q{number}"] = str(
                to_major(row.consideration[place], row.currency)
            )
            shown[f"fees_q{number}"] = str(to_major(row.fees[place], row.currency))
            shown[f"sales_q{number}"] = row.sales[place]
        yield shown


def _identity(seller: User) -> dict[str, object]:
    profile = getattr(seller, "seller_profile", None) or SellerProfile(user=seller)
    return {
        "seller": seller.pk,
        "name": profile.legal_name or seller.username,
        "tax_id": profile.tax_id,
        "birth_date": profile.birth_date.isoformat() if profile.birth_date else "",
        "country": seller.country,
        "address": ", ".join(filter(None, (profile.address, profile.postal_code, profile.city))),
        "account": open_account(profile),
    }


def missing_of(seller: User, profile: SellerProfile | None) -> list[str]:
    """Return what the schema of the report needs of a seller and is not kept."""
    missing = [] if seller.country else ["country"]
    is_business = profile is not None and profile.tax_status == SellerProfile.TaxStatus.BUSINESS
    if not is_business and (profile is None or profile.birth_date is None):
        missing.append("birth_date")
    return missing


def xml(year: int) -> Iterator[str]:
    """Yield the reportable sellers as XML by the schema of the directive's report.

    Amounts are whole units there, rounded half-up. Before anything is written, raises
    `Dac7HeaderIncomplete` where the settings do not say who sends it, and `Dac7SellersIncomplete`
    where the schema asks for more than is kept of a seller.
    """
    header, now = read_header(), clock.now()
    rows = [row for row in rows_of(year) if row.is_reportable]
    sellers = User.objects.select_related("seller_profile").in_bulk([row.seller for row in rows])
    # Two databases give rows without an order in different ones.
    _check_sellers(sellers[pk] for pk in sorted(sellers))
    return _xml(year, header, now, rows, sellers)


def _check_sellers(sellers: Iterable[User]) -> None:
    lacking = {
        seller: missing
        for seller in sellers
        if (missing := missing_of(seller, getattr(seller, "seller_profile", None)))
    }
    if lacking:
        shown = list(lacking.items())[:MOST_SHOWN]
        raise Dac7SellersIncomplete(
            extra={
                "count": len(lacking),
                "sellers": [{"seller": one.pk, "missing": missing} for one, missing in shown],
            }
        )


def _xml(
    year: int, header: Header, now: datetime, rows: Sequence[Row], sellers: Mapping[int, User]
) -> Iterator[str]:
    root = etree.Element(
        f"{{{NAMESPACE}}}DPI_OECD", {"version": "1.0"}, nsmap={None: NAMESPACE, "stf": TYPES}
    )
    message_spec(root, header, year, now, is_empty=not rows)
    body = add(root, "DPIBody")
    reference = f"{header.country}{year}-{header.sender}-{now:%Y%m%d%H%M%S}"
    platform_operator(body, header, f"{reference}-P")
    for row in rows:
        _add_seller(body, sellers[row.seller], row, f"{reference}-{row.seller}-{row.currency}")
    text = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    yield text.decode()


def _add_seller(body: Any, seller: User, row: Row, reference: str) -> None:
    node = add(body, "ReportableSeller")
    profile = getattr(seller, "seller_profile", None) or SellerProfile(user=seller)
    _add_identity(add(node, "Identity"), seller, profile)
    goods = add(add(node, "RelevantActivities"), "SaleOfGoods")
    for tag, prefix, amounts in (
        ("Consideration", "Cons", row.consideration),
        ("NumberOfActivities", "Numb", row.sales),
        ("Fees", "Fees", row.fees),
        ("Taxes", "Tax", [0] * 4),
    ):
        part = add(goods, tag)
        for number, amount in enumerate(amounts, 1):
            if tag == "NumberOfActivities":
                add(part, f"{prefix}Q{number}", str(amount))
            else:
                whole = to_major(amount, row.currency).to_integral_value(ROUND_HALF_UP)
                add(part, f"{prefix}Q{number}", str(int(whole)), currCode=row.currency)
    doc_spec(node, reference)


def _add_identity(identity: Any, seller: User, profile: SellerProfile) -> None:
    shown = _identity(seller)
    country, name = str(shown["country"]), str(shown["name"])
    is_business = profile.tax_status == SellerProfile.TaxStatus.BUSINESS
    kind, tag = (
        ("EntitySeller", "EntSellerID") if is_business else ("IndividualSeller", "IndSellerID")
    )
    standard = add(add(identity, kind), "Standard")
    who = add(standard, tag)
    add(who, "ResCountryCode", country)
    if profile.tax_id:
        add(who, "TIN", profile.tax_id, issuedBy=country)
    else:
        add(who, "TIN", "NOTIN", unknown="true")
    if is_business:
        add(who, "Name", name)
    else:
        # One text is kept; the schema wants the last word apart.
        first, _space, last = name.rpartition(" ")
        person = add(who, "Name")
        # "No first name" in the words of the report.
        add(person, "FirstName", first or "NFN")
        add(person, "LastName", last)
    add_address(who, country, str(shown["address"]) or "-")
    if not is_business:
        add(add(who, "BirthInfo"), "BirthDate", str(shown["birth_date"]))
    account = str(shown["account"])
    if account:
        financial = add(standard, "FinancialIdentifier")
        add(financial, "Identifier", account, AccountNumberType="IBAN")


FORMATS = {"csv": csv, "xml": xml}
