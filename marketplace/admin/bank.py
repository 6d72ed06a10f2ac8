"""Bank statements and their lines in the admin."""

import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.bank_files import DATE_FORMATS, DELIMITERS, Columns
from marketplace.models import BankLine, BankStatement, LedgerEntry
from marketplace.services import clock
from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ServiceModelAdmin,
    form_action,
    service_action,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.money import format_money
from systemadmin.foundation.parsing import Unreadable, parse_whole_number

CHANGE = "marketplace.change_bankline"
# A day that shows in any notation which number is the day and which the month.
LAST_OF_OCTOBER = datetime.date(2026, 10, 31)
CSV_FIELDS = ["date", "amount", "amount_out", "reference", "counterparty", "id"]


class BankStatementForm(forms.ModelForm):
    """The file, and for CSV which column holds what."""

    file = forms.FileField(label=_("File"), help_text=_("camt.053 or CSV."))
    date = forms.CharField(initial="date", max_length=80, label=_("Column of the day"))
    amount = forms.CharField(initial="amount", max_length=80, label=_("Column of the amount"))
    amount_out = forms.CharField(
        required=False,
        max_length=80,
        label=_("Column of what went out"),
        help_text=_("Only where it is not the same column; the one above is then what came in."),
    )
    reference = forms.CharField(
        initial="reference", max_length=80, label=_("Column of the reference")
    )
    counterparty = forms.CharField(
        initial="counterparty", max_length=80, label=_("Column of the counterparty")
    )
    id = forms.CharField(initial="id", max_length=80, label=_("Column of the bank's id"))
    date_format = forms.ChoiceField(
        choices=[(one, LAST_OF_OCTOBER.strftime(one)) for one in DATE_FORMATS],
        label=_("Days are written as"),
        help_text=_("Choose how the file would write 31 October 2026."),
    )
    decimal_mark = forms.ChoiceField(choices=[(m, m) for m in ".,"], label=_("Decimal mark"))
    delimiter = forms.ChoiceField(
        choices=[(mark, _("Tab") if mark == "\t" else mark) for mark in DELIMITERS],
        label=_("Delimiter"),
    )

    class Meta:
        model = BankStatement
        fields = ["account", "currency", "format"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "currency" in self.fields:
            self.fields["currency"].initial = services.only_currency()
            self.fields["account"].initial = BankStatement.Account.BANK


@admin.register(BankStatement)
class BankStatementAdmin(ServiceModelAdmin):
    """Import a statement by adding it here."""

    form = BankStatementForm
    list_display = ["__str__", "account", "currency", "first_on", "last_on", "created_at"]
    list_filter = ["account", "currency"]
    ordering = ["-id"]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the import form, or what was imported and how the books stand."""
        if obj is not None:
            names = ["account", "currency", "format", "file_name", "first_on", "last_on"]
            return [(None, {"fields": [*names, "standing"]})]
        csv = [*CSV_FIELDS, ("date_format", "decimal_mark", "delimiter")]
        return [
            (None, {"fields": ["file", "format", "account", "currency"]}),
            (_("Columns of a CSV file"), {"fields": csv}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Return the field with the reconciliation, once the statement is stored."""
        return ["standing"] if obj else []

    @admin.display(description=_("reconciliation"))
    def standing(self, statement: BankStatement) -> str:
        """Return the balance at the bank, the balance of the books and their difference."""
        found = services.reconciliation(statement=statement)

        def money(name: str) -> str:
            value = found[name]
            if value is None:
                return gettext("the file states no balance")
            return format_money(value, statement.currency)

        open_lines = format_html(
            '<a href="{}?matched=no&amp;account__exact={}&amp;currency__exact={}">{}</a>',
            reverse("admin:marketplace_bankline_changelist"),
            statement.account,
            statement.currency,
            gettext("Lines without an entry"),
        )
        rows = [
            (gettext("At the bank"), money("bank_balance")),
            (gettext("In the books"), money("book_balance")),
            (gettext("Difference"), money("difference")),
            (
                open_lines,
                f"{found['unmatched_lines']} ({money('unmatched_lines_amount')})",
            ),
            (
                gettext("Entries without a line"),
                f"{found['unmatched_entries']} ({money('unmatched_entries_amount')})",
            ),
        ]
        return format_html_join("", "<div>{}: <b>{}</b></div>", rows)

    def create(self, actor: Any, values: dict[str, Any]) -> BankStatement:
        """Import the bank statement by its service."""
        names = [*CSV_FIELDS, "date_format", "decimal_mark", "delimiter"]
        return services.import_bank_statement(
            actor=actor,
            columns=Columns(**{name: values[name] for name in names}),
            **{name: values[name] for name in ("file", "format", "account", "currency")},
        )


class MatchForm(forms.Form):
    """Ask for the ledger entries that a bank line is matched with."""

    entries = forms.CharField(
        max_length=2000,
        label=_("Ledger entries"),
        help_text=_("Their numbers, with commas. Together they are the line's amount."),
    )

    def clean_entries(self) -> list[int]:
        """Return the numbers of the entries; refuse what is no whole number."""
        try:
            parts = self.cleaned_data["entries"].split(",")
            return [parse_whole_number(part.strip()) for part in parts]
        except Unreadable as error:
            raise forms.ValidationError(str(error), code=error.code) from error


def _could_be(line: BankLine) -> str:
    """Return in words what the bank reports, and the numbers of the entries it could be."""
    reported = f"{format_money(line.amount, line.currency)} · {line.reference}"
    found = ", ".join(_entry_in_words(entry) for entry in services.entries_like(line))
    if not found:
        alone = gettext("No open entry has this amount. Several together may have it.")
        return f"{reported} · {alone}"
    text = gettext("Open entries of this amount: %(entries)s") % {"entries": found}
    return f"{reported} · {text}"


def _entry_in_words(entry: LedgerEntry) -> str:
    about = entry.transaction
    day = date_format(about.posted_at.astimezone(clock.place_zone()).date())
    subject = about.order or about.payout
    what = f"{subject._meta.verbose_name} {subject}" if subject else about.get_kind_display()
    return f"{entry.pk} ({what}, {day})"


class MatchedFilter(admin.SimpleListFilter):
    """Filter bank lines by whether they are matched with ledger entries."""

    title = _("matched")
    parameter_name = "matched"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, Any]]:
        """Return the choices yes and no."""
        return [("yes", _("Yes")), ("no", _("No"))]

    def queryset(self, request: Any, queryset: Any) -> Any:
        """By whether it is an entry."""
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(matches__isnull=self.value() == "no").distinct()


