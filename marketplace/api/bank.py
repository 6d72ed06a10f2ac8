"""Bank statements and their lines for staff."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.filters import BankLineFilter
from marketplace.api.serializers.shared import CurrencyField
from marketplace.bank_files import DATE_FORMATS, DELIMITERS, Columns
from marketplace.models import BankLine, BankStatement
from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    PagedList,
    RetrieveAction,
    StaffViewSet,
    StrictSerializer,
)
from systemadmin.foundation.caller import caller

COLUMNS = ("date", "amount", "amount_out", "reference", "counterparty", "id")


class BankStatementSerializer(serializers.ModelSerializer):
    """An imported file."""

    class Meta:
        model = BankStatement
        fields = ["id", "account", "currency", "format", "file_name", "opening", "closing",
                  "first_on", "last_on", "created_at"]  # fmt: skip
        read_only_fields = fields


class ReconciliationSerializer(serializers.Serializer):
    """The statement's last day against the books."""

    bank_balance = serializers.IntegerField(allow_null=True)
    book_balance = serializers.IntegerField()
    difference = serializers.IntegerField(allow_null=True)
    unmatched_lines = serializers.IntegerField()
    unmatched_lines_amount = serializers.IntegerField()
    unmatched_entries = serializers.IntegerField()
    unmatched_entries_amount = serializers.IntegerField()


class BankStatementDetailSerializer(BankStatementSerializer):
    """An imported file, and how the books stand against it."""

    reconciliation = serializers.SerializerMethodField()

    class Meta(BankStatementSerializer.Meta):
        fields = [*BankStatementSerializer.Meta.fields, "reconciliation"]
        read_only_fields = fields

    @extend_schema_field(ReconciliationSerializer)
    def get_reconciliation(self, statement: BankStatement) -> dict[str, Any]:
        """Balances, difference and what is not matched."""
        return services.reconciliation(statement=statement)


class BankStatementInput(StrictSerializer):
    """A file; for CSV, which columns hold what."""

    file = serializers.FileField()
    format = serializers.ChoiceField(choices=BankStatement.Format.choices)
    account = serializers.ChoiceField(choices=BankStatement.Account.choices)
    currency = CurrencyField()
    date_column = serializers.CharField(max_length=80, default="date")
    amount_column = serializers.CharField(max_length=80, default="amount")
    amount_out_column = serializers.CharField(
        max_length=80,
        default="",
        allow_blank=True,
        help_text="Where what went out has a column of its own; `amount_column` is what came in.",
    )
    reference_column = serializers.CharField(max_length=80, default="reference")
    counterparty_column = serializers.CharField(max_length=80, default="counterparty")
    id_column = serializers.CharField(max_length=80, default="id")
    date_format = serializers.ChoiceField(choices=DATE_FORMATS, default="%Y-%m-%d")
    decimal_mark = serializers.ChoiceField(choices=[".", ","], default=".")
    delimiter = serializers.ChoiceField(choices=DELIMITERS, default=",")


class BankLineSerializer(serializers.ModelSerializer):
    """A movement, with the entries that it is."""

    entries = serializers.SerializerMethodField()

    class Meta:
        model = BankLine
        fields = ["id", "statement", "account", "currency", "booked_on", "amount", "reference",
                  "counterparty", "entries"]  # fmt: skip
        read_only_fields = fields

    def get_entries(self, line: BankLine) -> list[int]:
        """Return ids of ledger entries."""
        return [match.entry_id for match in line.matches.all()]


class MatchInput(StrictSerializer):
    """Ledger entries that add up to the line."""

    entries = serializers.ListField(
        child=serializers.IntegerField(min_value=1), min_length=1, max_length=500
    )


class BankStatementViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/bank-statements`: what the bank says, against the books."""

    access = {
        "list": "marketplace.view_bankstatement",
        "retrieve": "marketplace.view_bankstatement",
        "create": "marketplace.add_bankstatement",
    }
    serializer_class = BankStatementSerializer
    pagination_class = PagedList

    def get_queryset(self) -> QuerySet:
        """Newest first."""
        return BankStatement.objects.order_by("-id")

    @extend_schema(responses=BankStatementDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one with its reconciliation."""
        return self.answer(self.get_object(), 200, BankStatementDetailSerializer)

    @extend_schema(
        request={"multipart/form-data": BankStatementInput},
        responses={201: BankStatementDetailSerializer},
    )
    def create(self, request: Request) -> Response:
        """Import a statement and match what is certain; the same again changes nothing."""
        data = self.parse(BankStatementInput)
        names = {name: data[f"{name}_column"] for name in COLUMNS}
        more = {name: data[name] for name in ("date_format", "decimal_mark", "delimiter")}
        statement = services.import_bank_statement(
            actor=caller(request),
            columns=Columns(**names, **more),
            **{name: data[name] for name in ("file", "format", "account", "currency")},
        )
        return self.answer(statement, 201, BankStatementDetailSerializer)


class BankLineViewSet(ListAction, StaffViewSet):
    """`/api/admin/bank-lines`: movements, matched and not."""

    access = {
        "list": "marketplace.view_bankline",
        "match": "marketplace.change_bankline",
        "unmatch": "marketplace.change_bankline",
    }
    serializer_class = BankLineSerializer
    pagination_class = CursorList
    filterset_class = BankLineFilter
    ordering = ("-id",)
    ordering_fields = ["id"]

    def get_queryset(self) -> QuerySet:
        """Return the rows with their matches."""
        return BankLine.objects.prefetch_related("matches")

    @extend_schema(request=MatchInput, responses=BankLineSerializer)
    @action(detail=True, methods=["post"])
    def match(self, request: Request, pk: str) -> Response:
        """Say which ledger entries a line is; together they are its amount."""
        line = services.match_bank_line(
            actor=caller(request), line=self.get_object(), **self.parse(MatchInput)
        )
        return self.answer(self.get_queryset().get(pk=line.pk))

    @extend_schema(request=None, responses=BankLineSerializer)
    @action(detail=True, methods=["post"])
    def unmatch(self, request: Request, pk: str) -> Response:
        """Take back what a line was matched with."""
        line = services.unmatch_bank_line(actor=caller(request), line=self.get_object())
        return self.answer(self.get_queryset().get(pk=line.pk))
