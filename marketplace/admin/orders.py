"""Orders, refunds and disputes in the admin."""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.admin.chargebacks import (
    CHARGEBACK_FIELDS,
    DISPUTE_FIELDS,
    FIELDSETS,
    ChargebackActions,
    DisputePages,
)
from marketplace.admin.columns import money_column
from marketplace.admin.forms import (
    ForBuyerForm,
    NoteForm,
    PaymentForm,
    RefundForm,
    ReplyForm,
)
from marketplace.admin.lists import CurrencyFilter, FoundByNumber
from marketplace.admin.order_inlines import LineInline, RefundInline
from marketplace.admin.order_overview import AMOUNTS, order_overview
from marketplace.admin.refund_choices import lines_to_choose, shipping_left, shipping_to_choose
from marketplace.admin.sales_page import SalesPage
from marketplace.errors import AmountMismatch
from marketplace.models import Dispute, DisputeMessage, Order
from marketplace.services.dispute_readings import messages_for
from marketplace.services.refund_shares import RefundItem
from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ReadOnlyInline,
    form_action,
    service_action,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.concurrency import read_version
from systemadmin.foundation.display import display_name
from systemadmin.foundation.forms import clean_amount
from systemadmin.foundation.money import exponent, format_money, to_major

REFUND, RESOLVE = "marketplace.refund_order", "marketplace.resolve_dispute"


@admin.register(Order)
class OrderAdmin(FoundByNumber, ChargebackActions, SalesPage, AtalayaModelAdmin):
    """Orders and the steps staff may take."""

    change_list_template = "admin/marketplace/order/change_list.html"
    change_form_template = "admin/marketplace/order/change_form.html"
    list_display = ["number", "buyer", "seller", "total_shown", "status", "created_at", "paid_at"]
    list_filter = ["status", CurrencyFilter]
    list_select_related = ["buyer", "seller"]
    search_fields = references = ("payment_reference", "external_id")
    search_help_text = _("Number, payment reference or external id.")
    sortable_by = ["number"]
    ordering = ["-id"]
    inlines = [LineInline, RefundInline]
    actions = ["pay", "complete", "refund", "open_dispute", "cancel", "record_chargeback"]

    # Amounts as people write them.
    fields = [
        money_column(Order, field.name) if field.name in AMOUNTS else field.name
        for field in Order._meta.concrete_fields
        if field.editable and field.name != "id"
    ]
    readonly_fields: Any = [one for one in fields if callable(one)]

    class Media:
        css = {"all": ["marketplace/marketplace.css"]}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return the page with what a refund can be, in a dialog."""
        order = self.get_object(request, object_id)
        context = dict(extra_context or {})
        if order is not None:
            facts = refund_facts(order) | {"lines": lines_to_choose(order, request.POST)}
            facts["shipping"] = shipping_to_choose(order)
            facts["has_stock"] = any(one["line"].has_stock for one in facts["lines"])
            context |= {"dialog_for": "refund", "refund_facts": facts}
            context["overview"] = order_overview(order, request.user)
            context["subtitle"] = f"{capfirst(self.opts.verbose_name)} {order}"
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("order"), ordering="id")
    def number(self, order: Order) -> str:
        """Return its number."""
        return str(order)

    @admin.display(description=_("total"), ordering="total")
    def total_shown(self, order: Order) -> str:
        """In the currency's own decimals."""
        return format_money(order.total, order.currency)

    @form_action(
        description=_("Record a payment"),
        form=PaymentForm,
        perm="marketplace.pay_order",
        applies=lambda order: order.paid_at is None,
    )
    def pay(self, request: HttpRequest, obj: Order, data: dict[str, Any]) -> None:
        """Record the payments of the selected orders."""
        services.pay_order(
            actor=caller(request),
            order=obj,
            reference=data["reference"],
            processing_fee=_minor("processing_fee", data, obj.currency) or 0,
            reason=data["reason"],
        )

    @service_action(
        description=_("Complete"),
        perm="marketplace.complete_order",
        applies=lambda order: order.status == Order.Status.PAID,
    )
    def complete(self, request: HttpRequest, obj: Order) -> None:
        """Complete the order, as the buyer has it."""
        services.complete_order(actor=caller(request), order=obj)

    @form_action(
        description=_("Refund"),
        form=RefundForm,
        perm=REFUND,
        applies=lambda order: order.paid_at is not None and order.refundable > 0,
    )
    def refund(self, request: HttpRequest, obj: Order, data: dict[str, Any]) -> None:
        """Give money back: an amount, or the units and the shipping that are named."""
        try:
            refund = services.refund_order(
                actor=caller(request),
                order=obj,
                amount=_minor("amount", data, obj.currency),
                items=[RefundItem(line, units) for line, units in data["units"].items()],
                shipping=shipping_left(obj) if data["shipping"] else None,
                restock_units=data["restock"],
                reason=data["reason"],
            )
        except AmountMismatch as refusal:
            shown = format_money(refusal.extra["amount"], obj.currency)
            text = gettext("What you chose comes to %(amount)s. Write that amount.")
            raise ValidationError({"amount": text % {"amount": shown}}) from refusal
        self.message_user(
            request,
            gettext("%(amount)s of order %(order)s go back to the buyer.")
            % {"amount": format_money(refund.amount, obj.currency), "order": obj},
        )

    @form_action(
        description=_("Cancel unpaid"),
        form=NoteForm,
        perm=REFUND,
        applies=lambda order: order.status == Order.Status.RESERVED,
    )
    def cancel(self, request: HttpRequest, obj: Order, data: dict[str, Any]) -> None:
        """Cancel the unpaid order and release its stock."""
        services.cancel_order(actor=caller(request), order=obj, reason=data["note"][:500])


