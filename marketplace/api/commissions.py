"""Commission rules, quotes, previews and reports for staff."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.serializers.commission import (
    CommissionReportSerializer,
    CommissionRuleInput,
    CommissionRuleSerializer,
    FindingSerializer,
    LintSerializer,
    PreviewInput,
    PreviewSerializer,
    QuoteInput,
    QuoteSerializer,
    ReorderInput,
    SalesReportSerializer,
)
from marketplace.caller import caller
from marketplace.commission import Commission
from marketplace.csv_export import to_csv
from marketplace.models import Category, CommissionRule
from marketplace.querysets import reports
from marketplace.services.quotes import QuoteLine, draft_fees, engine_fees
from systemadmin.foundation.api import (
    ListAction,
    PagedList,
    RetrieveAction,
    StaffViewSet,
    expected_version,
)
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.parsing import Unreadable, parse_moment_or_day, parse_whole_number


class CommissionRuleViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/commission-rules`: the ordered list."""

    access = {
        "list": "marketplace.view_commissionrule",
        "retrieve": "marketplace.view_commissionrule",
        "lint": "marketplace.view_commissionrule",
        "preview": "marketplace.view_commissionrule",
        "create": "marketplace.add_commissionrule",
        "update": "marketplace.change_commissionrule",
        "partial_update": "marketplace.change_commissionrule",
        "reorder": "marketplace.change_commissionrule",
        "destroy": "marketplace.delete_commissionrule",
    }
    serializer_class = CommissionRuleSerializer
    pagination_class = PagedList
    versioned = True
    checks_version = {"update", "partial_update", "destroy"}

    def get_queryset(self) -> QuerySet:
        """In order."""
        return CommissionRule.objects.in_order()

    @extend_schema(request=CommissionRuleInput, responses={201: CommissionRuleSerializer})
    def create(self, request: Request) -> Response:
        """Add a rule, at the end unless a position is given."""
        rule = services.create_rule(actor=caller(request), **self.parse(CommissionRuleInput))
        return self._shown(rule, 201)

    @extend_schema(request=CommissionRuleInput, responses=CommissionRuleSerializer)
    def update(self, request: Request, pk: str) -> Response:
        """Replace a rule."""
        return self._update(request, self.parse(CommissionRuleInput))

    @extend_schema(request=CommissionRuleInput(partial=True), responses=CommissionRuleSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change a rule; sales already made keep what they were charged."""
        return self._update(request, self.parse(CommissionRuleInput, partial=True))

    @extend_schema(request=None, responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a rule that never charged a sale."""
        services.delete_rule(
            actor=caller(request),
            rule=self.get_object(),
            expected_version=expected_version(request),
        )
        return Response(status=204)

    @extend_schema(request=ReorderInput, responses=CommissionRuleSerializer(many=True))
    @action(detail=False, methods=["post"], pagination_class=None)
    def reorder(self, request: Request) -> Response:
        """Put the whole list into the given order."""
        services.reorder_rules(actor=caller(request), ids=self.parse(ReorderInput)["order"])
        return Response(CommissionRuleSerializer(self.get_queryset(), many=True).data)

    @extend_schema(responses=LintSerializer, filters=False)
    @action(detail=False, pagination_class=None)
    def lint(self, request: Request) -> Response:
        """Report the rules that no sale can ever reach."""
        return self.answer({"findings": services.lint_rules()}, serializer_class=LintSerializer)

    @extend_schema(request=PreviewInput, responses=PreviewSerializer)
    @action(detail=False, methods=["post"], pagination_class=None)
    def preview(self, request: Request) -> Response:
        """Say what past orders would have been charged; nothing is written."""
        data = self.parse(PreviewInput)
        fees = draft_fees(data["rules"]) if "rules" in data else engine_fees()
        result = services.preview_fees(fees, start=data["start"], end=data["end"])
        findings = FindingSerializer(services.lint_rules(fees), many=True).data
        return Response({**result, "findings": findings})

    def _update(self, request: Request, values: dict[str, Any]) -> Response:
        rule = services.update_rule(
            actor=caller(request),
            rule=self.get_object(),
            expected_version=expected_version(request),
            **values,
        )
        return self._shown(rule)

    def _shown(self, rule: CommissionRule, status: int = 200) -> Response:
        return self.answer(self.get_queryset().get(pk=rule.pk), status)


def _parameter(name: str, kind: Any, text: str, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=text, **more)


Rows = list[dict[str, Any]]
PERIOD = [
    _parameter("from", OpenApiTypes.DATETIME, "Start; a year ago by default."),
    _parameter("to", OpenApiTypes.DATETIME, "End, exclusive; now by default."),
    _parameter("granularity", str, "Length of a period.", enum=sorted(reports.TRUNC)),
    _parameter("group_by", str, "Comma-separated: period, seller, category, currency."),
    _parameter("seller", int, "Only this seller."),
    _parameter("currency", str, "Only this currency."),
    _parameter("tz", str, "Time zone of the periods; UTC by default."),
]
CATEGORY = _parameter("category", int, "Only this category and its descendants.")


class ReportParameters:
    """The query of a report, checked."""

    known = {"from", "to", "granularity", "group_by", "seller", "currency", "tz"}

    def __init__(self, request: Request, groups: Sequence[str], *extra: str) -> None:
        self.query = request.query_params
        unknown = sorted(set(self.query) - self.known - set(extra))
        if unknown:
            raise InvalidInput(dict.fromkeys(unknown, "Unknown parameter."))
        self.end = self._moment("to") or timezone.now()
        self.start = self._moment("from") or self.end - timedelta(days=365)
        if self.start >= self.end:
            raise InvalidInput("from", "The start is not before the end.")
        self.granularity = self._choice("granularity", "month", reports.TRUNC)
        asked = self.query.get("group_by", "period").split(",")
        self.group_by = [name.strip() for name in asked if name.strip()]
        if not set(self.group_by) <= set(groups):
            raise InvalidInput("group_by", f"Any of: {', '.join(groups)}.")

    def arguments(self) -> dict[str, Any]:
        """What the report functions take."""
        return {
            "start": self.start,
            "end": self.end,
            "group_by": self.group_by,
            "granularity": self.granularity,
            "seller": self.number("seller"),
            "currency": self.query.get("currency"),
            "tz": self._zone(),
        }

    def number(self, name: str) -> int | None:
        """A whole number, or None."""
        raw = self.query.get(name)
        if raw is None:
            return None
        try:
            return parse_whole_number(raw)
        except Unreadable as error:
            raise InvalidInput(name, str(error)) from error

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.query.get("tz", "UTC"))
        except (KeyError, ValueError, OSError) as error:
            raise InvalidInput("tz", "Not a time zone.") from error

    def _choice(self, name: str, default: str, choices: Any) -> str:
        value = self.query.get(name, default)
        if value not in choices:
            raise InvalidInput(name, f"One of: {', '.join(sorted(choices))}.")
        return value

    def _moment(self, name: str) -> datetime | None:
        raw = self.query.get(name)
        if not raw:
            return None
        try:
            moment = parse_moment_or_day(raw, self._zone())
        except Unreadable as error:
            raise InvalidInput(name, str(error)) from error
        # Periods begin before their moment and end after it, in any time zone.
        if not 2000 <= moment.year <= 2200:
            raise InvalidInput(name, _("A moment in the years 2000 to 2200."))
        return moment


