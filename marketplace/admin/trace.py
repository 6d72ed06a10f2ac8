"""How a calculation is shown: in the reader's language, amounts in their currency."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.money import exponent, format_money

Step = Mapping[str, Any]

# Why a rule does not match; `marketplace.commission.matching` has the codes.
REASONS: Final = {
    "inactive": _("it is switched off"),
    "no_conditions": _("it has no condition"),
    "too_early": _("it begins later"),
    "expired": _("it had ended"),
    "currency": _("another currency"),
    "kind": _("another kind of product"),
    "seller": _("another seller"),
    "product": _("another product"),
    "category": _("another category"),
    "country": _("another country of the seller"),
    "buyer_country": _("another country of the buyer"),
    "tax_status": _("another tax status of the seller"),
    "level": _("another level of the seller"),
    "value_too_low": _("the order is too small"),
    "value_too_high": _("the order is too large"),
    "line_too_low": _("the line is too small"),
    "line_too_high": _("the line is too large"),
    "unit_price_too_low": _("the unit price is too low"),
    "unit_price_too_high": _("the unit price is too high"),
    "volume_too_low": _("the seller has sold too little"),
    "volume_too_high": _("the seller has sold too much"),
}
# Steps that are a sentence and an amount.
AMOUNTS: Final = {
    "base": _("Charged on %(value)s."),
    "unit": _("For each unit, charged on %(value)s."),
    "units": _("All units together: %(value)s."),
    "fixed": _("Fixed amount: %(value)s."),
    "minimum": _("Raised to the minimum of %(value)s."),
    "maximum": _("Lowered to the maximum of %(value)s."),
    "base_cap": _("Lowered to %(value)s: never more than what it is charged on."),
    "net_cap": _("Lowered to %(value)s: the seller's net is never negative."),
    "share": _("The share of this line: %(value)s."),
}


def trace_list(trace: Iterable[Step], currency: str) -> Any:
    """Return each step of a calculation as an ordered list; "-" without a step."""
    steps = format_html_join("", "<li>{}</li>", ((shown_step(step, currency),) for step in trace))
    return format_html('<ol class="mp-trace">{}</ol>', steps) if steps else "-"


def shown_step(step: Step, currency: str) -> str:
    """Return a step as a sentence; one that is not known here as it was kept."""
    kind = str(step.get("step"))
    if kind in AMOUNTS:
        return AMOUNTS[kind] % {"value": format_money(step["value"], currency)}
    show = _SENTENCES.get(kind)
    return show(step, currency) if show else str(step["detail"])


def _rule(step: Step, currency: str) -> str:
    names = {"rule": step["rule"], "name": step["name"]}
    if step["matched"]:
        return gettext("Rule %(rule)s “%(name)s” matches.") % names
    reason = REASONS.get(step["reason"], step["reason"])
    text = gettext("Rule %(rule)s “%(name)s” does not match: %(reason)s.")
    return text % {**names, "reason": reason}


def _rate(step: Step, currency: str) -> str:
    return gettext("%(rate)s of %(base)s is %(value)s.") % {
        "rate": _percent(step["ppm"]),
        "base": format_money(step["base"], currency),
        "value": _exact(step["exact"], currency),
    }


def _round(step: Step, currency: str) -> str:
    return gettext("%(exact)s is rounded to %(value)s.") % {
        "exact": _exact(step["exact"], currency),
        "value": format_money(step["value"], currency),
    }


def _tax(step: Step, currency: str) -> str:
    if "ppm" not in step:
        return gettext("Reverse charge: the seller accounts for the tax.")
    return gettext("Tax on it: %(rate)s, %(value)s.") % {
        "rate": _percent(step["ppm"]),
        "value": format_money(step["value"], currency),
    }


def _no_rule(step: Step, currency: str) -> str:
    return gettext("No rule matches: nothing is charged.")


def _percent(ppm: int) -> str:
    return f"{number_format(Decimal(ppm).scaleb(-4).normalize(), use_l10n=True)} %"


def _exact(minor: str, currency: str) -> str:
    """Return an amount with every digit that it has before it is rounded."""
    amount = Decimal(minor).scaleb(-exponent(currency))
    return f"{number_format(amount, use_l10n=True)} {currency}"


_SENTENCES: Final[Mapping[str, Callable[[Step, str], str]]] = {
    "rule": _rule,
    "percent": _rate,
    "tier": _rate,
    "round": _round,
    "tax": _tax,
    "no_rule": _no_rule,
}
