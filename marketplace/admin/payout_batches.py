"""Payout batches in the admin."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.models import Payout, PayoutBatch
from marketplace.querysets.payouts import waiting_for_a_file
from marketplace.services import clock
from systemadmin.foundation.admin import ConfirmForm, ServiceModelAdmin, form_action
from systemadmin.foundation.caller import caller
from systemadmin.foundation.forms import DayInput
from systemadmin.foundation.money import format_money


class PayoutBatchForm(forms.ModelForm):
    """Which currency, out of those that have pending payouts, and when."""

    class Meta:
        model = PayoutBatch
        fields = ["currency", "execution_on"]
        widgets = {
            "currency": forms.Select,
            "execution_on": DayInput(),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "currency" not in self.fields:
            return
        field = self.fields["currency"]
        field.widget.choices = _pending() or [("", gettext("No payout is pending"))]
        field.help_text = _(
            "All pending payouts of the currency go into the file. Who is on hold or has no "
            "account waits for a later one."
        )
        self.fields["execution_on"].initial = clock.today()
        self.fields["execution_on"].help_text = _("The day on which the bank is to pay.")


def _pending() -> list[tuple[str, str]]:
    """Return each currency that has pending payouts, with their number and sum in words."""
    rows = (
        waiting_for_a_file()
        .values("currency")
        .annotate(count=Count("pk"), sum=Sum("amount"))
        .order_by("currency")
    )
    return [(row["currency"], _in_words(row)) for row in rows]


def _in_words(row: Any) -> str:
    text = ngettext(
        "%(currency)s: %(count)s payout, %(sum)s",
        "%(currency)s: %(count)s payouts, %(sum)s",
        row["count"],
    )
    return text % {**row, "sum": format_money(row["sum"], row["currency"])}


def _what_is_paid(batch: PayoutBatch) -> str:
    """Return in words what becomes paid, or that nothing does."""
    pending = batch.payouts.filter(status=Payout.Status.PENDING)
    found = pending.aggregate(count=Count("pk"), sum=Sum("amount", default=0))
    if not found["count"]:
        return gettext("None of its payouts is pending.")
    what = _in_words({"currency": batch.currency, **found})
    return gettext("Becomes paid: %(what)s") % {"what": what}


@admin.register(PayoutBatch)
class PayoutBatchAdmin(ServiceModelAdmin):
    """Put the pending payouts of a currency into a file by adding a batch here."""

    needs_permission: ClassVar[dict[str, str]] = {"files": "marketplace.download_payoutbatch"}

    form = PayoutBatchForm
    list_display = ["__str__", "currency", "execution_on", "count", "amount_shown", "files"]
    list_filter = ["currency"]
    ordering = ["-id"]
    actions = ["mark_paid"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return what is asked, or what was made."""
        if obj is None:
            return ["currency", "execution_on"]
        return ["currency", "execution_on", "count", "amount_shown", "sha256", "created_by",
                "files"]  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the amount and files, once the batch is stored."""
        return ["amount_shown", "files"] if obj else []

    @admin.display(description=_("amount"), ordering="amount")
    def amount_shown(self, batch: PayoutBatch) -> str:
        """In the currency's own decimals."""
        return format_money(batch.amount, batch.currency)

    @admin.display(description=_("files"))
    def files(self, batch: PayoutBatch) -> str:
        """Return links to the files."""
        address = reverse("admin:marketplace_payoutbatch_file", args=[batch.pk])
        if batch.currency != "EUR":
            return format_html('<a href="{}?file=csv">CSV</a>', address)
        return format_html(
            '<a href="{0}?file=pain.001">pain.001</a> <a href="{0}?file=csv">CSV</a>', address
        )

    def get_urls(self) -> list[Any]:
        """Return the file before Django's pages."""
        view = self.admin_site.admin_view(self.file_view)
        return [path("<int:pk>/file/", view, name="marketplace_payoutbatch_file"),
                *super().get_urls()]  # fmt: skip

    def file_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Return the file for the bank; who takes it is on record."""
        if not request.user.has_perm("marketplace.download_payoutbatch"):
            raise PermissionDenied
        kind = "csv" if request.GET.get("file") == "csv" else "pain.001"
        batch = get_object_or_404(PayoutBatch, pk=pk)
        text = services.payout_file(actor=caller(request), batch=batch, kind=kind)
        ending = "csv" if kind == "csv" else "xml"
        response = HttpResponse(text, content_type=f"text/{ending}; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="payouts-{pk}.{ending}"'
        response["Cache-Control"] = "private, no-store"
        return response

    def create(self, actor: Any, values: dict[str, Any]) -> PayoutBatch:
        """Put the pending payouts of a currency into a batch, with its file for the bank."""
        return services.create_payout_batch(actor=actor, **values)

    @form_action(
        description=_("The bank carried it out"),
        form=ConfirmForm,
        perm="marketplace.change_payoutbatch",
        says=_what_is_paid,
    )
    def mark_paid(self, request: HttpRequest, obj: PayoutBatch, data: dict[str, Any]) -> None:
        """Its pending payouts are paid."""
        services.pay_payout_batch(actor=caller(request), batch=obj)
