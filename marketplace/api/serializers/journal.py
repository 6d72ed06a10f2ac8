"""Entries by hand over HTTP."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from marketplace.api.serializers.shared import CurrencyField
from marketplace.journal_templates import Line
from marketplace.models import JournalEntry, JournalLine, Order, Payout
from systemadmin.foundation.api import KeyField, ReferenceField, StrictSerializer
from systemadmin.models import User


class JournalLineSerializer(serializers.ModelSerializer):
    """A line as it was entered."""

    class Meta:
        model = JournalLine
        fields = ["account", "seller", "amount"]
        read_only_fields = fields


class JournalEntrySerializer(serializers.ModelSerializer):
    """An entry by hand with its lines."""

    lines = JournalLineSerializer(many=True, read_only=True)
    actor = serializers.CharField(source="actor.username", read_only=True, allow_null=True)
    reversed_by = serializers.SerializerMethodField()

    class Meta:
        model = JournalEntry
        fields = [
            "id",
            "kind",
            "currency",
            "reason",
            "booked_on",
            "seller",
            "order",
            "payout",
            "attachment_name",
            "reverses",
            "reversed_by",
            "actor",
            "created_at",
            "lines",
        ]
        read_only_fields = fields

    def get_reversed_by(self, entry: JournalEntry) -> int | None:
        """Return the entry that reverses this one."""
        found = getattr(entry, "reversed_by", None)
        return found.pk if found else None


class JournalLineInput(StrictSerializer):
    """A line: a positive amount is a debit, a negative one a credit."""

    account = serializers.ChoiceField(choices=JournalLine.ACCOUNTS)
    seller = ReferenceField(queryset=User.objects.all(), required=False, allow_null=True)
    amount = serializers.IntegerField()


class JournalEntryInput(StrictSerializer):
    """Either `amount`, for the usual entry of the kind, or `lines`."""

    kind = serializers.ChoiceField(choices=JournalEntry.Kind.choices)
    currency = CurrencyField()
    reason = serializers.CharField(max_length=1000)
    booked_on = serializers.DateField(required=False, allow_null=True)
    amount = serializers.IntegerField(min_value=1, required=False)
    fee = serializers.IntegerField(min_value=0, required=False, default=0)
    lines = JournalLineInput(many=True, required=False)
    seller = ReferenceField(queryset=User.objects.all(), required=False, allow_null=True)
    order = KeyField(queryset=Order.objects.all(), required=False, allow_null=True)
    payout = KeyField(queryset=Payout.objects.all(), required=False, allow_null=True)
    attachment = serializers.FileField(
        required=False, help_text="A receipt, sent as multipart/form-data with `amount`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two ways."""
        if ("amount" in attrs) == bool(attrs.get("lines")):
            raise serializers.ValidationError(
                {"lines": _("Give either an amount or the lines.")}, code="invalid"
            )
        if "lines" in attrs:
            attrs["lines"] = [_line(line) for line in attrs["lines"]]
        return attrs


def _line(values: dict[str, Any]) -> Line:
    seller = values.get("seller")
    return Line(values["account"], values["amount"], seller.pk if seller else None)


class ReversalInput(StrictSerializer):
    """Input of reversing a journal entry: the reason."""

    reason = serializers.CharField(max_length=1000)
