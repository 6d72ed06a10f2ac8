"""Commission rules in the admin: the list in its order, what is wrong with it, what-if."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.admin.columns import money_column
from marketplace.admin.forms import PeriodForm
from marketplace.admin.lists import CurrencyFilter
from marketplace.admin.report_tables import bounds_of
from marketplace.admin.rule_content import content_shown
from marketplace.admin.rule_form import CommissionRuleForm
from marketplace.admin.trace import trace_list
from marketplace.commission import percent
from marketplace.models import (
    CommissionLine,
    CommissionRule,
    CommissionRuleVersion,
    SellerProfile,
)
from marketplace.services.commission import MANY, SIMPLE
from marketplace.services.schedule import fees_of
from systemadmin.foundation.admin import AtalayaModelAdmin, ReadOnlyInline, ServiceModelAdmin
from systemadmin.foundation.caller import caller
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.money import format_money
from systemadmin.foundation.parsing import is_whole_number

CHANGE = "marketplace.change_commissionrule"


class VersionInline(ReadOnlyInline):
    """What the rule said before."""

    model = CommissionRuleVersion
    fields = ["number", "created_at", "changed_by", "content_shown"]
    readonly_fields: Any = fields
    show_change_link = False

    @admin.display(description=_("content"))
    def content_shown(self, version: CommissionRuleVersion) -> Any:
        """Return what it said, without what was left as it is."""
        return content_shown(version.content)


@admin.register(CommissionRule)
class CommissionRuleAdmin(ServiceModelAdmin):
    """Rules of a fee are tried in their order."""

    form = CommissionRuleForm

    change_list_template = "admin/marketplace/commissionrule/change_list.html"
    list_display = [
        "position",
        "name",
        "fee",
        "conditions_shown",
        "charge_shown",
        "is_active",
        "version",
    ]
    list_select_related = ["fee"]
    list_display_links = ["name"]
    ordering = ["position", "id"]
    list_filter = ["fee", "is_active"]
    filter_horizontal = ["categories"]
    autocomplete_fields = ["sellers", "products"]
    inlines = [VersionInline]
    fieldsets = [
        (None, {"fields": ["name", "fee", "is_active", "applies_to_all"]}),
        (
            _("Conditions"),
            {
                "fields": [
                    "categories",
                    "sellers",
                    "products",
                    "kinds",
                    "currency",
                    ("unit_from", "unit_below"),
                    ("line_from", "line_below"),
                    ("value_from", "value_below"),
                    ("volume_window", "volume_between", "volume_measure"),
                    ("volume_from", "volume_below"),
                    ("countries", "buyer_countries"),
                    "levels",
                    "tax_statuses",
                    ("valid_from", "valid_to"),
                ]
            },
        ),
        (
            _("Charge"),
            {
                "fields": [
                    "per",
                    "ppm",
                    "tiers",
                    ("tiers_mode", "tiers_by"),
                    ("fixed", "fixed_per"),
                    ("minimum", "maximum"),
                    "rounding",
                    ("tax_ppm", "tax_by_seller"),
                    ("include_item", "include_shipping"),
                    ("include_tax", "include_discount", "include_platform_discount"),
                    "include_buyer_fees",
                ]
            },
        ),
        (
            _("On refund"),
            {"fields": ["on_refund", "fixed_refundable", "refund_fee_ppm", "refund_fee_maximum"]},
        ),
    ]

    class Media:
        css = {"all": ["marketplace/marketplace.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Return the rows with what the rules are limited to."""
        return super().get_queryset(request).prefetch_related(*MANY)

    def get_urls(self) -> list[Any]:
        """Return the pages for order and what-if before Django's."""
        wrap = self.admin_site.admin_view
        own = [
            path("order/", wrap(self.order_view), name="marketplace_commissionrule_order"),
            path("what-if/", wrap(self.what_if_view), name="marketplace_commissionrule_whatif"),
        ]
        return own + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return the list under the rules that can never match."""
        names = dict(CommissionRule.objects.values_list("pk", "name"))
        findings = [
            {"name": names[finding.rule], "detail": gettext(finding.detail), "code": finding.code}
            for finding in services.lint_rules()
        ]
        return super().changelist_view(request, {"findings": findings, **(extra_context or {})})

    def order_view(self, request: HttpRequest) -> HttpResponse:
        """Assign the numbers of the whole list anew."""
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        rules = list(CommissionRule.objects.order_by("position", "id"))
        if request.method == "POST":
            numbered = [
                (_number(request.POST.get(f"position-{rule.pk}"), rule.position), place, rule.pk)
                for place, rule in enumerate(rules)
            ]
            try:
                services.reorder_rules(
                    actor=caller(request), ids=[pk for _n, _p, pk in sorted(numbered)]
                )
                messages.success(request, gettext("The rules are in their new order."))
            except DomainError as refusal:
                messages.error(request, str(refusal))
            return HttpResponseRedirect(reverse("admin:marketplace_commissionrule_changelist"))
        context = self._page(request, _("Order of the rules"), rules=rules)
        return TemplateResponse(request, "admin/marketplace/commissionrule/order.html", context)

    def what_if_view(self, request: HttpRequest) -> HttpResponse:
        """Try the ticked rules, switched on, on past orders."""
        if not request.user.has_perm("marketplace.view_commissionrule"):
            raise PermissionDenied
        rules = list(CommissionRule.objects.in_order())
        form = PeriodForm.for_query(request.GET, days=90)
        asked = "start" in request.GET
        ticked = (
            {int(pk) for pk in request.GET.getlist("rule") if is_whole_number(pk)}
            if asked
            else {rule.pk for rule in rules if rule.is_active}
        )
        result = None
        if asked and form.is_valid():
            chosen = fees_of([rule for rule in rules if rule.pk in ticked], all_active=True)
            result = _shown_preview(services.preview_fees(chosen, **bounds_of(form)))
        context = self._page(
            request, _("What if"), rules=rules, form=form, ticked=ticked, result=result
        )
        return TemplateResponse(request, "admin/marketplace/commissionrule/what_if.html", context)

    @admin.display(description=_("conditions"))
    def conditions_shown(self, rule: CommissionRule) -> str:
        """Return what a sale must be, in a line."""
        parts = [", ".join(str(one) for one in getattr(rule, field).all()) for field in MANY]
        parts += [", ".join(rule.kinds), rule.currency]
        parts += [", ".join(rule.countries), ", ".join(rule.levels)]
        if rule.buyer_countries:
            parts.append(gettext("buyer: %s") % ", ".join(rule.buyer_countries))
        parts += [str(SellerProfile.TaxStatus(one).label) for one in rule.tax_statuses]
        parts += _bounds_shown(rule)
        shown = " · ".join(part for part in parts if part)
        return shown or (gettext("everything") if rule.applies_to_all else gettext("nothing"))

    @admin.display(description=_("charge"))
    def charge_shown(self, rule: CommissionRule) -> str:
        """Return what it costs, in a line."""
        parts = [percent(rule.ppm)] if rule.ppm else []
        parts += [
            f"{percent(ppm)} ≥ {format_money(lower, rule.currency)}" for lower, ppm in rule.tiers
        ]
        if rule.fixed:
            fixed = format_money(rule.fixed, rule.currency)
            parts.append(f"+ {fixed} {rule.get_fixed_per_display()}")
        if rule.per != CommissionRule.Per.LINE:
            parts.append(rule.get_per_display())
        if rule.minimum is not None:
            parts.append(f"min. {format_money(rule.minimum, rule.currency)}")
        if rule.maximum is not None:
            parts.append(f"max. {format_money(rule.maximum, rule.currency)}")
        if rule.tax_ppm:
            parts.append(gettext("tax %(rate)s") % {"rate": percent(rule.tax_ppm)})
        return ", ".join(parts) or "0"

    def create(self, actor: Any, values: dict[str, Any]) -> CommissionRule:
        """Add it at the end of the list."""
        return services.create_rule(actor=actor, **_known(values))

    def update(self, actor: Any, obj: Any, values: dict[str, Any]) -> CommissionRule:
        """Change the commission rule by its service."""
        return services.update_rule(actor=actor, rule=obj, **_known(values))

    def remove(self, actor: Any, obj: Any) -> None:
        """Delete the rule; refused if it ever charged a commission."""
        services.delete_rule(actor=actor, rule=obj)

    def _page(self, request: HttpRequest, title: Any, **context: Any) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "title": title,
            "opts": self.model._meta,
            "media": self.media,
            **context,
        }


@admin.register(CommissionLine)
class CommissionLineAdmin(AtalayaModelAdmin):
    """What sales were charged, and why; frozen."""

    list_display = [
        "line", "order_number", "rule", "rule_version", "amount_shown",
        money_column(CommissionLine, "tax"),
    ]  # fmt: skip
    list_filter = [CurrencyFilter, "rule"]
    sortable_by = ()
    list_select_related = ["line__order", "rule"]
    ordering = ["-id"]
    fields: Any = [
        "line",
        "rule",
        "rule_version",
        *(
            money_column(CommissionLine, name)
            for name in ("base", "captured", "amount", "tax", "seller_net", "refundable")
        ),
        "trace_shown",
    ]
    readonly_fields: Any = [*(one for one in fields if callable(one)), "trace_shown"]

    class Media:
        css = {"all": ["marketplace/marketplace.css"]}

    @admin.display(description=_("order"))
    def order_number(self, line: CommissionLine) -> str:
        """Return the number of the line's order."""
        return f"#{line.line.order_id}"

    @admin.display(description=_("commission"), ordering="amount")
    def amount_shown(self, line: CommissionLine) -> str:
        """In the currency's own decimals."""
        return format_money(line.amount, line.currency)

    @admin.display(description=_("why"))
    def trace_shown(self, line: CommissionLine) -> Any:
        """Return each step of the calculation."""
        return trace_list(line.trace, line.currency)


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in ("fee", *SIMPLE, *MANY)}


def _bounds_shown(rule: CommissionRule) -> list[str]:
    """Return the limits on amounts, each with what it looks at."""
    names = {
        "unit": gettext("unit"),
        "line": gettext("line"),
        "value": gettext("order"),
        "volume": gettext("volume"),
    }
    counts_orders = rule.volume_measure == CommissionRule.VolumeMeasure.ORDERS
    shown = []
    for what, name in names.items():
        for sign, end in (("≥", "from"), ("<", "below")):
            value = getattr(rule, f"{what}_{end}")
            if value is not None:
                is_number = what == "volume" and counts_orders
                text = str(value) if is_number else format_money(value, rule.currency)
                shown.append(f"{name} {sign} {text}")
    return shown


def _number(raw: str | None, default: int) -> int:
    return int(raw) if raw and is_whole_number(raw) and len(raw) < 10 else default


def _shown_preview(result: dict[str, Any]) -> dict[str, Any]:
    for row in (*result["currencies"], *result["payouts"]):
        code = row["currency"]
        row["difference"] = format_money(row["after"] - row["before"], code)
        row["before"], row["after"] = (format_money(row[n], code) for n in ("before", "after"))
    return result
