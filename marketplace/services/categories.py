"""Writes of the category tree."""

from typing import Any

from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from marketplace.errors import CategoryInUse
from marketplace.models import Category, CommissionRule, Product
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.services.duties import accounts_of, check_no_own_interest

FIELDS = ("name", "slug", "position", "is_active")


@transaction.atomic
def create_category(
    *, actor: Any, name: str, parent: Category | None = None, **fields: Any
) -> Category:
    """Create a category below its parent."""
    slug = fields.pop("slug", "") or free_slug(name)
    category = Category(name=name, parent=parent, slug=slug, **fields)
    _check_depth(parent, 1)
    category.full_clean(exclude=["path"])
    category.save()
    category.path = _path_below(parent, category)
    category.save(update_fields=["path"])
    audit.record(
        "marketplace.category.created", actor=actor, target=category, after=_shown(category)
    )
    return category


@transaction.atomic
def update_category(
    *, actor: Any, category: Category, expected_version: int | None = None, **changes: Any
) -> Category:
    """Change a category; a new parent moves it with everything below."""
    # The whole tree is locked: two moves at once could otherwise make a circle.
    list(Category.objects.select_for_update().values_list("pk", flat=True))
    category = lock_row(Category.objects.all(), pk=category.pk, expected_version=expected_version)
    before = _shown(category)
    moved = "parent" in changes and changes["parent"] != category.parent
    if moved:
        _move(category, changes["parent"])
    for field in FIELDS:
        if field in changes:
            setattr(category, field, changes[field])
    category.bump()
    category.full_clean(exclude=["path"])
    category.save()
    if moved and actor is not None:
        _check_own_products(actor, category)
    audit.record(
        "marketplace.category.updated",
        actor=actor,
        target=category,
        before=before,
        after=_shown(category),
    )
    return category


def _check_own_products(actor: Any, category: Category) -> None:
    """Refuse to move one's own products: commissions of another branch may be lower."""
    own = Product.objects.filter(
        category__path__startswith=category.path, seller__in=accounts_of(actor.pk)
    )
    check_no_own_interest(
        actor=actor,
        concerns=own.order_by().values_list("seller", flat=True).distinct(),
        act="marketplace.move_category",
    )


@transaction.atomic
def delete_category(*, actor: Any, category: Category) -> None:
    """Delete a category that holds nothing."""
    category = lock_row(Category.objects.all(), pk=category.pk)
    in_use = (
        category.children.exists()
        or category.products.exists()
        or CommissionRule.objects.filter(categories=category).exists()
    )
    if in_use:
        raise CategoryInUse
    audit.record(
        "marketplace.category.deleted", actor=actor, target=category, before=_shown(category)
    )
    category.delete()


def free_slug(name: str) -> str:
    """Return a slug of the name that no category has."""
    stem = slugify(name)[:120] or "category"
    slug, number = stem, 2
    while Category.objects.filter(slug=slug).exists():
        slug, number = f"{stem}-{number}", number + 1
    return slug


def _move(category: Category, parent: Category | None) -> None:
    if parent is not None and parent.path.startswith(category.path):
        raise InvalidInput("parent", _("A category cannot be moved below itself."))
    below = list(Category.objects.filter(path__startswith=category.path).exclude(pk=category.pk))
    deepest = max((len(one.path_ids) for one in below), default=len(category.path_ids))
    _check_depth(parent, 1 + deepest - len(category.path_ids))
    old = category.path
    category.parent = parent
    category.path = _path_below(parent, category)
    for one in below:
        one.path = category.path + one.path.removeprefix(old)
    Category.objects.bulk_update(below, ["path"])


def _check_depth(parent: Category | None, levels: int) -> None:
    depth = len(parent.path_ids) if parent else 0
    if depth + levels > Category.MAX_DEPTH:
        raise InvalidInput(
            "parent", _("Categories are at most %(depth)d deep.") % {"depth": Category.MAX_DEPTH}
        )


def _path_below(parent: Category | None, category: Category) -> str:
    return f"{parent.path if parent else '/'}{category.pk}/"


def _shown(category: Category) -> dict[str, Any]:
    return {
        "name": category.name,
        "slug": category.slug,
        "parent": category.parent_id,
        "position": category.position,
        "is_active": category.is_active,
    }
