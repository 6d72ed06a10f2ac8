"""The year's report on sellers in the admin: who is reported, what is missing, and the files."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import dac7
from marketplace.dac7_header import read_header
from marketplace.errors import Dac7HeaderIncomplete
from marketplace.models import SellerProfile
from marketplace.services import clock
from systemadmin.foundation.money import format_money
from systemadmin.foundation.snapshots import read_snapshot
from systemadmin.models import User

MOST_ROWS = 500


class YearForm(forms.Form):
    """Which year."""

    year = forms.IntegerField(min_value=2000, max_value=2200, label=_("Year"))


class Dac7Pages(admin.ModelAdmin):
    """The report behind the list of sellers."""

    change_list_template = "admin/marketplace/sellerprofile/change_list.html"

    def get_urls(self) -> list[Any]:
        """Return the report before Django's pages."""
        view = self.admin_site.admin_view(self.dac7_view)
        return [path("dac7/", view, name="marketplace_dac7"), *super().get_urls()]

    def dac7_view(self, request: HttpRequest) -> HttpResponse:
        """Return sellers of a year with their sums, the decision and its reason."""
        if not request.user.has_perm("marketplace.export_ledger"):
            raise PermissionDenied
        form = YearForm({"year": request.GET.get("year") or clock.today().year - 1})
        year = form.cleaned_data["year"] if form.is_valid() else None
        rows: list[dac7.Row] = []
        if year:
            with read_snapshot():
                rows = dac7.rows_of(year)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Report on sellers (DAC7)"),
            "opts": self.model._meta,
            "media": self.media,
            "form": form,
            "year": year,
            "rows": _shown(rows[:MOST_ROWS]),
            "count": len(rows),
            "reportable": sum(row.is_reportable for row in rows),
            "faults": _header_faults(),
            "lacking": _lacking(rows),
        }
        return TemplateResponse(request, "admin/marketplace/sellerprofile/dac7.html", context)


def _header_faults() -> list[dict[str, Any]]:
    """Return what the settings lack for the XML."""
    try:
        read_header()
    except Dac7HeaderIncomplete as error:
        return error.errors
    return []


def _lacking(rows: list[dac7.Row]) -> int:
    """Return of how many sellers to report the schema asks for more than is kept."""
    found = {row.seller for row in rows if row.is_reportable}
    sellers = User.objects.select_related("seller_profile").filter(pk__in=found)
    return sum(bool(dac7.missing_of(one, getattr(one, "seller_profile", None))) for one in sellers)


def _shown(rows: list[dac7.Row]) -> list[dict[str, Any]]:
    found = {row.seller for row in rows}
    sellers = User.objects.in_bulk(found)
    profiles = {one.user_id: one for one in SellerProfile.objects.filter(user__in=found)}
    return [
        {
            "seller": sellers[row.seller].username,
            "profile": profiles.get(row.seller),
            "sales": sum(row.sales),
            "consideration": format_money(sum(row.consideration), row.currency),
            "quarters": [format_money(amount, row.currency) for amount in row.consideration],
            "fees": format_money(sum(row.fees), row.currency),
            "is_reportable": row.is_reportable,
            "reason": gettext(row.reason),
            "missing": _missing(sellers[row.seller], profiles.get(row.seller)),
        }
        for row in rows
    ]


def _missing(seller: User, profile: SellerProfile | None) -> str:
    """Return what the authority will ask for and is not kept of a seller."""
    needed = dac7.missing_of(seller, profile)
    names = {
        "country": gettext("country"),
        "birth_date": gettext("date of birth"),
    }
    parts = {
        gettext("name"): profile and profile.legal_name,
        gettext("tax id"): profile and profile.tax_id,
        gettext("address"): profile and profile.address,
        gettext("account"): profile and profile.account_masked,
        **{name: code not in needed for code, name in names.items()},
    }
    return ", ".join(name for name, value in parts.items() if not value)