@admin.register(BankLine)
class BankLineAdmin(AtalayaModelAdmin):
    """What the bank reports, and which entries it is."""

    list_display = ["__str__", "booked_on", "amount_shown", "reference", "counterparty", "entries"]
    list_filter = ["account", "currency", MatchedFilter]
    ordering = ["-id"]
    actions = ["match", "unmatch"]
    fields: Any = [
        "amount_shown" if field.name == "amount" else field.name
        for field in BankLine._meta.concrete_fields
        if field.editable and field.name not in ("id", "currency")
    ]
    readonly_fields: Any = ["amount_shown"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the rows with the matches."""
        return super().get_queryset(request).prefetch_related("matches")

    @admin.display(description=_("amount"), ordering="amount")
    def amount_shown(self, line: BankLine) -> str:
        """In the currency's own decimals."""
        return format_money(line.amount, line.currency)

    @admin.display(description=_("ledger entries"))
    def entries(self, line: BankLine) -> str:
        """Return the numbers of the matched ledger entries."""
        return ", ".join(str(match.entry_id) for match in line.matches.all()) or "-"

    @form_action(
        description=_("Match by hand"),
        form=MatchForm,
        perm=CHANGE,
        applies=lambda line: not line.matches.all(),
        says=_could_be,
    )
    def match(self, request: HttpRequest, obj: BankLine, data: dict[str, Any]) -> None:
        """Match the line with these entries."""
        services.match_bank_line(actor=caller(request), line=obj, entries=data["entries"])

    @service_action(
        description=_("Take a match back"), perm=CHANGE, applies=lambda line: line.matches.all()
    )
    def unmatch(self, request: HttpRequest, obj: BankLine) -> None:
        """Undo the match, so that the bank line is open again."""
        services.unmatch_bank_line(actor=caller(request), line=obj)
