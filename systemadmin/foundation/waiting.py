"""What waits for people: the rows of a queue, counted no further than anybody reads."""

from typing import Any

from django.db.models import Model, QuerySet
from django.urls import reverse

# Of more than this a page says "999+"; the database stops counting there.
LIMIT = 1000


def count_up_to(rows: QuerySet, limit: int = LIMIT) -> int:
    """Return how many rows there are, `limit` at most."""
    return rows.order_by().values("pk")[:limit].count()


def shown_count(count: int) -> str:
    """Return a count as a badge says it."""
    return "999+" if count >= LIMIT else str(count)


def change_page(row: Model, model: str = "") -> str:
    """Return the address of a row's page in the admin; `model` names another table's page."""
    meta: Any = row._meta
    label = model or f"{meta.app_label}_{meta.model_name}"
    return reverse(f"admin:{label}_change", args=[row.pk])
