"""What lists may be filtered by."""

from typing import Any

import django_filters
from django import forms
from django.db.models import Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from marketplace.models import (
    BankLine,
    BankStatement,
    Category,
    CommissionInvoice,
    Dispute,
    JournalEntry,
    LedgerAccount,
    LedgerEntry,
    LedgerTransaction,
    Order,
    Payout,
    Product,
    ProductRevision,
    SellerStatement,
)
from marketplace.models.fields import Kind
from marketplace.services.clock import place_zone
from systemadmin.foundation.api import ReferenceFilter, StrictFilterSet
from systemadmin.foundation.parsing import Unreadable, parse_moment_or_day


class PlaceMomentField(forms.CharField):
    """A moment; a bare day is its beginning in the place's zone."""

    def to_python(self, value: Any) -> Any:
        """Return the moment, or None."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            return parse_moment_or_day(text, place_zone())
        except Unreadable as error:
            raise forms.ValidationError(str(error), code=error.code) from error


class MomentFilter(django_filters.IsoDateTimeFilter):
    """Compares with a moment, or with the beginning of a day at the place."""

    field_class = PlaceMomentField


class ProductFilter(StrictFilterSet):
    """Filters of the public list of products."""

    category = extend_schema_field(OpenApiTypes.INT)(
        django_filters.NumberFilter(method="in_category", label="Category, with descendants")
    )
    kind = django_filters.ChoiceFilter(choices=Kind.choices)
    seller = ReferenceFilter(field_name="seller")
    currency = django_filters.CharFilter()
    price_min = django_filters.NumberFilter(field_name="price", lookup_expr="gte")
    price_max = django_filters.NumberFilter(field_name="price", lookup_expr="lte")
    in_stock = django_filters.BooleanFilter(method="stocked")
    search = django_filters.CharFilter(method="matching", max_length=200)

    class Meta:
        model = Product
        fields: list[str] = []

    def in_category(self, queryset: Any, _name: str, value: Any) -> QuerySet:
        """Of a category or below it."""
        return queryset.in_category(int(value))

    def stocked(self, queryset: Any, _name: str, value: bool) -> QuerySet:
        """Return what can, or cannot, be bought now."""
        return queryset.in_stock() if value else queryset.filter(stock=0)

    def matching(self, queryset: Any, _name: str, value: str) -> QuerySet:
        """By the words of title and attributes."""
        return queryset.matching(value)


class OwnProductFilter(ProductFilter):
    """Filters of a seller's own list of products."""

    status = django_filters.ChoiceFilter(choices=Product.Status.choices)


class StaffProductFilter(OwnProductFilter):
    """Filters of the staff's list of products."""

    submitted_before = MomentFilter(field_name="submitted_at", lookup_expr="lt")
    submitted_after = MomentFilter(field_name="submitted_at", lookup_expr="gte")


class RevisionFilter(StrictFilterSet):
    """Filters of the list of product revisions."""

    status = django_filters.ChoiceFilter(choices=ProductRevision.Status.choices)
    product = django_filters.NumberFilter(field_name="product_id")
    seller = ReferenceFilter(field_name="product__seller")

    class Meta:
        model = ProductRevision
        fields: list[str] = []


class CategoryFilter(StrictFilterSet):
    """Filters of the list of categories."""

    parent = django_filters.NumberFilter(field_name="parent_id")
    is_active = django_filters.BooleanFilter()

    class Meta:
        model = Category
        fields: list[str] = []


class OrderFilter(StrictFilterSet):
    """Filters of a member's own list of orders."""

    role = django_filters.ChoiceFilter(
        choices=[("buyer", "buyer"), ("seller", "seller")], method="as_role"
    )
    status = django_filters.ChoiceFilter(choices=Order.Status.choices)

    class Meta:
        model = Order
        fields: list[str] = []

    def as_role(self, queryset: Any, _name: str, value: str) -> QuerySet:
        """As buyer or as seller."""
        return queryset.filter(**{value: self.request.user})


