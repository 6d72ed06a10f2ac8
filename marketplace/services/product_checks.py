"""The automatic checks before the queue: they inform a moderator and never decide by themselves.

Only two settings, both off by default, let a finding (or the absence of any) decide.
"""

from statistics import median_low
from typing import Any

from marketplace import search
from marketplace.models import Product
from marketplace.services import risk
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.search_words import fold

MEDIAN_SAMPLE = 500
MEDIAN_MINIMUM = 5

Finding = dict[str, Any]


def run_checks(product: Product, content: dict[str, Any]) -> list[Finding]:
    """Return what the checks found about a product with the given content."""
    found = [
        _forbidden_words(content),
        _price_outlier(product, content),
        _duplicate(product, content),
        _seller_risk(product),
    ]
    return [finding for finding in found if finding]


def _forbidden_words(content: dict[str, Any]) -> Finding | None:
    banned = {fold(str(word)).strip() for word in setting("marketplace.forbidden_words")}
    banned.discard("")
    if not banned:
        return None
    text = f" {' '.join(search.words(_all_text(content)))} "
    hits = sorted(word for word in banned if f" {' '.join(search.words(word))} " in text)
    folded = fold(_all_text(content))
    hits = sorted({*hits, *(word for word in banned if " " in word and word in folded)})
    if not hits:
        return None
    return {
        "code": "forbidden_words",
        "severity": "high",
        "detail": ", ".join(hits),
        "data": {"words": hits},
    }


def _all_text(content: dict[str, Any]) -> str:
    values = [str(value) for value in content["attributes"].values()]
    return " ".join([content["title"], content["description"], *values])


def _price_outlier(product: Product, content: dict[str, Any]) -> Finding | None:
    prices = list(
        Product.objects.public()
        .filter(category_id=content["category"], currency=content["currency"])
        .exclude(pk=product.pk)
        .order_by("-listed_at", "-id")
        .values_list("price", flat=True)[:MEDIAN_SAMPLE]
    )
    if len(prices) < MEDIAN_MINIMUM:
        return None
    middle, factor = median_low(prices), setting("marketplace.price_outlier_factor")
    if middle <= content["price"] * factor and content["price"] <= middle * factor:
        return None
    return {
        "code": "price_outlier",
        "severity": "medium",
        "detail": f"{content['price']} against a median of {middle}",
        "data": {"price": content["price"], "median": middle, "sample": len(prices)},
    }


def _duplicate(product: Product, content: dict[str, Any]) -> Finding | None:
    title = search.words(content["title"])
    others = (
        Product.objects.filter(seller_id=product.seller_id)
        .exclude(pk=product.pk)
        .exclude(status__in=["removed", "rejected"])
        .matching(content["title"])
        .values_list("pk", "title")[:20]
    )
    same = [pk for pk, other in others if sorted(search.words(other)) == sorted(title)]
    if not same:
        return None
    return {
        "code": "duplicate_listing",
        "severity": "medium",
        "detail": ", ".join(f"#{pk}" for pk in same[:5]),
        "data": {"products": same[:5]},
    }


def _seller_risk(product: Product) -> Finding | None:
    known = risk.seller_risk([product.seller_id]).get(product.seller_id)
    if not known or known["score"] < setting("marketplace.high_risk_score"):
        return None
    return {
        "code": "seller_risk",
        "severity": "high",
        "detail": f"{known['score']} ({known['level']})",
        "data": known,
    }


def automatic_decision(found: list[Finding]) -> str | None:
    """Return "approve" or "reject" where staff configured that checks decide, else None."""
    codes = {finding["code"] for finding in found}
    if "forbidden_words" in codes and setting("marketplace.reject_forbidden_words"):
        return "reject"
    if not codes and setting("marketplace.approve_clean_products"):
        return "approve"
    return None
