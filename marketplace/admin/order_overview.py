"""The head of an order's page: who sold to whom, what happened, and where the money is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from marketplace.models import Dispute, Order
from riskops.models import RiskScore
from riskops.models.scores import Level
from riskops.querysets import shown_scores
from systemadmin.foundation import plugins
from systemadmin.foundation.display import display_name
from systemadmin.foundation.money import format_money

AMOUNTS = tuple(
    field.name
    for field in Order._meta.concrete_fields
    if isinstance(field, BigIntegerField) and field.name != "id"
)
# Shown at nought too: what one asks first.
ALWAYS = {"total", "refunded"}
SEE_DISPUTES = "marketplace.view_dispute"
ENDED = (Order.Status.CANCELLED, Order.Status.EXPIRED)


def order_overview(order: Order, user: Any) -> dict[str, Any]:
    """Return what the head shows; of the amounts those that are not nought."""
    disputes = list(order.disputes.order_by("id")) if user.has_perm(SEE_DISPUTES) else []
    scores = _scores(order, user)
    return {
        "people": [
            _person(order.buyer, _("Buyer"), order, user, scores),
            _person(order.seller, _("Seller"), order, user, scores),
        ],
        "status": order.get_status_display(),
        "reason": order.cancel_reason,
        "disputes": [
            {
                "title": _("Dispute %(number)s") % {"number": one},
                "url": _page(one),
                "status": one.get_status_display(),
                "is_open": one.status == Dispute.Status.OPEN,
            }
            for one in disputes
        ],
        "amounts": [
            (_title(name), format_money(getattr(order, name), order.currency))
            for name in AMOUNTS
            if getattr(order, name) or name in ALWAYS
        ],
        "steps": _steps(order, disputes),
    }


def _title(name: str) -> str:
    field: Any = Order._meta.get_field(name)
    return str(capfirst(field.verbose_name))


def _page(dispute: Any) -> str:
    return reverse("admin:marketplace_dispute_change", args=[dispute.pk])


def _steps(order: Order, disputes: list[Any]) -> list[dict[str, Any]]:
    """Return what happened in order of time, and the step that comes next."""
    done: list[tuple[datetime | None, Any]] = [
        (order.created_at, _("Imported") if order.imported else _("Ordered")),
        (order.paid_at, Order.Status.PAID.label),
        (order.completed_at, Order.Status.COMPLETED.label),
    ]
    if order.status in ENDED:
        done.append((order.closed_at, order.get_status_display()))
    for one in disputes:
        done.append((one.created_at, _("Dispute opened")))
        done.append((one.resolved_at, one.get_status_display()))
    for refund in order.refunds.all():
        amount = format_money(refund.amount, order.currency)
        done.append((refund.created_at, _("Refunded: %(amount)s") % {"amount": amount}))
    happened = sorted((step for step in done if step[0]), key=lambda step: step[0] or 0)
    steps: list[dict[str, Any]] = [{"at": at, "title": title} for at, title in happened]
    coming = {
        Order.Status.RESERVED: Order.Status.PAID.label,
        Order.Status.PAID: Order.Status.COMPLETED.label,
        Order.Status.DISPUTED: _("Dispute decided"),
    }.get(Order.Status(order.status))
    return steps + ([{"at": None, "title": coming}] if coming else [])


def _scores(order: Order, user: Any) -> dict[int, RiskScore]:
    if not user.has_perm("riskops.view_riskscore"):
        return {}
    return shown_scores(user).in_bulk([order.buyer_id, order.seller_id])


def _person(
    account: Any, role: Any, order: Order, user: Any, scores: dict[int, RiskScore]
) -> dict[str, Any]:
    score = scores.get(account.pk)
    level = Level(score.level) if score else None
    return {
        "account": account,
        "name": display_name(account),
        "username": account.get_username(),
        "role": role,
        "url": plugins.person_page(user, account.pk),
        "level": level.sign if level is not None else "",
        "level_title": f"{level.label} {score.score}" if level is not None and score else "",
        "acts": plugins.account_acts(user, account, f"{_title_of_order()} {order}"),
    }


def _title_of_order() -> str:
    return str(capfirst(Order._meta.verbose_name))
