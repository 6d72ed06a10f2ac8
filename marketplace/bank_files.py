"""Bank statements as files: camt.053 (by pycamt) and CSV with named columns, read strictly."""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from lxml import etree
from pycamt.parser import Camt053ParseError, Camt053Parser

from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.money import TooFine, to_minor
from systemadmin.foundation.parsing import Unreadable, parse_decimal, parse_local_decimal

MOST_LINES = 20_000
# How far down a CSV file its column names may stand: banks put owner and period above them.
HEADER_WITHIN = 40
# What stands between a day and the time of it.
DAY_ENDS = re.compile(r"[ T]")
DATE_FORMATS = (
    "%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%m/%d/%Y", "%d-%m-%Y", "%d/%m/%y", "%d.%m.%y",
    "%Y/%m/%d", "%Y%m%d",
)  # fmt: skip
DELIMITERS = (",", ";", "|", "\t")


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of a statement, in minor units; positive comes in."""

    booked_on: date
    amount: int
    reference: str
    counterparty: str
    bank_id: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What a file says."""

    movements: Sequence[Movement]
    opening: int | None = None
    closing: int | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column of a CSV file holds what; `id` and `counterparty` may be missing in it.

    Where `amount_out` is named, it holds what went out and `amount` what came in.
    """

    date: str = "date"
    amount: str = "amount"
    amount_out: str = ""
    reference: str = "reference"
    counterparty: str = "counterparty"
    id: str = "id"
    date_format: str = "%Y-%m-%d"
    decimal_mark: str = "."
    delimiter: str = ","


@dataclass(slots=True)
class _Ids:
    """Ids for movements without one: what they say, and the how-many-th of the same they are."""

    seen: Counter[str] = field(default_factory=Counter)

    def of(self, given: str, *facts: Any) -> str:
        if given:
            return given[:80]
        digest = hashlib.sha256("\x1f".join(map(str, facts)).encode()).hexdigest()[:40]
        self.seen[digest] += 1
        return f"{digest}-{self.seen[digest]}"


def read_camt(data: bytes, currency: str) -> Statement:
    """Return the booked movements of a camt.053 file in one currency."""
    try:
        parser = _CamtParser(data)
        rows, infos = parser.get_transactions(), parser.get_statement_info()
    except (etree.XMLSyntaxError, Camt053ParseError, AttributeError, ValueError) as error:
        raise InvalidInput("file", _("Not a camt.053 file.")) from error
    if not infos:
        raise InvalidInput("file", _("Not a camt.053 file."))
    if len({info["IBAN"] for info in infos}) > 1:
        raise InvalidInput("file", _("The file is about several accounts. Import each apart."))
    ids = _Ids()
    movements = [
        _camt_movement(row, currency, ids) for row in rows if row.get("Status") in (None, "BOOK")
    ]
    first, last = infos[0], infos[-1]
    return Statement(
        _checked(movements),
        opening=_balance(first["OpeningBalance"], currency),
        closing=_balance(last["ClosingBalance"], currency),
    )


class _CamtParser(Camt053Parser):
    """Reads what an entry says of its amount from the entry itself.

    pycamt takes the first amount and the first sign it finds anywhere below the details: an amount
    that was instructed in another currency, or the sign of a charge. Details are movements of
    their own only where they add up to the entry.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        # Some banks write a prefix before every name.
        self.namespaces = {None: etree.QName(self.tree).namespace}

    def _extract_transaction(self, entry: Any, statement: Any) -> list[dict[str, Any]]:
        common = self._extract_common_entry_data(entry, statement)
        common["Amount"] = self._text(entry, "Amt")
        common["CreditDebitIndicator"] = self._text(entry, "CdtDbtInd")
        details = entry.findall("NtryDtls/TxDtls", self.namespaces)
        parts = [self._part(common, detail) for detail in details]
        if self._add_up(common, parts):
            return [{**common, **part} for part in parts]
        texts: dict[str, Any] = {}
        for name in {key for part in parts for key in part}:
            values = dict.fromkeys(part[name] for part in parts if part.get(name))
            texts[name] = " ".join(values)
        return [{**texts, **common}]

    def _part(self, common: Mapping[str, Any], detail: Any) -> dict[str, Any]:
        part = self._extract_transaction_details(detail)
        amounts = (detail.find(path, self.namespaces) for path in ("Amt", "AmtDtls/TxAmt/Amt"))
        amount = next((one for one in amounts if one is not None), None)
        is_ours = amount is not None and amount.get("Ccy") in (None, common["Currency"])
        part["Amount"] = amount.text if amount is not None and is_ours else None
        side = self._text(detail, "CdtDbtInd")
        part["CreditDebitIndicator"] = side or common["CreditDebitIndicator"]
        if part.get("EndToEndId") == "NOTPROVIDED":
            del part["EndToEndId"]
        return part

    @staticmethod
    def _add_up(common: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> bool:
        try:
            whole, *amounts = (
                parse_decimal(str(row["Amount"]))
                * (-1 if row["CreditDebitIndicator"] == "DBIT" else 1)
                for row in (common, *parts)
            )
        except Unreadable:
            return False
        return sum(amounts) == whole

    def _text(self, element: Any, path: str) -> str | None:
        found: str | None = self._find_text(element, path)
        return found


def _camt_movement(row: Mapping[str, Any], currency: str, ids: _Ids) -> Movement:
    if row.get("Currency") != currency:
        raise InvalidInput("currency", _("The file is in another currency."))
    day = str(row.get("BookingDate") or row.get("ValueDate") or "")[:10]
    try:
        booked_on = date.fromisoformat(day)
        amount = to_minor(parse_decimal(str(row.get("Amount"))), currency)
    except (ValueError, Unreadable, TooFine) as error:
        raise InvalidInput("file", _("A movement without a day or an amount.")) from error
    is_out = row.get("CreditDebitIndicator") == "DBIT"
    reference = _camt_reference(row)
    party = (row.get("CreditorName") if is_out else row.get("DebtorName")) or ""
    signed = -amount if is_out else amount
    return Movement(
        booked_on, signed, reference[:500], party[:200],
        ids.of(_camt_id(row), booked_on, signed, reference, party),
    )  # fmt: skip


def _camt_reference(row: Mapping[str, Any]) -> str:
    texts = (row.get("EndToEndId"), row.get("RemittanceInformationFull"),
             row.get("RemittanceInformation"), row.get("AdditionalEntryInformation"))  # fmt: skip
    return " ".join(dict.fromkeys(text.strip() for text in texts if text))


def _camt_id(row: Mapping[str, Any]) -> str:
    """Return the bank's own id of a movement; several details share the one of their entry."""
    given = str(row.get("TransactionID") or "")
    return f"{given}/{row['EndToEndId']}" if given and row.get("EndToEndId") else given


def _balance(text: str | None, currency: str) -> int | None:
    return None if text is None else to_minor(Decimal(text).normalize(), currency)


def read_csv(data: bytes, currency: str, columns: Columns) -> Statement:
    """Return the movements of a CSV file; the first line names its columns."""
    reader = csv.reader(io.StringIO(_decoded(data), newline=""), delimiter=columns.delimiter)
    try:
        header = _header(reader, columns)
        movements = list(_csv_movements(reader, header, currency, columns))
    except csv.Error as error:
        line = _("Line %(number)d: not CSV.") % {"number": reader.line_num}
        raise InvalidInput("file", line) from error
    return Statement(_checked(movements))


def _decoded(data: bytes) -> str:
    """Return the text of a file: UTF-8, UTF-16 with a mark, or Windows-1252 as banks write it."""
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ["utf-16"] if is_utf16 else ["utf-8-sig", "cp1252"]:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InvalidInput("file", _("The file is neither UTF-8 nor Windows-1252."))


def _header(reader: Any, columns: Columns) -> list[str]:
    """Return the names of the columns, passing over what the bank writes above them."""
    needed = {name for name in (columns.date, columns.amount, columns.amount_out) if name}
    least = needed
    for _number, row in zip(range(HEADER_WITHIN), reader, strict=False):
        names = [cell.strip() for cell in row]
        missing = needed - set(names)
        if not missing:
            return names
        least = min(least, missing, key=len)
    raise InvalidInput(
        "file", _("The file has no column %(names)s.") % {"names": ", ".join(sorted(least))}
    )


def _csv_movements(
    reader: Any, header: Sequence[str], currency: str, columns: Columns
) -> Iterator[Movement]:
    ids = _Ids()
    # Of two columns with one name the first counts.
    places = {name: place for place, name in reversed(list(enumerate(header)))}
    for count, cells in enumerate(filter(any, reader), start=1):

        def cell(name: str, cells: Sequence[str] = cells) -> str:
            place = places.get(name, len(cells))
            return cells[place].strip() if place < len(cells) else ""

        try:
            day = datetime.strptime(_day_text(cell(columns.date), columns), columns.date_format)
            amount = to_minor(_csv_amount(cell, columns), currency)
        except (ValueError, Unreadable, TooFine) as error:
            number = {"number": reader.line_num}
            text = _("Line %(number)d: a day or an amount cannot be read.") % number
            raise InvalidInput("file", text) from error
        reference = cell(columns.reference)[:500]
        party = cell(columns.counterparty)[:200]
        facts = (day.date(), amount, reference, party)
        yield Movement(*facts, ids.of(cell(columns.id), *facts))
        if count > MOST_LINES:
            return


def _day_text(text: str, columns: Columns) -> str:
    """Return the day of a cell that may go on with a time."""
    return DAY_ENDS.split(text)[0] if " " not in columns.date_format else text


def _csv_amount(cell: Callable[[str], str], columns: Columns) -> Decimal:
    """Return what a line moves: one signed column, or what came in and what went out."""
    came_in = cell(columns.amount)
    if not columns.amount_out:
        return _signed(came_in, columns)
    went_out = cell(columns.amount_out)
    moved_in = _signed(came_in, columns) if came_in else Decimal(0)
    moved_out = abs(_signed(went_out, columns)) if went_out else Decimal(0)
    if not (came_in or went_out) or (moved_in and moved_out):
        raise Unreadable(came_in or went_out)
    return moved_in - moved_out


def _signed(text: str, columns: Columns) -> Decimal:
    """Return a number with its sign before it or, as some banks write it, behind it."""
    plain = text.replace("\N{MINUS SIGN}", "-").strip()
    if len(plain) > 1 and plain[-1] in "+-":
        if plain[0] in "+-":
            raise Unreadable(text)
        plain = plain[-1] + plain[:-1].strip()
    return parse_local_decimal(plain.removeprefix("+").strip(), columns.decimal_mark)


def _checked(movements: list[Movement]) -> list[Movement]:
    """Leave out what moves nothing; refuse too many movements and days of other centuries."""
    if len(movements) > MOST_LINES:
        raise InvalidInput("file", _("At most %(most)d movements.") % {"most": MOST_LINES})
    if not all(2000 <= movement.booked_on.year <= 2200 for movement in movements):
        raise InvalidInput("file", _("A day in the years 2000 to 2200."))
    return [movement for movement in movements if movement.amount]
