"""Pictures of products: taking an upload, who may see it, and letting go of what nobody shows."""

import secrets
from typing import Any

from django.db import transaction

from marketplace.models import Product, ProductImage
from marketplace.services.products import update_product
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import NotFound
from systemadmin.foundation.files import accept_upload, safe_name
from systemadmin.models import User

IMAGE_TYPES = {"image/png", "image/jpeg", "image/webp"}
IMAGE_BYTES = 5 * 1024 * 1024


@transaction.atomic
def add_image(
    *, actor: User, product: Product, file: Any, expected_version: int | None = None
) -> Product:
    """Add an uploaded picture to a product's images; for a live product it goes to review."""
    file, kind = accept_upload(file, max_bytes=IMAGE_BYTES, allowed=IMAGE_TYPES)
    product = lock_row(Product.objects.all(), pk=product.pk, expected_version=expected_version)
    revision = product.revisions.open().first()
    # A second picture joins the first in the same edit; from the live list it would replace it.
    shown = (revision.patch if revision else {}).get("images", product.images)
    image = ProductImage(
        product=product,
        key=secrets.token_hex(16),
        name=safe_name(file.name or "", content_type=kind),
        content_type=kind,
    )
    image.file.save(image.name, file, save=False)
    stored = str(image.file.name)
    try:
        image.save()
        return update_product(actor=actor, product=product, images=[*shown, image.address])
    except BaseException:
        # The rows roll back by themselves; the file would stay behind for ever.
        image.file.storage.delete(stored)
        raise


def image_for(
    *, user: Any, product_id: str, key: str, is_trusted_staff: bool = False
) -> ProductImage:
    """Return a picture the caller may see: on sale, one's own, or staff's to moderate.

    Trusted staff have shown the second factor, where it is asked for.
    """
    image = ProductImage.objects.select_related("product").filter(product_id=product_id, key=key)
    found = image.first()
    if found is None:
        raise NotFound
    product = found.product
    is_public = product.status == Product.Status.APPROVED and found.address in product.images
    is_own = user.is_authenticated and user.pk == product.seller_id
    if is_public or is_own or (is_trusted_staff and user.has_perm("marketplace.view_product")):
        return found
    raise NotFound