def refund_facts(order: Order) -> dict[str, Any]:
    """Return what was paid, given back and can still be given back, as people write it."""
    code = order.currency
    return {
        "paid": format_money(order.total, code),
        "refunded": format_money(order.refunded, code),
        "left": format_money(order.refundable, code),
        "kept": format_money(order.kept_buyer_fee, code) if order.kept_buyer_fee else "",
        "most": str(to_major(order.refundable, code)),
        "typed": format_money(order.refundable, code).rpartition(" ")[0],
        "digits": exponent(code),
        "currency": code,
        "buyer": display_name(order.buyer),
        "seller": display_name(order.seller),
    }


def _minor(field: str, data: dict[str, Any], currency: str) -> int | None:
    """Return an amount that was typed in major units in minor units."""
    amount = clean_amount(field, data[field], currency)
    if amount == 0 and field != "processing_fee":
        raise ValidationError({field: gettext("Nothing would be refunded.")})
    return amount


def is_open(dispute: Dispute) -> bool:
    """Return whether a dispute waits for a decision."""
    return dispute.status == Dispute.Status.OPEN


class MessageInline(ReadOnlyInline):
    """Show the messages of a dispute with their evidence."""

    model = DisputeMessage
    fields = ["created_at", "author", "is_internal", "body", "evidence_link"]
    readonly_fields: Any = fields
    show_change_link = False

    @admin.display(description=_("evidence"))
    def evidence_link(self, message: DisputeMessage) -> Any:
        """Return the file as a download."""
        if not message.evidence:
            return "-"
        url = f"/api/admin/disputes/{message.dispute_id}/messages/{message.pk}/evidence"
        return format_html('<a href="{}">{}</a>', url, message.evidence_name)


@admin.register(Dispute)
class DisputeAdmin(FoundByNumber, DisputePages, AtalayaModelAdmin):
    """What buyers and sellers disagree about."""

    needs_permission: ClassVar[dict[str, str]] = {"pack": RESOLVE}

    list_display = [
        "number",
        "order",
        "opened_by",
        "reason",
        "status",
        "held_shown",
        "charged_back_shown",
        "evidence_due_at",
        "created_at",
    ]
    list_filter = ["status", "source", "reason"]
    search_fields = references = ("external_reference",)
    search_help_text = _("Number, or reference of the chargeback.")
    fieldsets: Any = FIELDSETS
    readonly_fields: Any = [*DISPUTE_FIELDS, *CHARGEBACK_FIELDS]
    list_select_related = ["order", "opened_by"]
    ordering = ["-id"]
    inlines = [MessageInline]
    actions = ["reply", "resolve_for_buyer", "resolve_for_seller", "appeal"]

    def get_formset_kwargs(
        self, request: HttpRequest, obj: Any, inline: Any, prefix: str
    ) -> dict[str, Any]:
        """Show the messages that this person of staff may read."""
        kwargs = super().get_formset_kwargs(request, obj, inline, prefix)
        return {**kwargs, "queryset": messages_for(user=caller(request), dispute=obj)}

    @admin.display(description=_("dispute"), ordering="id")
    def number(self, dispute: Dispute) -> str:
        """Return its number."""
        return str(dispute)

    @form_action(description=_("Write a message"), form=ReplyForm, perm=RESOLVE)
    def reply(self, request: HttpRequest, obj: Dispute, data: dict[str, Any]) -> None:
        """To both parties, or a note."""
        services.add_dispute_message(actor=caller(request), dispute=obj, **data)

    @form_action(
        description=_("Resolve for the buyer"), form=ForBuyerForm, perm=RESOLVE, applies=is_open
    )
    def resolve_for_buyer(self, request: HttpRequest, obj: Dispute, data: dict[str, Any]) -> None:
        """Decide for the buyer, with a refund."""
        services.resolve_dispute(
            actor=caller(request),
            dispute=obj,
            in_favour_of="buyer",
            refund_amount=_minor("refund_amount", data, obj.order.currency),
            note=data["note"],
            expected_version=read_version(obj),
        )

    @form_action(
        description=_("Resolve for the seller"), form=NoteForm, perm=RESOLVE, applies=is_open
    )
    def resolve_for_seller(self, request: HttpRequest, obj: Dispute, data: dict[str, Any]) -> None:
        """Release the hold for the seller."""
        services.resolve_dispute(
            actor=caller(request),
            dispute=obj,
            in_favour_of="seller",
            note=data["note"],
            expected_version=read_version(obj),
        )
