"""What sellers see of their own money."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace import services
from marketplace.api.serializers.finance import (
    PayoutDetail,
    PayoutDetailSerializer,
    PayoutSerializer,
    SellerBalanceSerializer,
)
from marketplace.api.serializers.sellers import OwnDetailsInput, OwnProfileSerializer
from marketplace.models import Payout, SellerProfile
from marketplace.querysets.payouts import other_entries, paid_orders
from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    MemberViewSet,
    RetrieveAction,
    expected_version,
)
from systemadmin.foundation.caller import caller


class OwnSellerViewSet(MemberViewSet):
    """`/api/seller`: a member's balances and details as a seller."""

    serializer_class = OwnProfileSerializer
    pagination_class = None
    filter_backends: Any = ()
    queryset = SellerProfile.objects.none()

    @extend_schema(responses=SellerBalanceSerializer)
    @action(detail=False)
    def balance(self, request: Request) -> Response:
        """Return balances per currency: available, held, owed, pending and on their way."""
        seller = caller(request)
        shown = {"seller": seller, "balances": services.seller_balances(seller.pk)}
        return self.answer(shown, 200, SellerBalanceSerializer)

    @extend_schema(responses=OwnProfileSerializer)
    @action(detail=False)
    def profile(self, request: Request) -> Response:
        """Return what the place knows of the seller; the payout account is masked."""
        seller = caller(request)
        found = SellerProfile.objects.filter(user=seller).first()
        return self.answer(found or SellerProfile(user=seller))

    @extend_schema(request=OwnDetailsInput, responses=OwnProfileSerializer)
    @profile.mapping.put
    def set_profile(self, request: Request) -> Response:
        """Set name, tax id, address and payout account; a new name or tax id is checked again."""
        profile = services.save_own_details(
            actor=caller(request),
            expected_version=expected_version(request),
            **self.parse(OwnDetailsInput),
        )
        return self.answer(profile)


class OwnPayoutViewSet(ListAction, RetrieveAction, MemberViewSet):
    """`/api/seller/payouts`: what a seller was paid, and for which orders."""

    serializer_class = PayoutSerializer
    pagination_class = CursorList
    ordering = ("-id",)
    ordering_fields = ["id"]

    def get_queryset(self) -> QuerySet:
        """Return the payouts of the seller who asks."""
        return Payout.objects.filter(seller=self.request.user.pk).select_related("seller")

    @extend_schema(responses=PayoutDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one payout with the orders it pays."""
        payout = self.get_object()
        shown = PayoutDetail(payout, paid_orders(payout), other_entries(payout))
        return self.answer(shown, 200, PayoutDetailSerializer)
