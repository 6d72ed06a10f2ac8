"""The yearly report on sellers that DAC7 (EU 2021/514) asks of platforms, out of the ledger.

Per seller and currency, for each quarter: what was credited net of fees (consideration), the fees
and taxes withheld, and the number of sales. Sellers of goods with fewer than 30 sales and at most
2,000 EUR of consideration in the year are excluded (article 4, annex V, section I).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from django.db.models import Count
from lxml import etree

from marketplace.models import LedgerTransaction, SellerProfile
from marketplace.querysets.statements import Key, commission_of, movements
from marketplace.services import clock
from marketplace.services.sellers import open_account
from systemadmin.foundation.csv_export import csv_of_mappings
from systemadmin.foundation.money import to_major
from systemadmin.models import User

FEWEST_SALES, MOST_EXCLUDED = 30, 2_000_00
SELLER_COLUMNS = ("seller", "name", "tax_id", "country", "address", "account", "currency")
COLUMNS = (
    *SELLER_COLUMNS,
    *(f"{what}_q{n}" for n in range(1, 5) for what in ("consideration", "fees", "sales")),
    "reportable",
    "reason",
)
BASES = ("completion", "refund")


@dataclass(slots=True)
class Row:
    """A seller's year in one currency, quarter by quarter, in minor units."""

    seller: int
    currency: str
    consideration: list[int] = field(default_factory=lambda: [0] * 4)
    fees: list[int] = field(default_factory=lambda: [0] * 4)
    sales: list[int] = field(default_factory=lambda: [0] * 4)

    @property
    def reason(self) -> str:
        """Why it is reported, or not."""
        if sum(self.sales) >= FEWEST_SALES:
            return f"{FEWEST_SALES} sales or more"
        if self.currency != "EUR":
            return "another currency: compare with 2,000 EUR by hand"
        if sum(self.consideration) > MOST_EXCLUDED:
            return "more than 2,000 EUR"
        return f"fewer than {FEWEST_SALES} sales and at most 2,000 EUR"

    @property
    def is_reportable(self) -> bool:
        """Whether the thresholds do not exclude it."""
        return not self.reason.startswith("fewer")


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
    return [found[key] for key in sorted(found) if any(found[key].sales + found[key].consideration)]


def csv(year: int) -> Iterator[str]:
    """Yield the report as CSV, in major units, the excluded with the reason."""
    return csv_of_mappings(COLUMNS, _shown(rows_of(year)))


def _shown(rows: list[Row]) -> Iterator[dict[str, object]]:
    sellers = User.objects.select_related("seller_profile").in_bulk([row.seller for row in rows])
    for row in rows:
        shown: dict[str, object] = _identity(sellers[row.seller])
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
        "country": seller.country,
        "address": ", ".join(filter(None, (profile.address, profile.postal_code, profile.city))),
        "account": open_account(profile),
    }


def xml(year: int) -> Iterator[str]:
    """Yield the reportable sellers as XML, with the names that the directive's schema has."""
    root = etree.Element("DPI_Body", year=str(year))
    for shown in _shown([row for row in rows_of(year) if row.is_reportable]):
        seller = etree.SubElement(root, "ReportableSeller", id=str(shown["seller"]))
        for tag, name in (("Name", "name"), ("TIN", "tax_id"), ("ResCountryCode", "country"),
                          ("Address", "address"), ("Identifier", "account")):  # fmt: skip
            etree.SubElement(seller, tag).text = str(shown[name])
        activities = etree.SubElement(seller, "RelevantActivities")
        for tag, what in (("Consideration", "consideration"), ("Fees", "fees")):
            part = etree.SubElement(activities, tag)
            for number in range(1, 5):
                node = etree.SubElement(
                    part, f"{tag[:4]}Q{number}", currCode=str(shown["currency"])
                )
                node.text = str(shown[f"{what}_q{number}"])
        counts = etree.SubElement(activities, "NumberOfActivities")
        for number in range(1, 5):
            etree.SubElement(counts, f"NumbQ{number}").text = str(shown[f"sales_q{number}"])
    text = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    yield text.decode()


FORMATS = {"csv": csv, "xml": xml}
