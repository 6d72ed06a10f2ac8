"""The forms behind the marketplace's admin actions and pages."""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from marketplace.admin.refund_choices import chosen_units
from marketplace.models import Dispute, ReasonTemplate
from marketplace.services import clock
from systemadmin.foundation.forms import AmountField, DayInput
from systemadmin.foundation.parsing import Unreadable, parse_month


class MonthField(forms.CharField):
    """A month, typed as 2026-10; its value is the first day."""

    widget = forms.TextInput(attrs={"type": "month", "placeholder": "2026-10"})

    def to_python(self, value: Any) -> Any:
        """Return the month's first day, None for an empty field."""
        text = super().to_python(value)
        if not text:
            return None
        try:
            return parse_month(text)
        except Unreadable as error:
            raise forms.ValidationError(str(error), code=error.code) from error


class ReasonForm(forms.Form):
    """A reason for the seller: from a template, typed, or both."""

    template = forms.ModelChoiceField(
        ReasonTemplate.objects.filter(is_active=True), required=False, label=_("Template")
    )
    reason = forms.CharField(
        max_length=2000,
        required=False,
        label=_("Reason"),
        widget=forms.Textarea(attrs={"rows": 4, "cols": 70}),
        help_text=_("The seller reads it."),
    )

    def clean(self) -> dict[str, Any]:
        """Join template and typed text into `reason`."""
        data: dict[str, Any] = super().clean() or {}
        template = data.get("template")
        parts = [template.body if template else "", data.get("reason", "")]
        data["reason"] = "\n\n".join(part for part in parts if part).strip()
        return data


class NeededReasonForm(ReasonForm):
    """The same form, where a reason must be given."""

    def clean(self) -> dict[str, Any]:
        """Return the cleaned data; refuse an empty reason."""
        data = super().clean()
        if not data["reason"]:
            raise forms.ValidationError(_("Say why: the seller reads it."))
        return data


class NoteForm(forms.Form):
    """Ask for an optional note, 2,000 characters at most."""

    note = forms.CharField(
        max_length=2000,
        required=False,
        label=_("Note"),
        widget=forms.Textarea(attrs={"rows": 3, "cols": 70}),
    )


class RefundForm(forms.Form):
    """Amount or units to refund, and why; the page has one field per line for its units."""

    amount = AmountField(
        required=False,
        label=_("Amount"),
        help_text=_("In the order's currency, as in 258.00. Empty: all that is left."),
    )
    shipping = forms.BooleanField(required=False, label=_("The shipping"))
    stock = forms.ChoiceField(
        required=False,
        label=_("Stock"),
        choices=[
            ("", _("Units go back until completion")),
            ("back", _("Units go back")),
            ("gone", _("Units do not go back")),
        ],
    )
    reason = forms.CharField(max_length=500, required=False, label=_("Reason"))

    def clean(self) -> dict[str, Any]:
        """Add the units by line, and whether they go back into stock; None where it is open."""
        data: dict[str, Any] = super().clean() or {}
        data["units"] = chosen_units(self.data, self.prefix) if self.prefix else {}
        data["restock"] = {"back": True, "gone": False}.get(data.get("stock", ""))
        return data


class DisputeForm(forms.Form):
    """A dispute that the buyer or the seller told staff about."""

    party = forms.ChoiceField(
        label=_("On behalf of"), choices=[("buyer", _("Buyer")), ("seller", _("Seller"))]
    )
    reason = forms.ChoiceField(label=_("Reason"), choices=Dispute.Reason.choices)
    body = forms.CharField(
        max_length=10_000,
        label=_("What they said"),
        widget=forms.Textarea(attrs={"rows": 4, "cols": 70}),
        help_text=_("Both parties read it."),
    )


class ForBuyerForm(NoteForm):
    """A dispute decided for the buyer, with the amount to refund."""

    refund_amount = AmountField(
        required=False,
        label=_("Refund"),
        help_text=_("In the order's currency, as in 258.00. Empty: all that is left."),
    )


class ReplyForm(forms.Form):
    """A message in a dispute."""

    body = forms.CharField(
        max_length=10_000,
        label=_("Message"),
        widget=forms.Textarea(attrs={"rows": 5, "cols": 70}),
    )
    is_internal = forms.BooleanField(required=False, label=_("Note for staff only"))


class PaymentForm(forms.Form):
    """A payment by its reference, with the processor's fee."""

    reference = forms.CharField(max_length=120, required=False, label=_("Payment reference"))
    processing_fee = AmountField(
        required=False,
        label=_("Processor's fee"),
        help_text=_("In the order's currency, as in 0.88."),
    )
    reason = forms.CharField(
        max_length=500,
        required=False,
        label=_("Reason"),
        help_text=_("A second person reads it where the amount needs one."),
    )


class PaidForm(forms.Form):
    """A payout that arrived, with the bank's reference."""

    reference = forms.CharField(max_length=120, required=False, label=_("Reference"))


class FailedForm(forms.Form):
    """A payout that failed, with what went wrong."""

    reason = forms.CharField(max_length=500, label=_("Reason"))


class PeriodForm(forms.Form):
    """The days of a report, from one up to and including another."""

    start = forms.DateField(label=_("From"), widget=DayInput)
    end = forms.DateField(label=_("To"), widget=DayInput)

    @classmethod
    def for_query(cls, query: Any, days: int = 365) -> "PeriodForm":
        """Return the form of a request, with a default period that ends today."""
        today = clock.today()
        return cls(
            {
                "start": query.get("start") or today - timedelta(days=days),
                "end": query.get("end") or today,
            }
        )

    def clean(self) -> dict[str, Any]:
        """Refuse a period that ends before it begins."""
        data = super().clean() or {}
        if data.get("start") and data.get("end") and data["end"] < data["start"]:
            raise forms.ValidationError({"end": _("Not before the first day.")})
        return data
