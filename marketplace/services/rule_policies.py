"""Changes of commission rules for everybody, which need a second person once a fee was charged."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from marketplace.commission import percent
from marketplace.models import CommissionCharge, CommissionRule, PayoutCharge
from marketplace.services.rule_checks import MANY
from systemadmin.foundation.money import format_money
from systemadmin.services.approval_arguments import encode_all
from systemadmin.services.second_person import Attempt, Subject, needs_second_person

# A rule that names more sellers than these is one for everybody.
MOST_NAMED: Final = 20
# Of a rule, what decides nothing.
_WORDS: Final = ("name",)
_AMOUNTS: Final = frozenset(
    {"fixed", "minimum", "maximum", "refund_fee_maximum"}
    | {f"{what}_{bound}" for what in ("value", "line", "unit") for bound in ("from", "below")}
)
_RULE: Final = _(
    "once a fee was charged, when a rule that is on is not for named sellers or products only"
)


def is_charging() -> bool:
    """Return whether anybody was charged yet; the first set-up is one person's."""
    return CommissionCharge.objects.exists() or PayoutCharge.objects.exists()


def _is_for_everybody(rule: CommissionRule) -> bool:
    """Return whether a rule that is on holds for more than a few named sellers."""
    if not rule.is_active:
        return False
    named = {
        *rule.sellers.values_list("pk", flat=True),
        *rule.products.values_list("seller", flat=True),
    }
    return not 0 < len(named) <= MOST_NAMED


def _said(rule: CommissionRule) -> dict[str, Any]:
    """Return what a rule says, and its place."""
    said = {
        field.attname: getattr(rule, field.attname)
        for field in CommissionRule._meta.concrete_fields
        if field.name not in ("created_at", "updated_at", "version", *_WORDS)
    }
    for name in MANY:
        said[name] = sorted(getattr(rule, name).values_list("pk", flat=True))
    return said


def _before(*, rule: CommissionRule, **_rest: Any) -> tuple[bool, dict[str, Any]]:
    stored = CommissionRule.objects.get(pk=rule.pk)
    return _is_for_everybody(stored), _said(stored)


def _is_made_for_everybody(attempt: Attempt) -> bool:
    return is_charging() and _is_for_everybody(attempt.result)


def _changes_for_everybody(attempt: Attempt) -> bool:
    was_for_everybody, said = attempt.before
    rule = CommissionRule.objects.get(pk=attempt.result.pk)
    is_concerning = was_for_everybody or _is_for_everybody(rule)
    return is_concerning and said != _said(rule) and is_charging()


def _order(**_rest: Any) -> list[int]:
    return list(CommissionRule.objects.order_by("position", "id").values_list("pk", flat=True))


def _label(name: str) -> Any:
    field: Any = CommissionRule._meta.get_field(name)
    return field.verbose_name


def _shown_value(name: str, value: Any, currency: str) -> str:
    if value is None or value == "":
        return ""
    if name.endswith("ppm"):
        return percent(value)
    if name == "tiers":
        return ", ".join(f"{percent(ppm)} ≥ {lower}" for lower, ppm in value)
    if name in _AMOUNTS and currency:
        return format_money(value, currency)
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)


def _shown(*, rule: CommissionRule | None = None, **values: Any) -> list[tuple[Any, Any]]:
    """Return what the rule says now, where it would change, and what it would say."""
    shown: list[tuple[Any, Any]] = [] if rule is None else [(_("commission rule"), str(rule))]
    old_currency = rule.currency if rule else ""
    for name, value in values.items():
        if name == "expected_version":
            continue
        label = _label(name)
        if rule is not None:
            now = list(getattr(rule, name).all()) if name in MANY else getattr(rule, name)
            if now == value:
                continue
            shown.append((label, _shown_value(name, now, old_currency)))
        text = _shown_value(name, value, values.get("currency", old_currency))
        if text:
            shown.append((_("new: %(name)s") % {"name": label}, text))
    return shown


def _shown_rule(*, rule: CommissionRule, **_rest: Any) -> list[tuple[Any, Any]]:
    """Return all that a rule says."""
    fields = [field for field in CommissionRule._meta.concrete_fields if field.editable]
    names = [field.name for field in fields if field.name not in ("id", "position")]
    said = {name: getattr(rule, name) for name in names}
    said |= {name: list(getattr(rule, name).all()) for name in MANY}
    shown = {name: _shown_value(name, value, rule.currency) for name, value in said.items()}
    return [(_label(name), text) for name, text in shown.items() if text]


def _shown_order(*, ids: Sequence[int]) -> list[tuple[Any, Any]]:
    names = dict(CommissionRule.objects.values_list("pk", "name"))
    return [
        (_("order"), " → ".join(str(names.get(pk, pk)) for pk in _order())),
        (_("new: %(name)s") % {"name": _("order")}, " → ".join(names.get(pk, "") for pk in ids)),
    ]


def _new_rule(attempt: Attempt) -> Subject:
    """Name a rule that is not there yet by all that it says."""
    asked = json.dumps(encode_all(attempt.arguments), sort_keys=True)
    digest = hashlib.sha256(asked.encode()).hexdigest()
    return Subject(type="commission_rule", id=digest, name=attempt.result.name)


create_rule = needs_second_person(
    "marketplace.create_commission_rule",
    kind="fees",
    title=_("Add a commission rule for everybody"),
    permission="marketplace.add_commissionrule",
    rule=_RULE,
    needs=_is_made_for_everybody,
    subject=_new_rule,
    shown=_shown,
)

update_rule = needs_second_person(
    "marketplace.update_commission_rule",
    kind="fees",
    title=_("Change a commission rule for everybody"),
    permission="marketplace.change_commissionrule",
    rule=_RULE,
    needs=_changes_for_everybody,
    subject=lambda attempt: attempt.arguments["rule"],
    before=_before,
    shown=_shown,
)

delete_rule = needs_second_person(
    "marketplace.delete_commission_rule",
    kind="fees",
    title=_("Delete a commission rule for everybody"),
    permission="marketplace.delete_commissionrule",
    rule=_RULE,
    needs=lambda attempt: attempt.before[0] and is_charging(),
    subject=lambda attempt: attempt.arguments["rule"],
    before=_before,
    shown=_shown_rule,
)

reorder_rules = needs_second_person(
    "marketplace.reorder_commission_rules",
    kind="fees",
    title=_("Put the commission rules into another order"),
    permission="marketplace.change_commissionrule",
    rule=_("once a fee was charged"),
    needs=lambda attempt: attempt.before != list(attempt.arguments["ids"]) and is_charging(),
    subject=lambda _attempt: Subject(
        type="commission_rules", id="order", name=str(_("Order of the rules"))
    ),
    before=_order,
    state=_order,
    shown=_shown_order,
)
