"""Bank statements as files: camt.053 (by pycamt) and CSV with named columns, read strictly."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
    """Which column of a CSV file holds what; `id` and `counterparty` may be missing in it."""

    date: str = "date"
    amount: str = "amount"
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
        parser = Camt053Parser(data)
        rows, infos = parser.get_transactions(), parser.get_statement_info()
    except (etree.XMLSyntaxError, Camt053ParseError, AttributeError, ValueError) as error:
        raise InvalidInput("file", _("Not a camt.053 file.")) from error
    if not infos:
        raise InvalidInput("file", _("Not a camt.053 file."))
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
    texts = (row.get("EndToEndId"), row.get("RemittanceInformationFull"),
             row.get("RemittanceInformation"), row.get("AdditionalEntryInformation"))  # fmt: skip
    reference = " ".join(dict.fromkeys(text.strip() for text in texts if text))
    party = (row.get("CreditorName") if is_out else row.get("DebtorName")) or ""
    signed = -amount if is_out else amount
    # Several details share the reference of their entry.
    given = row.get("TransactionID") or ""
    given = f"{given}/{row['EndToEndId']}" if given and row.get("EndToEndId") else given
    return Movement(
        booked_on, signed, reference[:500], party[:200],
        ids.of(given, booked_on, signed, reference, party),
    )  # fmt: skip


def _balance(text: str | None, currency: str) -> int | None:
    return None if text is None else to_minor(Decimal(text).normalize(), currency)


def read_csv(data: bytes, currency: str, columns: Columns) -> Statement:
    """Return the movements of a CSV file; the first line names its columns."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput("file", _("The file is not UTF-8.")) from error
    reader = csv.DictReader(io.StringIO(text), delimiter=columns.delimiter)
    missing = {columns.date, columns.amount} - set(reader.fieldnames or ())
    if missing:
        names = ", ".join(sorted(missing))
        raise InvalidInput("file", _("The file has no column %(names)s.") % {"names": names})
    return Statement(_checked(list(_csv_movements(reader, currency, columns))))


def _csv_movements(
    reader: "csv.DictReader[str]", currency: str, columns: Columns
) -> Iterator[Movement]:
    ids = _Ids()
    for number, row in enumerate(reader, start=2):
        try:
            day = datetime.strptime((row[columns.date] or "").strip(), columns.date_format).date()
            parsed = parse_local_decimal(row[columns.amount], columns.decimal_mark)
            amount = to_minor(parsed, currency)
        except (ValueError, Unreadable, TooFine) as error:
            text = _("Line %(number)d: a day or an amount cannot be read.") % {"number": number}
            raise InvalidInput("file", text) from error
        reference = (row.get(columns.reference) or "").strip()[:500]
        party = (row.get(columns.counterparty) or "").strip()[:200]
        given = (row.get(columns.id) or "").strip()
        yield Movement(day, amount, reference, party, ids.of(given, day, amount, reference, party))
        if number > MOST_LINES + 1:
            return


def _checked(movements: list[Movement]) -> list[Movement]:
    """Leave out what moves nothing; refuse files that are too long."""
    if len(movements) > MOST_LINES:
        raise InvalidInput("file", _("At most %(most)d movements.") % {"most": MOST_LINES})
    return [movement for movement in movements if movement.amount]
