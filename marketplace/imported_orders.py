"""Orders that happened elsewhere: rows of a request or a file, read strictly."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from django.utils import timezone
from django.utils.translation import gettext as _

from marketplace.models.fields import MAX_AMOUNT
from systemadmin.foundation.errors import FieldError, InvalidInput, field_error
from systemadmin.foundation.money import is_currency
from systemadmin.foundation.parsing import (
    Unreadable,
    parse_line,
    parse_moment,
    parse_whole_number,
)
from systemadmin.foundation.references import parse_external_id, parse_reference
from systemadmin.foundation.row_files import BrokenRow

OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
# Clocks differ; what lies further ahead is a mistake.
AHEAD: Final = timedelta(minutes=5)
MOST_LINES: Final = 50
MOST_UNITS: Final = 10**6
LONGEST_REFERENCE: Final = 120
# How many unknown fields of an object a refusal lists.
MOST_NAMED: Final = 20
FIELDS: Final = frozenset(
    {"external_id", "buyer", "currency", "ordered_at", "lines", "total", "payment", "completed_at"}
)
LINE_FIELDS: Final = frozenset(
    {
        "product",
        "quantity",
        "unit_price",
        "shipping",
        "discount",
        "platform_discount",
        "tax_included",
    }
)
PAYMENT_FIELDS: Final = frozenset({"reference", "paid_at", "processing_fee"})


@dataclass(frozen=True, slots=True)
class ImportedLine:
    """One product of an order; amounts in minor units, the tax included in price and shipping."""

    product: int | str
    quantity: int
    unit_price: int
    shipping: int = 0
    discount: int = 0
    platform_discount: int = 0
    tax_included: int | None = None

    @property
    def item(self) -> int:
        """Units times price."""
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class ImportedOrder:
    """An order as the platform tells it; without `paid_at` it waits for its payment."""

    external_id: str
    buyer: int | str
    currency: str
    ordered_at: datetime
    lines: tuple[ImportedLine, ...]
    total: int | None = None
    reference: str = ""
    paid_at: datetime | None = None
    processing_fee: int = 0
    completed_at: datetime | None = None

    def facts(self) -> dict[str, Any]:
        """Return the facts as JSON, which are the same when the same order is sent again."""
        told = asdict(self)
        for name in ("ordered_at", "paid_at", "completed_at"):
            told[name] = told[name].isoformat() if told[name] else None
        told["lines"] = list(told["lines"])
        return told


class Standing(Protocol):
    """How an order that was imported stands by now."""

    imported: dict[str, Any] | None
    total: int
    payment_reference: str
    paid_at: datetime | None
    completed_at: datetime | None


def as_it_became(order: Standing, sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored facts of an order, brought up to date to be compared with `sent`.

    A payment or completion that was recorded here since the import counts as known, so that the
    platform may send the order as it stands now. Where one of the two leaves the total out, the
    total of the order itself is compared.
    """
    was = dict(order.imported or {})
    if None in (was.get("total"), sent["total"]):
        was["total"] = None if sent["total"] is None else order.total
    is_same_payment = order.paid_at and order.payment_reference == sent["reference"]
    if is_same_payment and not was.get("paid_at"):
        was |= {name: sent[name] for name in PAYMENT_FIELDS}
    if order.completed_at and not was.get("completed_at"):
        was["completed_at"] = sent["completed_at"]
    return was


def first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """Return the field in which two tellings of an order differ, or None."""
    name = next((name for name in one if one[name] != other.get(name)), None)
    return f"payment.{name}" if name in PAYMENT_FIELDS else name


def parse_order(row: Any) -> ImportedOrder:
    """Return the order that a row tells; raises `InvalidInput` that names every wrong field."""
    if isinstance(row, BrokenRow):
        raise InvalidInput("", row.detail, code=row.code)
    faults: list[FieldError] = []
    fields = _Fields(row, FIELDS, faults)
    if not isinstance(row, Mapping):
        raise InvalidInput.of(faults)
    payment = None
    if (told := fields.get("payment")) is not None:
        payment = _Fields(told, PAYMENT_FIELDS, faults, "payment")
    order = ImportedOrder(
        external_id=fields.read("external_id", parse_external_id),
        buyer=fields.read("buyer", parse_reference),
        currency=fields.read("currency", _currency),
        ordered_at=fields.read("ordered_at", parse_moment),
        lines=_lines(fields.get("lines"), faults),
        total=fields.optional("total", _amount, None),
        reference=payment.optional("reference", _reference, "") if payment else "",
        paid_at=payment.read("paid_at", parse_moment) if payment else None,
        processing_fee=payment.optional("processing_fee", _amount, 0) if payment else 0,
        completed_at=fields.optional("completed_at", parse_moment, None),
    )
    if faults:
        raise InvalidInput.of(faults)
    _check_times(order)
    return order


def external_id_in(row: Any) -> str:
    """Return the id that a refused row says it has; empty where it says none that is valid."""
    try:
        return parse_external_id(row.get("external_id") if isinstance(row, Mapping) else None)
    except Unreadable:
        return ""


