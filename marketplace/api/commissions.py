"""Commission rules, quotes, previews and reports for staff."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.periods import CATEGORY, PERIOD, ReportParameters
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
from marketplace.models import Category, CommissionRule
from marketplace.querysets import reports
from marketplace.services.quotes import QuotedLine, QuoteLine, draft_fees
from marketplace.services.schedule import engine_fees
from systemadmin.foundation.api import (
    ServiceCrudViewSet,
    StaffViewSet,
    crud_access,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.csv_export import csv_of_mappings
from systemadmin.foundation.snapshots import snapshot_download


class CommissionRuleViewSet(ServiceCrudViewSet):
    """`/api/admin/commission-rules`: the ordered list; sales already made keep their charges."""

    access = {
        **crud_access("marketplace.commissionrule"),
        "lint": "marketplace.view_commissionrule",
        "preview": "marketplace.view_commissionrule",
        "reorder": "marketplace.change_commissionrule",
    }
    serializer_class = CommissionRuleSerializer
    input_class = CommissionRuleInput
    checks_version = {"update", "partial_update", "destroy"}
    needs_second_person = {"create", "update", "partial_update", "destroy", "reorder"}
    subject = "rule"
    create_service = staticmethod(services.create_rule)
    update_service = staticmethod(services.update_rule)
    delete_service = staticmethod(services.delete_rule)

    def get_queryset(self) -> QuerySet:
        """Return the rules in the order in which they are tried."""
        return CommissionRule.objects.in_order()

    def show(self, made: CommissionRule, status: int = 200) -> Response:
        """Return the rule as the list has it."""
        return self.answer(self.get_queryset().get(pk=made.pk), status)

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


def _quote_line(data: dict[str, Any]) -> QuoteLine:
    return QuoteLine(
        item=data["amount"] * data["quantity"],
        quantity=data["quantity"],
        product=data.get("product"),
        category=data.get("category"),
        kind=data.get("kind"),
        shipping=data["shipping"],
        discount=data["discount"],
        platform_discount=data["platform_discount"],
        tax_included=data.get("tax_included"),
    )


CHARGED = ("amount", "seller_net", "tax", "base", "captured")


def _shown_line(quoted: QuotedLine) -> dict[str, Any]:
    charged = quoted.charged
    return {
        **{name: getattr(charged, name) for name in (*CHARGED, "rule", "charges", "trace")},
        "discount": quoted.line.discount,
        "platform_discount": quoted.line.platform_discount,
        "tax_included": quoted.tax_included,
        "buyer_fee": quoted.buyer_fee,
        "kept_buyer_fee": quoted.kept_buyer_fee,
        "total": quoted.total,
    }


def _shown_quote(currency: str, quoted: Sequence[QuotedLine]) -> dict[str, Any]:
    """Return each line and the sums over them, under the names that one line has."""
    lines = [_shown_line(one) for one in quoted]
    sums = (*CHARGED, "discount", "platform_discount", "tax_included", "buyer_fee",
            "kept_buyer_fee", "total")  # fmt: skip
    return {
        "currency": currency,
        "lines": lines,
        "rule": lines[0]["rule"],
        "charges": [charge for line in lines for charge in line["charges"]],
        "trace": [step for line in lines for step in line["trace"]],
        **{name: sum(line[name] for line in lines) for name in sums},
    }


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
        """Return commissions earned per period, seller, category and currency."""
        parameters, rows = self._rows(request)
        return self.answer(
            {
                "start": parameters.start,
                "end": parameters.end,
                "group_by": parameters.group_by,
                "results": list(rows),
            }
        )

    @extend_schema(
        parameters=[*PERIOD, CATEGORY],
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR)},
    )
    @action(detail=False)
    def export(self, request: Request) -> FileResponse:
        """Return the same as CSV."""
        _parameters, rows = self._rows(request)
        columns = ["period", "seller", "seller_name", "category", "category_name"]
        columns += ["currency", "commission", "reversed", "net", "tax"]
        return csv_download(rows, columns, "commissions")

    @extend_schema(request=QuoteInput, responses=QuoteSerializer)
    @action(detail=False, methods=["post"])
    def quote(self, request: Request) -> Response:
        """Return what a sale would be charged, by which rule, and why."""
        data = self.parse(QuoteInput)
        buyer = data.get("buyer")
        lines = data.get("lines")
        quoted = services.quote_order(
            currency=data["currency"],
            lines=[_quote_line(line) for line in lines or [data]],
            seller_id=data["seller"].pk,
            buyer_id=buyer.pk if buyer else None,
            discount=data["discount"] if lines else 0,
            platform_discount=data["platform_discount"] if lines else 0,
            at=data.get("at"),
            order_value=data.get("order_value"),
            buyer_country=data.get("buyer_country"),
        )
        shown = _shown_quote(data["currency"], quoted)
        return self.answer(shown, serializer_class=QuoteSerializer)

    def _rows(self, request: Request) -> tuple[ReportParameters, Iterator[dict[str, Any]]]:
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
        """Return sales per period, seller and currency, by moment of payment."""
        parameters = ReportParameters(request, reports.SALES_GROUPS)
        return self.answer(
            {
                "start": parameters.start,
                "end": parameters.end,
                "group_by": parameters.group_by,
                "results": list(reports.sales(**parameters.arguments())),
            }
        )

    @extend_schema(
        parameters=PERIOD, responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR)}
    )
    @action(detail=False)
    def export(self, request: Request) -> FileResponse:
        """Return the same as CSV."""
        parameters = ReportParameters(request, reports.SALES_GROUPS)
        columns = ["period", "seller", "seller_name", "currency"]
        return csv_download(
            reports.sales(**parameters.arguments()),
            [*columns, "orders", "gross", "refunded", "net"],
            "sales",
        )


def csv_download(rows: Iterable[dict[str, Any]], columns: Sequence[str], name: str) -> FileResponse:
    """Return rows as a CSV file, read in one snapshot however many they are."""
    return snapshot_download(
        lambda: csv_of_mappings(columns, rows), name=f"{name}.csv", content_type="text/csv"
    )
