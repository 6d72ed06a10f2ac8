"""The query of reports and exports: a period in the place's zone, and what it is narrowed to."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from marketplace.querysets import reports
from marketplace.services import clock
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.money import is_currency
from systemadmin.foundation.parsing import Unreadable, parse_moment_or_day, parse_whole_number
from systemadmin.foundation.references import SCHEMA, key_of, parse_reference


def parameter(name: str, kind: Any, text: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=text, **more)


PERIOD = [
    parameter("from", OpenApiTypes.DATETIME, "Start; a year ago by default."),
    parameter("to", OpenApiTypes.DATETIME, "End, exclusive; now by default."),
    parameter("granularity", str, "Length of a period.", enum=sorted(reports.TRUNC)),
    parameter("group_by", str, "Comma-separated: period, seller, category, currency."),
    parameter("seller", SCHEMA, "Only this seller."),
    parameter("currency", str, "Only this currency."),
    parameter("tz", str, "Time zone of the periods and of bare days; the place's by default."),
]
EXPORT = [
    parameter("from", OpenApiTypes.DATETIME, "Start; what was before is one opening transaction."),
    parameter("to", OpenApiTypes.DATETIME, "End, exclusive."),
    parameter("seller", SCHEMA, "Only transactions that are about this seller."),
    parameter("currency", str, "Only this currency."),
    parameter("tz", str, "Time zone of the days; the place's by default."),
    parameter("file", str, "Format; beancount by default.", enum=["beancount", "csv", "hledger"]),
]
DAC7 = [
    parameter("year", int, "The year.", required=True),
    parameter("file", str, "Format; CSV by default.", enum=["csv", "xml"]),
]
BALANCES = [
    parameter("from", OpenApiTypes.DATETIME, "Start; a year ago by default."),
    parameter("to", OpenApiTypes.DATETIME, "End, exclusive; now by default."),
    parameter("seller", SCHEMA, "Only the accounts of this seller."),
    parameter("currency", str, "Only this currency."),
    parameter("tz", str, "Time zone of bare days; the place's by default."),
]
CURRENCY = [parameter("currency", str, "Which currency.", required=True)]
CATEGORY = parameter("category", int, "Only this category and its descendants.")


class PeriodParameters:
    """What every export takes, checked."""

    known = frozenset({"from", "to", "seller", "currency", "tz"})

    def __init__(self, request: Request, *extra: str) -> None:
        self.query = request.query_params
        unknown = sorted(set(self.query) - self.known - set(extra))
        if unknown:
            raise InvalidInput(dict.fromkeys(unknown, _("Unknown parameter.")))
        self.zone = self._zone()
        self.start, self.end = self._moment("from"), self._moment("to")
        if self.start and self.end and self.start >= self.end:
            raise InvalidInput("from", _("The start is not before the end."))
        self.seller = self.account("seller")
        self.currency = self.query.get("currency")
        if self.currency is not None and not is_currency(self.currency):
            raise InvalidInput("currency", _("Not an ISO 4217 currency code."))

    def bounds(self) -> tuple[datetime, datetime]:
        """Start and end; the year until now where they are not given."""
        end = self.end or timezone.now()
        start = self.start or end - timedelta(days=365)
        if start >= end:
            raise InvalidInput("from", _("The start is not before the end."))
        return start, end

    def number(self, name: str) -> int | None:
        """Return a whole number, or None."""
        raw = self.query.get(name)
        if raw is None:
            return None
        try:
            return parse_whole_number(raw)
        except Unreadable as error:
            raise InvalidInput(name, str(error)) from error

    def account(self, name: str) -> int | None:
        """Return the id of an account that is named by it or by its external id, or None."""
        raw = self.query.get(name)
        if raw is None:
            return None
        try:
            return key_of(parse_reference(raw))
        except Unreadable as error:
            raise InvalidInput(name, str(error)) from error

    def choice(self, name: str, default: str, choices: Any) -> str:
        """Return one of the choices."""
        value = self.query.get(name, default)
        if value not in choices:
            raise InvalidInput(name, f"One of: {', '.join(sorted(choices))}.")
        return value

    def _zone(self) -> ZoneInfo:
        name = self.query.get("tz")
        try:
            return ZoneInfo(name) if name is not None else clock.place_zone()
        except (KeyError, ValueError, OSError) as error:
            raise InvalidInput("tz", "Not a time zone.") from error

    def _moment(self, name: str) -> datetime | None:
        raw = self.query.get(name)
        if not raw:
            return None
        try:
            moment = parse_moment_or_day(raw, self.zone)
        except Unreadable as error:
            raise InvalidInput(name, str(error)) from error
        # Periods begin before their moment and end after it, in any time zone.
        if not 2000 <= moment.year <= 2200:
            raise InvalidInput(name, _("A moment in the years 2000 to 2200."))
        return moment


class CurrencyParameters(PeriodParameters):
    """A currency, which must be named."""

    known = frozenset({"currency"})

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        if not self.currency:
            raise InvalidInput("currency", _("Name the currency."), code="required")


class ReportParameters(PeriodParameters):
    """The query of a report: a year by default, in groups."""

    known = PeriodParameters.known | {"granularity", "group_by"}

    def __init__(self, request: Request, groups: Sequence[str], *extra: str) -> None:
        super().__init__(request, *extra)
        self.start, self.end = self.bounds()
        self.granularity = self.choice("granularity", "month", reports.TRUNC)
        asked = self.query.get("group_by", "period").split(",")
        self.group_by = [name.strip() for name in asked if name.strip()]
        if not set(self.group_by) <= set(groups):
            raise InvalidInput("group_by", f"Any of: {', '.join(groups)}.")
        if "granularity" in self.query and "period" not in self.group_by:
            detail = _("It is the length of a period: add period to group_by.")
            raise InvalidInput("granularity", detail)

    def arguments(self) -> dict[str, Any]:
        """Return what the report functions take."""
        return {
            "start": self.start,
            "end": self.end,
            "group_by": self.group_by,
            "granularity": self.granularity,
            "seller": self.seller,
            "currency": self.currency,
            "tz": self.zone,
        }
