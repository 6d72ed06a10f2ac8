"""Orders that happened elsewhere: rows of a request or a file, read strictly."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _

from marketplace.models.fields import MAX_AMOUNT
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.money import is_currency
from systemadmin.foundation.parsing import (
    Unreadable,
    parse_line,
    parse_moment,
    parse_whole_number,
)
from systemadmin.foundation.references import parse_external_id, parse_reference

OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
# Clocks differ; what lies further ahead is a mistake.
AHEAD: Final = timedelta(minutes=5)
MOST_LINES: Final = 50
MOST_UNITS: Final = 10**6
LONGEST_REFERENCE: Final = 120
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


def first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """Return the field in which two tellings of an order differ, or None."""
    return next((name for name in one if one[name] != other.get(name)), None)


def parse_order(row: Any) -> ImportedOrder:
    """Return the order that a row tells; raises `InvalidInput` that names the field."""
    fields = _Fields(row, FIELDS)
    payment = _Fields(row.get("payment") or {}, PAYMENT_FIELDS, "payment.")
    lines = row.get("lines")
    if not isinstance(lines, Sequence) or isinstance(lines, str) or not lines:
        raise InvalidInput("lines", _("A list of at least one line."), code="required")
    if len(lines) > MOST_LINES:
        raise InvalidInput("lines", _("An order has 1 to %(max)d products.") % {"max": MOST_LINES})
    order = ImportedOrder(
        external_id=fields.read("external_id", parse_external_id),
        buyer=fields.read("buyer", parse_reference),
        currency=fields.read("currency", _currency),
        ordered_at=fields.read("ordered_at", parse_moment),
        lines=tuple(_line(line, number) for number, line in enumerate(lines)),
        total=fields.optional("total", _amount, None),
        reference=payment.optional("reference", _reference, ""),
        paid_at=payment.optional("paid_at", parse_moment, None),
        processing_fee=payment.optional("processing_fee", _amount, 0),
        completed_at=fields.optional("completed_at", parse_moment, None),
    )
    _check_times(order, has_payment=bool(row.get("payment")))
    return order


def _line(row: Any, number: int) -> ImportedLine:
    fields = _Fields(row, LINE_FIELDS, f"lines.{number}.")
    line = ImportedLine(
        product=fields.read("product", parse_reference),
        quantity=fields.read("quantity", lambda text: parse_whole_number(text, 1, MOST_UNITS)),
        unit_price=fields.read("unit_price", _amount),
        shipping=fields.optional("shipping", _amount, 0),
        discount=fields.optional("discount", _amount, 0),
        platform_discount=fields.optional("platform_discount", _amount, 0),
        tax_included=fields.optional("tax_included", _amount, None),
    )
    charged = line.item - line.discount + line.shipping
    if line.discount + line.platform_discount > line.item:
        raise InvalidInput(f"lines.{number}.discount", _("Not more than the units cost."))
    if charged > MAX_AMOUNT:
        raise InvalidInput(f"lines.{number}.unit_price", _("The order is too large."))
    if line.tax_included is not None and line.tax_included > charged:
        raise InvalidInput(f"lines.{number}.tax_included", _("Not more than the line costs."))
    return line


def _check_times(order: ImportedOrder, *, has_payment: bool) -> None:
    latest = timezone.now() + AHEAD
    if not OLDEST <= order.ordered_at <= latest:
        raise InvalidInput("ordered_at", _("Between the year 2000 and now."))
    if has_payment and order.paid_at is None:
        raise InvalidInput("payment.paid_at", _("Say when it was paid."), code="required")
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
    """Reads named values of a JSON object; refuses others."""

    def __init__(self, row: Any, known: frozenset[str], prefix: str = "") -> None:
        if not isinstance(row, Mapping):
            raise InvalidInput(prefix.rstrip("."), _("An object with named fields."))
        self._row, self._prefix = row, prefix
        unknown = sorted(str(name)[:100] for name in row.keys() - known)
        if unknown:
            raise InvalidInput(prefix + unknown[0], _("Unknown field."), code="unknown_field")

    def read(self, name: str, parse: Any) -> Any:
        """Return a value that has to be there."""
        value = self._row.get(name)
        if value is None or value == "":
            raise InvalidInput(self._prefix + name, _("This field is required."), code="required")
        try:
            return parse(_digits(value))
        except Unreadable as error:
            raise InvalidInput(self._prefix + name, str(error), code=error.code) from error

    def optional(self, name: str, parse: Any, default: Any) -> Any:
        """Return a value, or the default where it is absent, null or empty."""
        value = self._row.get(name)
        return default if value is None or value == "" else self.read(name, parse)


CSV_COLUMNS: Final = (
    "external_id", "buyer", "currency", "ordered_at", "product", "quantity", "unit_price",
    "shipping", "discount", "platform_discount", "tax_included", "total",
    "payment_reference", "paid_at", "processing_fee", "completed_at",
)  # fmt: skip


def from_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the order that a row of a CSV file tells: one product each."""
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
