"""What the lists of the marketplace search and filter by, without reading whole tables."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from marketplace.models import LedgerAccount
from systemadmin.foundation.parsing import is_whole_number


class FoundByNumber:
    """Finds rows by their number, with or without `#`, and by whole references.

    Django compares numbers as texts, which reads every row.
    """

    references: tuple[str, ...] = ()

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """Return the rows that the words name; never duplicates."""
        text = search_term.strip()
        if not text:
            return queryset, False
        wanted = Q(*((name, text) for name in self.references), _connector=Q.OR)
        number = text.removeprefix("#")
        if is_whole_number(number):
            wanted |= Q(pk=int(number))
        return queryset.filter(wanted), False


class CurrencyFilter(admin.SimpleListFilter):
    """The currencies in which the platform keeps accounts."""

    title = _("currency")
    parameter_name = "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return each once; the accounts of the platform are few."""
        kept = LedgerAccount.objects.filter(seller=None).order_by("currency")
        return [(code, code) for code in kept.values_list("currency", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        """Return the rows in the currency."""
        return queryset.filter(currency=self.value()) if self.value() else queryset
