"""The content of a product: reading it as values, checking it, writing it with its words."""

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace import search
from marketplace.materiality import CONTENT_FIELDS
from marketplace.models import Category, Product, ProductImage, ProductWord
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible

MAX_IMAGES, MAX_ATTRIBUTES = 12, 50


def content_of(product: Product) -> dict[str, Any]:
    """Return the reviewable content as plain values (the category by its id)."""
    return {
        field: product.category_id if field == "category" else getattr(product, field)
        for field in CONTENT_FIELDS
    }


def plain(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return changes with the category as its id."""
    return {
        field: value.pk if isinstance(value, Category) else value
        for field, value in changes.items()
    }


def assign(product: Product, values: Mapping[str, Any]) -> None:
    """Set values on the instance; the caller saves."""
    for field, value in values.items():
        if field == "category":
            product.category_id = value.pk if isinstance(value, Category) else value
        else:
            setattr(product, field, value)


def save_checked(product: Product) -> None:
    """Validate and save a product and renew the words it is found by."""
    check(product)
    product.save()
    drop_unused_images(product)
    wanted = set(search.product_words(product.title, product.attributes))
    present = set(product.words.values_list("word", flat=True))
    if present - wanted:
        product.words.filter(word__in=present - wanted).delete()
    ProductWord.objects.bulk_create(
        [ProductWord(product=product, word=word) for word in sorted(wanted - present)]
    )


def check(product: Product) -> None:
    """Refuse content that may not be stored, as it is now or as an edit would make it."""
    _check_images(product, product.images)
    _check_attributes(product.attributes)
    if product.title and not is_visible(product.title):
        raise InvalidInput("title", _("Write something that can be seen."), code="blank")
    product.full_clean()


def drop_unused_images(product: Product) -> None:
    """Forget uploads that neither the product nor its open edit shows; files go after commit."""
    if not product.pk:
        return
    shown = set(product.images)
    for patch in product.revisions.open().values_list("patch", flat=True):
        shown.update(patch.get("images", ()))
    for image in ProductImage.objects.filter(product=product):
        if image.address not in shown:
            # Before the commit a rollback would bring the row back without its file.
            transaction.on_commit(partial(image.file.storage.delete, str(image.file.name)))
            image.delete()


def _check_images(product: Product, images: Any) -> None:
    if not isinstance(images, list) or len(images) > MAX_IMAGES:
        raise InvalidInput("images", _("At most %(max)d images.") % {"max": MAX_IMAGES})
    uploads = ProductImage.objects.filter(product_id=product.pk) if product.pk and images else ()
    own = {image.address for image in uploads}
    for address in images:
        if address not in own and not _is_https(address):
            raise InvalidInput(
                "images", _("Images are https addresses or uploads of this product.")
            )


def _is_https(address: Any) -> bool:
    if not isinstance(address, str) or len(address) > 500:
        return False
    parts = urlsplit(address)
    return parts.scheme == "https" and bool(parts.hostname)


def _check_attributes(attributes: Any) -> None:
    if not isinstance(attributes, dict) or len(attributes) > MAX_ATTRIBUTES:
        raise InvalidInput("attributes", _("At most %(max)d attributes.") % {"max": MAX_ATTRIBUTES})
    for name, value in attributes.items():
        fits = isinstance(value, bool | int) or (isinstance(value, str) and len(value) <= 500)
        if not name or len(name) > 60 or not fits:
            raise InvalidInput(
                "attributes", _("Attributes are short names with a text, number or yes/no.")
            )
