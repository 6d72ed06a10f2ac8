"""Whose risk staff may see: everybody's but that of their own accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import BooleanField, Case, OuterRef, Prefetch, QuerySet, Subquery, Value, When

from riskops.models import RiskScore
from systemadmin.services.duties import accounts_of

if TYPE_CHECKING:
    from riskops.scores.querysets import RiskScoreQuerySet


Rows = TypeVar("Rows", bound=QuerySet)


def not_own(rows: Rows, user: Any, account: str = "account") -> Rows:
    """Leave out rows about the user's own accounts; `account` names the field."""
    return rows.exclude(**{f"{account}__in": accounts_of(user.pk)})


def shown_scores(user: Any) -> RiskScoreQuerySet:
    """Return the scores that this user may see."""
    return not_own(RiskScore.objects.all(), user)


def shown_score(user: Any, *, of: str = "") -> Prefetch:
    """Return what fetches `risk_score` of accounts, as if the user's own were not scored.

    `of` names the field that leads to the account.
    """
    path = f"{of}__risk_score" if of else "risk_score"
    return Prefetch(path, queryset=shown_scores(user))


def is_own(user: Any, account: str) -> Case:
    """Return an expression: whether the account that a column names is the user's own."""
    own = When(**{f"{account}__in": accounts_of(user.pk)}, then=Value(True))
    return Case(own, default=Value(False), output_field=BooleanField())


def with_shown_risk(rows: QuerySet, user: Any, account: str) -> QuerySet:
    """Annotate `risk_score`, `risk_level` and `is_own` of the account that a column names."""
    risk = shown_scores(user).filter(account_id=OuterRef(account))
    return rows.annotate(
        risk_score=Subquery(risk.values("score")[:1]),
        risk_level=Subquery(risk.values("level")[:1]),
        is_own=is_own(user, account),
    )


def own_accounts(context: Mapping[str, Any]) -> set[int]:
    """Return the accounts of whom a serializer answers; they are read once per answer."""
    if "own_accounts" in context:
        return set(context["own_accounts"])
    request = context.get("request")
    own = accounts_of(request.user.pk) if request is not None else set[int]()
    if isinstance(context, dict):
        context["own_accounts"] = own
    return own