def _quote_line(data: dict[str, Any]) -> QuoteLine:
    item = data["amount"] * data["quantity"]
    return QuoteLine(
        item=item,
        quantity=data["quantity"],
        product=data.get("product"),
        category=data.get("category"),
        kind=data.get("kind"),
        shipping=data["shipping"],
        discount=min(data["discount"], item),
        platform_discount=min(data["platform_discount"], item),
        tax_included=data.get("tax_included"),
    )


class QuotedOrder:
    """The sums over an order's lines, under the names that one line has."""

    def __init__(self, lines: Sequence[Commission]) -> None:
        self.lines = lines
        self.currency = lines[0].currency
        self.rule = lines[0].rule
        self.charges = [charge for line in lines for charge in line.charges]
        self.trace = [step for line in lines for step in line.trace]
        for name in SUMS:
            setattr(self, name, sum(getattr(line, name) for line in lines))


SUMS = ("amount", "seller_net", "tax", "base", "captured", "buyer_amount", "buyer_tax")


class CommissionViewSet(StaffViewSet):
    """`/api/admin/commissions`: what was earned, and what a sale would cost."""

    access = {
        "list": "marketplace.view_reports",
        "export": "marketplace.view_reports",
        "quote": "marketplace.view_commissionrule",
    }
    singular = {"list"}
    serializer_class = CommissionReportSerializer
    pagination_class = None
    filter_backends: Any = ()
    not_idempotent = {"quote"}

    @extend_schema(parameters=[*PERIOD, CATEGORY], responses=CommissionReportSerializer)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Commissions earned per period, seller, category and currency."""
        parameters, rows = self._rows(request)
        return self.answer(
            {
                "start": parameters.start,
                "end": parameters.end,
                "group_by": parameters.group_by,
                "results": rows,
            }
        )

    @extend_schema(
        parameters=[*PERIOD, CATEGORY],
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR)},
    )
    @action(detail=False)
    def export(self, request: Request) -> HttpResponse:
        """The same as CSV."""
        _parameters, rows = self._rows(request)
        columns = ["period", "seller", "seller_name", "category", "category_name"]
        return csv_response(
            rows, [*columns, "currency", "commission", "reversed", "net", "tax"], "commissions"
        )

    @extend_schema(request=QuoteInput, responses=QuoteSerializer)
    @action(detail=False, methods=["post"])
    def quote(self, request: Request) -> Response:
        """What a sale would be charged, by which rule, and why."""
        data = self.parse(QuoteInput)
        buyer = data.get("buyer")
        lines = services.quote_order(
            currency=data["currency"],
            lines=[_quote_line(line) for line in data.get("lines") or [data]],
            seller_id=data["seller"].pk,
            buyer_id=buyer.pk if buyer else None,
            at=data.get("at"),
            order_value=data.get("order_value"),
        )
        return self.answer(QuotedOrder(lines), serializer_class=QuoteSerializer)

    def _rows(self, request: Request) -> tuple[ReportParameters, Rows]:
        parameters = ReportParameters(request, reports.GROUPS, "category")
        category = parameters.number("category")
        ids = None
        if category is not None:
            ids = list(Category.objects.within(category).values_list("pk", flat=True))
        return parameters, reports.commissions(**parameters.arguments(), category_ids=ids)


class SalesViewSet(StaffViewSet):
    """`/api/admin/sales`: the sales history."""

    access = {"list": "marketplace.view_reports", "export": "marketplace.view_reports"}
    singular = {"list"}
    serializer_class = SalesReportSerializer
    pagination_class = None
    filter_backends: Any = ()

    @extend_schema(parameters=PERIOD, responses=SalesReportSerializer)
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Sales per period, seller and currency, by moment of payment."""
        parameters = ReportParameters(request, reports.SALES_GROUPS)
        return self.answer(
            {
                "start": parameters.start,
                "end": parameters.end,
                "group_by": parameters.group_by,
                "results": reports.sales(**parameters.arguments()),
            }
        )

    @extend_schema(
        parameters=PERIOD, responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR)}
    )
    @action(detail=False)
    def export(self, request: Request) -> HttpResponse:
        """The same as CSV."""
        parameters = ReportParameters(request, reports.SALES_GROUPS)
        columns = ["period", "seller", "seller_name", "currency"]
        return csv_response(
            reports.sales(**parameters.arguments()),
            [*columns, "orders", "gross", "refunded", "net"],
            "sales",
        )


def csv_response(rows: list[dict[str, Any]], columns: Sequence[str], name: str) -> HttpResponse:
    """Rows as a CSV download."""
    response = HttpResponse(to_csv(rows, columns), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
