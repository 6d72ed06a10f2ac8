"""What the marketplace publishes."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from systemadmin.foundation.plugins import Text
from systemadmin.foundation.published_events import EventKind


class ProductPayload(serializers.Serializer):
    """A product as it is now, with the reason of the last decision."""

    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    seller = serializers.IntegerField()
    seller_external_id = serializers.CharField(allow_null=True)
    title = serializers.CharField(allow_blank=True)
    status = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField()


class RevisionPayload(ProductPayload):
    """An edit of an approved product."""

    revision = serializers.IntegerField()
    revision_status = serializers.CharField()


class OrderPayload(serializers.Serializer):
    """An order as it is now; amounts in minor units."""

    id = serializers.IntegerField()
    external_id = serializers.CharField(allow_null=True)
    buyer = serializers.IntegerField()
    buyer_external_id = serializers.CharField(allow_null=True)
    seller = serializers.IntegerField()
    seller_external_id = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    currency = serializers.CharField()
    total = serializers.IntegerField()
    commission = serializers.IntegerField()
    refunded = serializers.IntegerField()
    version = serializers.IntegerField()


class RefundPayload(OrderPayload):
    """An order with a refund: its own amount, and in `refunded` all of them."""

    refund_id = serializers.IntegerField()
    refund_amount = serializers.IntegerField()


class DisputePayload(OrderPayload):
    """An order with its dispute; of a chargeback what was taken back, its fee and the deadline."""

    dispute_id = serializers.IntegerField()
    dispute_status = serializers.CharField()
    dispute_source = serializers.CharField()
    charged_back = serializers.IntegerField()
    fee = serializers.IntegerField()
    refund_amount = serializers.IntegerField()
    evidence_due_at = serializers.DateTimeField(allow_null=True)


class PayoutPayload(serializers.Serializer):
    """A payout as it is now."""

    id = serializers.IntegerField()
    seller = serializers.IntegerField()
    seller_external_id = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    amount = serializers.IntegerField()
    status = serializers.CharField()
    attempts = serializers.IntegerField()
    version = serializers.IntegerField()


_PRODUCT = {
    "id": 31,
    "external_id": "listing-31",
    "seller": 12,
    "seller_external_id": "u-12",
    "title": "Bicycle",
    "status": "approved",
    "reason": "",
    "version": 3,
}
_ORDER = {
    "id": 55,
    "external_id": "order-55",
    "buyer": 13,
    "buyer_external_id": "u-13",
    "seller": 12,
    "seller_external_id": "u-12",
    "status": "paid",
    "currency": "EUR",
    "total": 12_100,
    "commission": 1_000,
    "refunded": 0,
    "version": 2,
}
_DISPUTE = {
    "dispute_id": 4,
    "dispute_status": "open",
    "dispute_source": "payment_service",
    "charged_back": 12_100,
    "fee": 1_500,
    "refund_amount": 0,
    "evidence_due_at": "2030-01-31T12:00:00+00:00",
}
_PAYOUT = {
    "id": 8,
    "seller": 12,
    "seller_external_id": "u-12",
    "currency": "EUR",
    "amount": 11_100,
    "status": "paid",
    "attempts": 1,
    "version": 2,
}


def _product(what: str, says: Text, status: str) -> EventKind:
    return EventKind(
        name=f"product.{what}",
        says=says,
        payload=ProductPayload,
        example=_PRODUCT | {"status": status},
        members=("seller",),
        texts=("title", "reason"),
    )


def _revision(what: str, says: Text, status: str) -> EventKind:
    return EventKind(
        name=f"product.revision_{what}",
        says=says,
        payload=RevisionPayload,
        example=_PRODUCT | {"revision": 6, "revision_status": status},
        members=("seller",),
        texts=("title", "reason"),
    )


def _order(
    what: str,
    says: Text,
    payload: type[serializers.Serializer] = OrderPayload,
    **more: object,
) -> EventKind:
    return EventKind(
        name=f"order.{what}",
        says=says,
        payload=payload,
        example=_ORDER | more,
        members=("buyer", "seller"),
    )


def _payout(what: str, says: Text, status: str) -> EventKind:
    return EventKind(
        name=f"payout.{what}",
        says=says,
        payload=PayoutPayload,
        example=_PAYOUT | {"status": status},
        members=("seller",),
    )


EVENTS = [
    _product("submitted", _("A product waits for review."), "pending"),
    _product("approved", _("A product was approved and is for sale."), "approved"),
    _product("rejected", _("A product was rejected."), "rejected"),
    _product("changes_requested", _("Changes of a product were asked for."), "changes_requested"),
    _product("paused", _("A product was paused."), "paused"),
    _product("resumed", _("A paused product is for sale again."), "approved"),
    _product("removed", _("A product was removed."), "removed"),
    _revision("submitted", _("An edit of an approved product waits for review."), "pending"),
    _revision("decided", _("An edit of an approved product was decided."), "approved"),
    _order("created", _("An order was made; nothing is paid yet."), status="reserved"),
    _order("paid", _("The buyer paid.")),
    _order("completed", _("An order was completed."), status="completed"),
    _order("cancelled", _("An unpaid order was cancelled."), status="cancelled"),
    _order("expired", _("An unpaid order's time was over."), status="expired"),
    _order(
        "refunded",
        _("The buyer got money back."),
        RefundPayload,
        refunded=2_100,
        refund_id=3,
        refund_amount=2_100,
    ),
    _order(
        "dispute_opened",
        _("A dispute was opened, by a member or as a chargeback."),
        DisputePayload,
        **_DISPUTE | {"status": "disputed"},
    ),
    _order(
        "dispute_resolved",
        _("A dispute was decided."),
        DisputePayload,
        **_DISPUTE | {"status": "completed", "dispute_status": "resolved_seller"},
    ),
    _payout("created", _("A payout was made."), "pending"),
    _payout("paid", _("A payout was paid."), "paid"),
    _payout("failed", _("A payout failed."), "failed"),
    _payout("retried", _("A failed payout is tried again."), "pending"),
    _payout("returned", _("The bank sent a paid payout back."), "returned"),
    _payout("cancelled", _("A payout was cancelled."), "cancelled"),
]
