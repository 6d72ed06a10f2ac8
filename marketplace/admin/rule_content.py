"""What a rule said at a version, in the words of its form."""

from collections.abc import Mapping
from typing import Any

from django.db.models import BigIntegerField, Field
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from marketplace.admin.columns import named_lines
from marketplace.commission import percent
from marketplace.models import Category, CommissionFee, CommissionRule, Product
from marketplace.services.commission import MANY
from systemadmin.foundation.money import format_money
from systemadmin.models import User

NAMED: dict[str, Any] = {"categories": Category, "sellers": User, "products": Product}


def content_shown(content: Mapping[str, Any]) -> Any:
    """Return what a version says, field by field, without what was left as it is."""
    rows = []
    for name, value in content.items():
        if name == "position" or not _is_said(name, value):
            continue
        label = CommissionRule._meta.get_field(name).verbose_name  # type: ignore[union-attr]
        rows.append((label, _value(name, value, content)))
    return named_lines(rows)


def _is_said(name: str, value: Any) -> bool:
    field: Any = CommissionRule._meta.get_field(name)
    usual = [] if name in MANY or not isinstance(field, Field) else field.get_default()
    return value not in (None, "", []) and value != usual


def _value(name: str, value: Any, content: Mapping[str, Any]) -> Any:
    """Return one value as people read it."""
    field: Any = CommissionRule._meta.get_field(name)
    if name == "fee" or name in NAMED:
        return _names(name, value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if name.endswith("ppm"):
        return percent(value)
    if name == "tiers":
        return _tiers(value, content)
    if isinstance(field, BigIntegerField):
        return _amount(value, content, name)
    if name.startswith("valid_"):
        return _moment(value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return dict(field.flatchoices).get(value, value)


def _names(name: str, value: Any) -> Any:
    """Return what the keys of a rule's content stand for."""
    if name == "fee":
        return CommissionFee.objects.filter(pk=value).first() or value
    return ", ".join(map(str, NAMED[name].objects.filter(pk__in=value)))


def _tiers(tiers: list[list[int]], content: Mapping[str, Any]) -> str:
    return ", ".join(f"{_amount(lower, content, 'tiers')}: {percent(ppm)}" for lower, ppm in tiers)


def _moment(value: str) -> str:
    moment = parse_datetime(value)
    return date_format(moment, "DATETIME_FORMAT") if moment else value


def _amount(value: int, content: Mapping[str, Any], name: str) -> str:
    """Return an amount in the rule's currency; a number of orders as it is."""
    of_volume = name.startswith("volume_") or (
        name == "tiers" and content.get("tiers_by") == CommissionRule.TiersBy.VOLUME
    )
    counts_orders = content.get("volume_measure") == CommissionRule.VolumeMeasure.ORDERS
    if not content.get("currency") or (of_volume and counts_orders):
        return str(value)
    return format_money(value, content["currency"])
