"""Which edits of an approved product need a moderator's eyes again.

A price may move a little and a typo may be mended without review; anything that changes what the
buyer gets may not. Everything is measured against what was last reviewed, never against the last
edit, so many small steps cannot add up to a large one unseen.
"""

import re
from collections import Counter
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

# What a moderator approves. Stock is the seller's own business.
CONTENT_FIELDS = (
    "category",
    "kind",
    "title",
    "description",
    "price",
    "currency",
    "tax_ppm",
    "shipping_amount",
    "images",
    "attributes",
)
_ALWAYS = {"category", "kind", "currency", "tax_ppm", "images", "attributes"}
# What a product reviewed before these fields existed had in them.
_ABSENT = {"tax_ppm": 0}
_DIGITS = re.compile(r"\d+")
_LINKS = re.compile(r"https?://|www\.", re.IGNORECASE)


def material_fields(
    reviewed: Mapping[str, Any],
    proposed: Mapping[str, Any],
    *,
    price_percent: int,
    text_percent: int,
) -> list[str]:
    """Return the fields whose change from the reviewed content needs a review."""
    return [
        field
        for field in CONTENT_FIELDS
        if field in proposed
        and proposed[field] != (old := reviewed.get(field, _ABSENT.get(field)))
        and _is_material(field, old, proposed[field], price_percent, text_percent)
    ]


def _is_material(field: str, old: Any, new: Any, price_percent: int, text_percent: int) -> bool:
    if field in _ALWAYS or old is None:
        return True
    if field in ("price", "shipping_amount"):
        return abs(new - old) * 100 > max(old, 1) * price_percent
    return text_is_material(old, new, text_percent)


def text_is_material(old: str, new: str, percent: int) -> bool:
    """Return whether a text changed by more than a typo: numbers and new links always count."""
    if Counter(_DIGITS.findall(old)) != Counter(_DIGITS.findall(new)):
        return True
    if len(_LINKS.findall(new)) > len(_LINKS.findall(old)):
        return True
    return text_change(old, new) * 100 > percent


def text_change(old: str, new: str) -> float:
    """Return how much of a text changed, 0 to 1: by character when short, else by word."""
    if max(len(old), len(new)) <= 300:
        return 1 - SequenceMatcher(None, old, new, autojunk=False).ratio()
    before, after = Counter(old.split()), Counter(new.split())
    moved = (before - after).total() + (after - before).total()
    return moved / max(1, before.total() + after.total())