def _lines(rows: Any, faults: list[FieldError]) -> tuple[ImportedLine, ...]:
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not rows:
        faults.append(field_error("lines", _("A list of at least one line."), "required"))
        return ()
    if len(rows) > MOST_LINES:
        detail = _("An order has 1 to %(max)d products.") % {"max": MOST_LINES}
        faults.append(field_error("lines", detail))
        return ()
    lines = [_line(row, number, faults) for number, row in enumerate(rows)]
    return tuple(line for line in lines if line is not None)


def _line(row: Any, number: int, faults: list[FieldError]) -> ImportedLine | None:
    own: list[FieldError] = []
    fields = _Fields(row, LINE_FIELDS, own, f"lines.{number}")
    line = ImportedLine(
        product=fields.read("product", parse_reference),
        quantity=fields.read("quantity", lambda text: parse_whole_number(text, 1, MOST_UNITS)),
        unit_price=fields.read("unit_price", _amount),
        shipping=fields.optional("shipping", _amount, 0),
        discount=fields.optional("discount", _amount, 0),
        platform_discount=fields.optional("platform_discount", _amount, 0),
        tax_included=fields.optional("tax_included", _amount, None),
    )
    own = own or [
        field_error(f"lines.{number}.{name}", detail) for name, detail in _faults_of(line)
    ]
    faults += own
    return None if own else line


def _faults_of(line: ImportedLine) -> Iterator[tuple[str, str]]:
    """Yield the amounts of a line that contradict one another."""
    charged = line.item - line.discount + line.shipping
    if line.discount + line.platform_discount > line.item:
        yield "discount", _("Not more than the units cost.")
    if charged > MAX_AMOUNT:
        yield "unit_price", _("The order is too large.")
    if line.tax_included is not None and line.tax_included > charged:
        yield "tax_included", _("Not more than the line costs.")


def _check_times(order: ImportedOrder) -> None:
    latest = timezone.now() + AHEAD
    if not OLDEST <= order.ordered_at <= latest:
        raise InvalidInput("ordered_at", _("Between the year 2000 and now."))
    if order.paid_at is not None and not order.ordered_at <= order.paid_at <= latest:
        raise InvalidInput("payment.paid_at", _("Between the order and now."))
    if order.completed_at is None:
        return
    if order.paid_at is None:
        raise InvalidInput("completed_at", _("What is not paid is not completed."))
    if not order.paid_at <= order.completed_at <= latest:
        raise InvalidInput("completed_at", _("Between the payment and now."))


def _amount(value: Any) -> int:
    return parse_whole_number(_digits(value), 0, MAX_AMOUNT)


def _digits(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _currency(value: Any) -> str:
    if not isinstance(value, str) or not is_currency(value):
        raise Unreadable(_("An ISO 4217 code such as EUR."))
    return value


def _reference(value: Any) -> str:
    return parse_line(value, LONGEST_REFERENCE)


class _Fields:
    """Reads named values of a JSON object and notes what is wrong with them in `faults`."""

    def __init__(
        self, row: Any, known: frozenset[str], faults: list[FieldError], name: str = ""
    ) -> None:
        self._row: Mapping[str, Any] | None = row if isinstance(row, Mapping) else None
        self._faults, self._prefix = faults, f"{name}." if name else ""
        if self._row is None:
            detail = _("An object with named fields.")
            faults.append(field_error(name, detail, "not_an_object"))
            return
        unknown = sorted(str(one)[:100] for one in self._row.keys() - known)
        for one in unknown[:MOST_NAMED]:
            self._refuse(one, _("Unknown field."), "unknown_field")

    def get(self, name: str) -> Any:
        """Return a value as it stands in the object, None where there is none."""
        return None if self._row is None else self._row.get(name)

    def read(self, name: str, parse: Any) -> Any:
        """Return a value that has to be there; None where it is wrong."""
        if self._row is None:
            return None  # what is no object has no fields to complain about
        value = self.get(name)
        if value is None or value == "":
            self._refuse(name, _("This field is required."), "required")
            return None
        try:
            return parse(_digits(value))
        except Unreadable as error:
            self._refuse(name, str(error), error.code)
            return None

    def optional(self, name: str, parse: Any, default: Any) -> Any:
        """Return a value, or the default where it is absent, null or empty."""
        value = self.get(name)
        return default if value is None or value == "" else self.read(name, parse)

    def _refuse(self, name: str, detail: str, code: str) -> None:
        self._faults.append(field_error(self._prefix + name, detail, code))


CSV_COLUMNS: Final = (
    "external_id", "buyer", "currency", "ordered_at", "product", "quantity", "unit_price",
    "shipping", "discount", "platform_discount", "tax_included", "total",
    "payment_reference", "paid_at", "processing_fee", "completed_at",
)  # fmt: skip


def from_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the order that a row of a CSV file tells, with the one product of the row."""
    known = {name: value for name, value in row.items() if value not in (None, "")}
    line = {name: known.pop(name) for name in LINE_FIELDS if name in known}
    payment = {
        name: known.pop(column)
        for name, column in (
            ("reference", "payment_reference"),
            ("paid_at", "paid_at"),
            ("processing_fee", "processing_fee"),
        )
        if column in known
    }
    return known | {"lines": [line]} | ({"payment": payment} if payment else {})