class StaffOrderFilter(StrictFilterSet):
    """Filters of the staff's list of orders."""

    status = django_filters.ChoiceFilter(choices=Order.Status.choices)
    buyer = ReferenceFilter(field_name="buyer")
    seller = ReferenceFilter(field_name="seller")
    currency = django_filters.CharFilter()
    payment_reference = django_filters.CharFilter()
    external_id = django_filters.CharFilter()
    created_after = MomentFilter(field_name="created_at", lookup_expr="gte")
    created_before = MomentFilter(field_name="created_at", lookup_expr="lt")
    paid_after = MomentFilter(field_name="paid_at", lookup_expr="gte")
    paid_before = MomentFilter(field_name="paid_at", lookup_expr="lt")

    class Meta:
        model = Order
        fields: list[str] = []


class DisputeFilter(StrictFilterSet):
    """Filters of the list of disputes."""

    status = django_filters.ChoiceFilter(choices=Dispute.Status.choices)
    reason = django_filters.ChoiceFilter(choices=Dispute.Reason.choices)
    order = django_filters.NumberFilter(field_name="order_id")
    seller = ReferenceFilter(field_name="order__seller")
    buyer = ReferenceFilter(field_name="order__buyer")

    class Meta:
        model = Dispute
        fields: list[str] = []


class PayoutFilter(StrictFilterSet):
    """Filters of the list of payouts."""

    status = django_filters.ChoiceFilter(choices=Payout.Status.choices)
    seller = ReferenceFilter(field_name="seller")
    currency = django_filters.CharFilter()

    class Meta:
        model = Payout
        fields: list[str] = []


class LedgerFilter(StrictFilterSet):
    """Filters of the list of ledger entries."""

    account = django_filters.ChoiceFilter(
        field_name="account__code", choices=LedgerAccount.Code.choices
    )
    seller = ReferenceFilter(field_name="account__seller")
    currency = django_filters.CharFilter()
    order = django_filters.NumberFilter(field_name="transaction__order_id")
    payout = django_filters.NumberFilter(method="of_payout")
    kind = django_filters.ChoiceFilter(
        field_name="transaction__kind", choices=LedgerTransaction.Kind.choices
    )
    key = django_filters.CharFilter(field_name="transaction__key")
    matched = django_filters.BooleanFilter(
        field_name="bank_match", lookup_expr="isnull", exclude=True, label="Is a bank line"
    )
    posted_after = MomentFilter(field_name="transaction__posted_at", lookup_expr="gte")
    posted_before = MomentFilter(field_name="transaction__posted_at", lookup_expr="lt")

    class Meta:
        model = LedgerEntry
        fields: list[str] = []

    def of_payout(self, queryset: Any, _name: str, value: int) -> QuerySet:
        """Return its own entries, and those that it pays."""
        return queryset.filter(Q(transaction__payout_id=value) | Q(payout_item__payout_id=value))


class JournalFilter(StrictFilterSet):
    """Filters of the list of journal entries made by hand."""

    kind = django_filters.ChoiceFilter(choices=JournalEntry.Kind.choices)
    currency = django_filters.CharFilter()
    seller = ReferenceFilter(field_name="seller")
    order = django_filters.NumberFilter(field_name="order_id")
    booked_from = django_filters.DateFilter(field_name="booked_on", lookup_expr="gte")
    booked_below = django_filters.DateFilter(field_name="booked_on", lookup_expr="lt")

    class Meta:
        model = JournalEntry
        fields: list[str] = []


class BankLineFilter(StrictFilterSet):
    """Filters of the list of bank lines."""

    statement = django_filters.NumberFilter(field_name="statement_id")
    account = django_filters.ChoiceFilter(choices=BankStatement.Account.choices)
    currency = django_filters.CharFilter()
    matched = django_filters.BooleanFilter(
        field_name="matches", lookup_expr="isnull", exclude=True, distinct=True
    )

    class Meta:
        model = BankLine
        fields: list[str] = []


class StatementFilter(StrictFilterSet):
    """Filters of the list of sellers' statements."""

    seller = ReferenceFilter(field_name="seller")
    currency = django_filters.CharFilter()
    month = django_filters.DateFilter(label="The month's first day")

    class Meta:
        model = SellerStatement
        fields: list[str] = []


class InvoiceFilter(StatementFilter):
    """Filters of the list of commission invoices."""

    class Meta:
        model = CommissionInvoice
        fields: list[str] = []
