"""What a seller's edit changes, as a moderator reads it: words, money and pictures."""

from typing import Any

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from marketplace.models import Category, Product, ProductRevision
from marketplace.services.product_content import content_of
from marketplace.text_diff import diff_html
from systemadmin.foundation.money import format_money

CHECK_NAMES = {
    "forbidden_words": _("forbidden words"),
    "price_outlier": _("unusual price"),
    "duplicate_listing": _("duplicate"),
    "seller_risk": _("seller at high risk"),
}
MONEY = ("price", "shipping_amount")


def thumbnails(images: list[str]) -> Any:
    """Show uploads as small pictures and foreign addresses as links: pages load nothing foreign."""
    if not images:
        return "-"
    rows = []
    for address in images:
        shown: Any = address
        if address.startswith("/"):
            shown = format_html('<img class="mp-thumbnail" src="{}" alt="">', address)
        rows.append((address, shown))
    return format_html_join(" ", '<a href="{}" rel="noreferrer">{}</a>', rows)


def field_name(name: str) -> str:
    """Return a field as staff call it."""
    return str(Product._meta.get_field(name).verbose_name).partition(" (")[0]  # type: ignore[union-attr]


def changes_of(revision: ProductRevision) -> list[dict[str, Any]]:
    """Return each changed field with its diff, as a reader wants it."""
    return [
        {
            "name": field_name(name),
            "diff": _diff(revision, name, revision.base.get(name), value),
        }
        for name, value in sorted(revision.patch.items())
    ]


def unchanged_of(revision: ProductRevision) -> list[tuple[str, Any]]:
    """Return the short fields that the edit leaves as they are."""
    live = content_of(revision.product)
    return [
        (field_name(name), _shown(revision, name, live[name]))
        for name in ("title", "price", "shipping_amount")
        if name not in revision.patch
    ]


def _diff(revision: ProductRevision, name: str, before: Any, after: Any) -> Any:
    if name == "images":
        return _images_diff(before or [], after)
    if name in MONEY and isinstance(before, int) and isinstance(after, int):
        return _money_diff(revision, before, after)
    return diff_html(_shown(revision, name, before), _shown(revision, name, after))


def _images_diff(before: list[str], after: list[str]) -> SafeString:
    """Return the pictures that stay, go and come: a moderator judges them, not their addresses."""
    gone = thumbnails([one for one in before if one not in after])
    kept = thumbnails([one for one in after if one in before])
    new = thumbnails([one for one in after if one not in before])
    return format_html("{} <del>{}</del> <ins>{}</ins>", kept, gone, new)


def _money_diff(revision: ProductRevision, before: int, after: int) -> SafeString:
    """Both amounts, the difference and, where there is a first one, its share of it."""
    old = revision.base.get("currency", revision.product.currency)
    new = revision.patch.get("currency", revision.product.currency)
    whole = format_html(
        "<del>{}</del> <ins>{}</ins>", format_money(before, old), format_money(after, new)
    )
    if old != new:
        return whole
    sign = "+" if after > before else "−"
    step = f"{sign}{format_money(abs(after - before), new)}"
    if before:
        share = number_format(abs(after - before) * 100 / before, decimal_pos=1)
        step = f"{step}, {sign}{share} %"
    return format_html('{} <span class="at-qq">{}</span>', whole, step)


def _shown(revision: ProductRevision, name: str, value: Any) -> Any:
    if name == "category":
        return str(Category.objects.filter(pk=value).first() or value)
    if name in MONEY and isinstance(value, int):
        return format_money(value, revision.patch.get("currency", revision.product.currency))
    return value
