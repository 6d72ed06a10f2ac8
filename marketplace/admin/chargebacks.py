"""Disputes, chargebacks and appeals in the admin: begun on an order, handled on the dispute."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.admin.forms import DisputeForm
from marketplace.models import Dispute, Order
from marketplace.transitions import ORDER
from systemadmin.errors import OwnInterest
from systemadmin.foundation.admin import form_action, refusal_text
from systemadmin.foundation.caller import caller
from systemadmin.foundation.concurrency import read_version
from systemadmin.foundation.display import display_name
from systemadmin.foundation.forms import AmountField, clean_amount
from systemadmin.foundation.money import format_money

RESOLVE = "marketplace.resolve_dispute"


class ChargebackForm(forms.Form):
    """What the payment service says."""

    reference = forms.CharField(
        max_length=120, label=_("Chargeback"), help_text=_("Its id at the payment service.")
    )
    network_reason = forms.CharField(
        max_length=120, required=False, label=_("Bank's reason"), help_text=_("As in 10.4.")
    )
    amount = AmountField(
        required=False,
        label=_("Amount taken back"),
        help_text=_("In the order's currency, as in 258.00. Empty: all that is left."),
    )
    fee = AmountField(
        required=False,
        label=_("Fee"),
        help_text=_("What the payment service charges for it, as in 15.00."),
    )
    evidence_due_at = forms.SplitDateTimeField(
        required=False,
        label=_("Evidence until"),
        widget=forms.SplitDateTimeWidget(
            date_attrs={"type": "date"}, time_attrs={"type": "time", "step": "60"}
        ),
    )


class AppealForm(forms.Form):
    """Why it is decided again."""

    reason = forms.CharField(
        max_length=500,
        label=_("Reason"),
        widget=forms.Textarea(attrs={"rows": 3, "cols": 70}),
        help_text=_("The dispute opens again, and what is left of the seller's share is held."),
    )


def _what_a_dispute_does(order: Order) -> str:
    text = gettext(
        "Order %(order)s stops, and the share of %(seller)s is held until the dispute is decided."
    )
    return text % {"order": order, "seller": display_name(order.seller)}


class ChargebackActions(admin.ModelAdmin):
    """What an order's page offers."""

    @form_action(
        description=_("Open a dispute"),
        form=DisputeForm,
        perm=RESOLVE,
        applies=lambda order: order.status in ORDER["dispute"],
        says=_what_a_dispute_does,
    )
    def open_dispute(self, request: HttpRequest, obj: Order, data: dict[str, Any]) -> None:
        """Open a dispute that the buyer or the seller told staff about."""
        services.open_dispute_for_party(
            actor=caller(request), order=obj, expected_version=read_version(obj), **data
        )

    @form_action(
        description=_("Record a chargeback"),
        form=ChargebackForm,
        perm="marketplace.record_chargeback",
        applies=lambda order: order.paid_at is not None and order.refundable > 0,
    )
    def record_chargeback(self, request: HttpRequest, obj: Order, data: dict[str, Any]) -> None:
        """Record that the payment service took the payment back."""
        dispute = services.record_chargeback(
            actor=caller(request),
            order=obj,
            reference=data["reference"],
            network_reason=data["network_reason"],
            amount=clean_amount("amount", data["amount"], obj.currency),
            fee=clean_amount("fee", data["fee"], obj.currency) or 0,
            evidence_due_at=data["evidence_due_at"],
        )
        self.message_user(
            request,
            gettext("%(amount)s and a fee of %(fee)s left cash; dispute %(dispute)s is open.")
            % {
                "amount": format_money(dispute.charged_back, obj.currency),
                "fee": format_money(dispute.fee, obj.currency),
                "dispute": dispute,
            },
        )


class DisputePages(admin.ModelAdmin):
    """What a dispute's page shows and offers of chargebacks and appeals."""

    def get_urls(self) -> list[Any]:
        """Return the pack of evidence before Django's pages."""
        view = self.admin_site.admin_view(self.evidence_pack_view)
        name = "marketplace_dispute_evidence_pack"
        return [path("<int:pk>/evidence-pack/", view, name=name), *super().get_urls()]

    def evidence_pack_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Return the ZIP for the bank; who takes it is on record."""
        if not request.user.has_perm(RESOLVE):
            raise PermissionDenied
        dispute = get_object_or_404(Dispute.objects.select_related("order"), pk=pk)
        try:
            pack = services.evidence_pack(actor=caller(request), dispute=dispute)
        except OwnInterest as refusal:
            messages.error(request, refusal_text(refusal))
            return redirect("admin:marketplace_dispute_change", pk)
        response = FileResponse(
            pack, as_attachment=True, filename=f"dispute-{pk}.zip", content_type="application/zip"
        )
        response["Cache-Control"] = "private, no-store"
        return response

    @admin.display(description=_("charged back"), ordering="charged_back")
    def charged_back_shown(self, dispute: Dispute) -> str:
        """In the currency's own decimals."""
        if not dispute.external_reference:
            return "-"
        return format_money(dispute.charged_back, dispute.order.currency)

    @admin.display(description=_("fee"))
    def fee_shown(self, dispute: Dispute) -> str:
        """In the currency's own decimals."""
        return format_money(dispute.fee, dispute.order.currency) if dispute.fee else "-"

    @admin.display(description=_("held"), ordering="held_amount")
    def held_shown(self, dispute: Dispute) -> str:
        """In the currency's own decimals."""
        return format_money(dispute.held_amount, dispute.order.currency)

    @admin.display(description=_("refunded"))
    def refunded_shown(self, dispute: Dispute) -> str:
        """In the currency's own decimals."""
        return format_money(dispute.refund_amount, dispute.order.currency)

    @admin.display(description=_("evidence for the bank"))
    def pack(self, dispute: Dispute) -> str:
        """Return a link to the ZIP."""
        if dispute.pk is None:
            return "-"
        address = reverse("admin:marketplace_dispute_evidence_pack", args=[dispute.pk])
        return format_html('<a href="{}">ZIP</a>', address)

    @form_action(
        description=_("Appeal"),
        form=AppealForm,
        perm="marketplace.appeal_dispute",
        applies=lambda dispute: dispute.status != Dispute.Status.OPEN,
    )
    def appeal(self, request: HttpRequest, obj: Dispute, data: dict[str, Any]) -> None:
        """Open a decided dispute again."""
        services.appeal_dispute(actor=caller(request), dispute=obj, reason=data["reason"])


DISPUTE_FIELDS = [
    "order", "opened_by", "source", "reason", "status", "held_shown", "refunded_shown",
    "resolution_note", "resolved_at", "resolved_by", "appealed_at",
]  # fmt: skip
CHARGEBACK_FIELDS = [
    "external_reference", "network_reason", "charged_back_shown", "fee_shown", "evidence_due_at",
    "pack",
]  # fmt: skip
FIELDSETS = [
    (None, {"fields": DISPUTE_FIELDS}),
    (_("Chargeback"), {"fields": CHARGEBACK_FIELDS}),
]
