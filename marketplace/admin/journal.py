"""Entries by hand in the admin: typed in major units, reversed by an action."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.journal_templates import NEEDS_SELLER, TEMPLATES, Line
from marketplace.models import JournalEntry, JournalLine
from marketplace.services import clock
from systemadmin.foundation.admin import (
    ReadOnlyInline,
    ServiceModelAdmin,
    form_action,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.forms import AmountField, DayInput, clean_amount
from systemadmin.foundation.money import format_money, is_currency
from systemadmin.models import User

ROWS = 6
PARTS = ("account", "seller", "debit", "credit")


class JournalEntryForm(forms.ModelForm):
    """An amount for the usual entry of a kind, or the lines of any other."""

    amount = AmountField(
        required=False,
        label=_("Amount"),
        help_text=_(
            "In the entry's currency, as in 15.00. The usual lines of the kind are booked."
            " Leave it empty to write the lines yourself."
        ),
    )
    fee = AmountField(
        required=False,
        label=_("Fee"),
        help_text=_(
            "The fee that the payment processor kept of a settlement. It is part of the amount."
        ),
    )

    class Meta:
        model = JournalEntry
        fields = ["kind", "currency", "booked_on", "seller", "order", "payout", "reason",
                  "attachment"]  # fmt: skip
        widgets = {
            "reason": forms.Textarea(attrs={"rows": 3, "cols": 70}),
            "booked_on": DayInput(),
        }
        help_texts = {
            "kind": _("“Opening balance” and “Other” need their lines."),
            "booked_on": _("A day in a closed month counts today and refers to its month."),
            "seller": _("Whose balance it moves, or whom it is about."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "booked_on" in self.fields:
            self.fields["booked_on"].initial = clock.today()
            self.fields["currency"].initial = services.only_currency()

    def clean(self) -> dict[str, Any]:
        """Turn what was typed into lines in minor units."""
        data: dict[str, Any] = super().clean() or {}
        currency = data.get("currency", "")
        if "amount" not in self.errors and not self._says_how_much(data):
            self.add_error("amount", gettext("Give either an amount or the lines."))
        if self.errors:
            return data
        if not is_currency(currency):
            raise ValidationError({"currency": gettext("Not an ISO 4217 currency code.")})
        amount = clean_amount("amount", data.get("amount"), currency)
        rows = list(self._rows(data, currency))
        if amount and rows:
            raise ValidationError({"amount": gettext("Give either an amount or the lines.")})
        if amount:
            rows = self._usual(data, amount, currency)
        data["lines"] = rows
        return data

    def _says_how_much(self, data: dict[str, Any]) -> bool:
        names = (f"line_{number}_{part}" for number in range(1, ROWS + 1) for part in PARTS)
        return bool(data.get("amount")) or any(data.get(n) or n in self.errors for n in names)

    def _usual(self, data: dict[str, Any], amount: int, currency: str) -> list[Line]:
        kind, seller = data["kind"], data.get("seller")
        if kind not in TEMPLATES:
            raise ValidationError({"kind": gettext("An entry of this kind needs its lines.")})
        if kind in NEEDS_SELLER and seller is None:
            raise ValidationError({"seller": gettext("An entry of this kind needs a seller.")})
        fee = clean_amount("fee", data.get("fee"), currency) or 0
        return services.usual_lines(kind=kind, amount=amount, seller=seller, fee=fee)

    def _rows(self, data: dict[str, Any], currency: str) -> Iterator[Line]:
        for number in range(1, ROWS + 1):
            line = _line(data, number, currency)
            if line is not None:
                yield line


def _line(data: dict[str, Any], number: int, currency: str) -> Line | None:
    """Return one line of the form, or None where it was left empty."""
    account, seller, debit, credit = (data.get(f"line_{number}_{part}") for part in PARTS)
    if not any((account, debit, credit)):
        return None
    if not account or bool(debit) == bool(credit):
        text = gettext("A line has an account, and a debit or a credit.")
        raise ValidationError({f"line_{number}_account": text})
    name = f"line_{number}_{'debit' if debit else 'credit'}"
    value = clean_amount(name, debit or credit, currency) or 0
    return Line(account, value if debit else -value, seller.pk if seller else None)


def line_fields() -> dict[str, forms.Field]:
    """Return the fields of the lines, by name."""
    fields: dict[str, forms.Field] = {}
    for number in range(1, ROWS + 1):
        fields |= {
            f"line_{number}_account": forms.ChoiceField(
                choices=[("", "---------"), *JournalLine.ACCOUNTS],
                required=False,
                label=_("Account"),
            ),
            f"line_{number}_seller": forms.ModelChoiceField(
                User.objects.all(),
                required=False,
                label=_("Seller's number"),
                widget=forms.NumberInput,
            ),
            f"line_{number}_debit": AmountField(required=False, label=_("Debit")),
            f"line_{number}_credit": AmountField(required=False, label=_("Credit")),
        }
    return fields


JournalEntryForm.declared_fields.update(line_fields())


class LineInline(ReadOnlyInline):
    """The lines as they were entered."""

    model = JournalLine
    fields = ["account", "seller", "amount_shown"]
    readonly_fields: Any = fields
    show_change_link = False

    @admin.display(description=_("amount"))
    def amount_shown(self, line: JournalLine) -> str:
        """Return the amount with its currency; a debit is positive."""
        return format_money(line.amount, line.entry.currency)


class ReversalForm(forms.Form):
    """Ask for the reason of a reversal."""

    reason = forms.CharField(max_length=1000, label=_("Reason"))


@admin.register(JournalEntry)
class JournalEntryAdmin(ServiceModelAdmin):
    """Post an entry by adding it here; correct one by reversing it."""

    form = JournalEntryForm
    list_display = ["__str__", "kind", "amount_shown", "booked_on", "seller", "actor", "reverses"]
    list_filter = ["kind", "currency"]
    list_select_related = ["seller", "actor", "reverses"]
    ordering = ["-id"]
    autocomplete_fields = ["seller", "order", "payout"]
    inlines = [LineInline]
    actions = ["reverse"]

    @admin.display(description=_("amount"))
    def amount_shown(self, entry: JournalEntry) -> str:
        """Return the sum of its debits."""
        debits = sum(line.amount for line in entry.lines.all() if line.amount > 0)
        return format_money(debits, entry.currency)

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the rows with the lines."""
        return super().get_queryset(request).prefetch_related("lines")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Return the lines of one that is posted."""
        return self.inlines if obj else []

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the form for a new one; all that was recorded of another."""
        if obj is not None:
            names = [field.name for field in JournalEntry._meta.fields if field.name != "id"]
            return [(None, {"fields": [name for name in names if name != "attachment"]})]
        rows = [tuple(f"line_{number}_{part}" for part in PARTS) for number in range(1, ROWS + 1)]
        return [
            (None, {"fields": ["kind", "currency", ("amount", "fee"), "booked_on", "seller",
                               "order", "payout", "reason", "attachment"]}),
            (_("Lines"), {"fields": rows, "description": _(
                "Only without an amount. Debits and credits are equal in sum.")}),
        ]  # fmt: skip

    def create(self, actor: Any, values: dict[str, Any]) -> JournalEntry:
        """Post the journal entry by its service."""
        names = ("kind", "currency", "reason", "booked_on", "seller", "order", "payout", "lines")
        attachment = values.get("attachment") or None
        return services.post_journal_entry(
            actor=actor, attachment=attachment, **{name: values[name] for name in names}
        )

    @form_action(
        description=_("Reverse"), form=ReversalForm, perm="marketplace.reverse_journalentry"
    )
    def reverse(self, request: HttpRequest, obj: JournalEntry, data: dict[str, Any]) -> None:
        """Reverse the entry by posting its opposite."""
        services.reverse_journal_entry(actor=caller(request), entry=obj, reason=data["reason"])
