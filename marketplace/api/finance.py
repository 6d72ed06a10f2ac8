"""Sellers' balances, payouts and the ledger for staff."""

from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import dac7, services
from marketplace.api.filters import LedgerFilter, PayoutFilter
from marketplace.api.periods import (
    BALANCES,
    CURRENCY,
    DAC7,
    EXPORT,
    CurrencyParameters,
    PeriodParameters,
)
from marketplace.api.serializers.finance import (
    FailedInput,
    HoldsSerializer,
    LedgerEntrySerializer,
    PaidInput,
    PayoutDetail,
    PayoutDetailSerializer,
    PayoutInput,
    PayoutPreviewSerializer,
    PayoutSerializer,
    SellerBalanceSerializer,
    TrialBalanceSerializer,
)
from marketplace.api.serializers.sellers import (
    IdentityInput,
    SellerProfileInput,
    SellerProfileSerializer,
)
from marketplace.ledger_export import FORMATS, Selection
from marketplace.models import LedgerEntry, Payout, SellerProfile
from marketplace.querysets.payouts import other_entries, paid_orders
from marketplace.querysets.trial_balance import trial_balance
from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    RetrieveAction,
    StaffViewSet,
    expected_version,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.references import REFERENCE_REGEX
from systemadmin.foundation.snapshots import snapshot_download
from systemadmin.models import User


class SellerViewSet(StaffViewSet):
    """`/api/admin/sellers`: what a seller has and owes."""

    access = {
        "balance": "marketplace.view_ledgerentry",
        "profile": "marketplace.view_sellerprofile",
        "set_profile": "marketplace.change_sellerprofile",
        "identity": "marketplace.check_identity",
        "holds": "marketplace.view_payout",
        "payout_preview": "marketplace.view_payout",
    }
    serializer_class = SellerBalanceSerializer
    queryset = User.objects.all()
    lookup_value_regex = REFERENCE_REGEX
    filter_backends: Any = ()

    @extend_schema(responses=SellerBalanceSerializer)
    @action(detail=True)
    def balance(self, request: Request, pk: str) -> Response:
        """Return balances per currency: available, held, owed, pending and on their way."""
        seller = self.get_object()
        balances = services.seller_balances(seller.pk)
        return self.answer({"seller": seller, "balances": balances})

    @extend_schema(responses=SellerProfileSerializer)
    @action(detail=True)
    def profile(self, request: Request, pk: str) -> Response:
        """Return the tax status and level that rules look at."""
        seller = self.get_object()
        found = SellerProfile.objects.filter(user=seller).first()
        return self.answer(found or SellerProfile(user=seller), 200, SellerProfileSerializer)

    @extend_schema(request=SellerProfileInput, responses=SellerProfileSerializer)
    @profile.mapping.put
    def set_profile(self, request: Request, pk: str) -> Response:
        """Set the tax status and level that rules look at."""
        profile = services.save_seller_profile(
            actor=caller(request),
            seller=self.get_object(),
            expected_version=expected_version(request),
            **self.parse(SellerProfileInput),
        )
        return self.answer(profile, 200, SellerProfileSerializer)

    @extend_schema(request=IdentityInput, responses=SellerProfileSerializer)
    @action(detail=True, methods=["put"])
    def identity(self, request: Request, pk: str) -> Response:
        """Record how the check of the seller's identity stands."""
        profile = services.check_identity(
            actor=caller(request),
            seller=self.get_object(),
            expected_version=expected_version(request),
            **self.parse(IdentityInput),
        )
        return self.answer(profile, 200, SellerProfileSerializer)

    @extend_schema(responses=HoldsSerializer)
    @action(detail=True)
    def holds(self, request: Request, pk: str) -> Response:
        """Return why nothing is paid out to the seller now."""
        reasons = services.hold_reasons(self.get_object())
        return self.answer({"reasons": reasons}, 200, HoldsSerializer)

    @extend_schema(parameters=CURRENCY, filters=False, responses=PayoutPreviewSerializer)
    @action(detail=True, url_path="payout-preview")
    def payout_preview(self, request: Request, pk: str) -> Response:
        """Return what a payout would claim, cost and pay if it were made now."""
        currency = CurrencyParameters(request).currency or ""
        preview = services.preview_payout(seller=self.get_object(), currency=currency)
        return self.answer(preview, 200, PayoutPreviewSerializer)


class PayoutViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/payouts`: what sellers are paid."""

    access = {
        "list": "marketplace.view_payout",
        "retrieve": "marketplace.view_payout",
        "create": "marketplace.add_payout",
        "mark_paid": "marketplace.change_payout",
        "mark_failed": "marketplace.change_payout",
        "retry": "marketplace.change_payout",
        "cancel": "marketplace.change_payout",
    }
    needs_second_person = {"create", "mark_paid", "mark_failed", "cancel"}
    serializer_class = PayoutSerializer
    pagination_class = CursorList
    filterset_class = PayoutFilter
    ordering = ("-id",)
    ordering_fields = ["id"]
    versioned = True

    def get_queryset(self) -> QuerySet:
        """Return the payouts of all sellers."""
        return Payout.objects.select_related("seller")

    @extend_schema(responses=PayoutDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one payout with the orders it pays."""
        payout = self.get_object()
        shown = PayoutDetail(payout, paid_orders(payout), other_entries(payout))
        return self.answer(shown, 200, PayoutDetailSerializer)

    @extend_schema(request=PayoutInput, responses={201: PayoutSerializer})
    def create(self, request: Request) -> Response:
        """Claim everything payable to a seller in one currency."""
        payout = services.create_payout(actor=caller(request), **self.parse(PayoutInput))
        return self.answer(payout, 201)

    @extend_schema(request=PaidInput, responses=PayoutSerializer)
    @action(detail=True, methods=["post"], url_path="mark-paid")
    def mark_paid(self, request: Request, pk: str) -> Response:
        """Record that the money arrived."""
        return self._step(services.pay_payout, **self.parse(PaidInput))

    @extend_schema(request=FailedInput, responses=PayoutSerializer)
    @action(detail=True, methods=["post"], url_path="mark-failed")
    def mark_failed(self, request: Request, pk: str) -> Response:
        """Record that it failed or was sent back by the bank, which returns it to the balance."""
        return self._step(services.fail_payout, **self.parse(FailedInput))

    @extend_schema(request=None, responses=PayoutSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Try the same payout again."""
        return self._step(services.retry_payout)

    @extend_schema(request=FailedInput, responses=PayoutSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Give up a payout that has not arrived; its amount goes back to the balance."""
        return self._step(services.cancel_payout, **self.parse(FailedInput))

    def _step(self, service: Any, **values: Any) -> Response:
        payout = service(
            actor=caller(self.request),
            payout=self.get_object(),
            expected_version=expected_version(self.request),
            **values,
        )
        return self.answer(payout)


class LedgerViewSet(ListAction, StaffViewSet):
    """`/api/admin/ledger`: every entry, newest first."""

    access = {
        "list": "marketplace.view_ledgerentry",
        "export": "marketplace.export_ledger",
        "balances": "marketplace.view_reports",
        "dac7": "marketplace.export_ledger",
    }
    serializer_class = LedgerEntrySerializer
    pagination_class = CursorList
    filterset_class = LedgerFilter
    ordering = ("-id",)
    ordering_fields = ["id"]

    def get_queryset(self) -> QuerySet:
        """Return the ledger entries of all sellers."""
        return LedgerEntry.objects.for_staff()

    @extend_schema(
        parameters=DAC7,
        filters=False,
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/xml"): OpenApiTypes.STR,
        },
    )
    @action(detail=False, pagination_class=None)
    def dac7(self, request: Request) -> FileResponse:
        """Return the yearly report on sellers (DAC7): quarters, consideration, fees, sales.

        XML is refused with 400 `dac7_header_incomplete` until the settings say who sends it.
        """
        parameters = PeriodParameters(request, "year", "file")
        kind = parameters.choice("file", "csv", dac7.FORMATS)
        year = parameters.number("year")
        if year is None or not 2000 <= year <= 2200:
            raise InvalidInput("year", _("A year such as 2026."))
        query = dict(request.query_params)
        file = snapshot_download(
            lambda: dac7.FORMATS[kind](year),
            name=f"dac7-{year}.{kind}",
            content_type="text/csv" if kind == "csv" else "application/xml",
        )
        services.note_export(actor=caller(request), kind=f"dac7 {kind}", query=query)
        return file

    @extend_schema(parameters=BALANCES, filters=False, responses=TrialBalanceSerializer)
    @action(detail=False, pagination_class=None)
    def balances(self, request: Request) -> Response:
        """Return the trial balance of a period: opening, debit, credit, closing by account kind."""
        parameters = PeriodParameters(request)
        start, end = parameters.bounds()
        rows = trial_balance(
            start=start, end=end, seller=parameters.seller, currency=parameters.currency
        )
        shown = {"start": start, "end": end, "results": rows}
        return self.answer(shown, 200, TrialBalanceSerializer)

    @extend_schema(
        parameters=EXPORT,
        filters=False,
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "text/plain"): OpenApiTypes.STR,
        },
    )
    @action(detail=False, pagination_class=None)
    def export(self, request: Request) -> FileResponse:
        """Return the ledger or a part of it as a file, all of it read at one moment."""
        parameters = PeriodParameters(request, "file")
        kind = parameters.choice("file", "beancount", FORMATS)
        selection = Selection(
            start=parameters.start,
            end=parameters.end,
            seller=parameters.seller,
            currency=parameters.currency,
            zone=parameters.zone,
        )
        services.note_export(actor=caller(request), kind=kind, query=dict(request.query_params))
        return snapshot_download(
            lambda: FORMATS[kind](selection),
            name=f"ledger.{kind}",
            content_type="text/csv" if kind == "csv" else "text/plain",
        )
