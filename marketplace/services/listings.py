"""Listings of the platform: sent to review by its own ids, and kept like what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from marketplace.errors import ListedByAnother
from marketplace.models import Product
from marketplace.services.products import create_product, submit_product, update_product
from systemadmin.foundation.errors import DomainError, InvalidInput
from systemadmin.models import User

# A pushed edit of one of these goes to the queue again.
RESUBMITTED = (
    Product.Status.DRAFT,
    Product.Status.REJECTED,
    Product.Status.CHANGES_REQUESTED,
)


@dataclass(slots=True)
class Pushed:
    """What became of one row: `created`, `updated`, `unchanged`, or `refused` with the reason."""

    external_id: str
    status: str
    product: Product | None = None
    refusal: DomainError | None = None


def push_products(*, actor: User, rows: Sequence[Mapping[str, Any]]) -> list[Pushed]:
    """Create or change listings and send them to review; the result of each row, in order.

    A row that is refused holds up no other.
    """
    return [_push_safely(actor, dict(row)) for row in rows]


def _push_safely(actor: User, row: dict[str, Any]) -> Pushed:
    refusal: DomainError
    try:
        try:
            return _push(actor, **row)
        except IntegrityError:
            # Another call created it meanwhile.
            return _push(actor, **row)
    except DomainError as error:
        refusal = error
    except ValidationError as error:
        refusal = InvalidInput(error.message_dict)
    return Pushed(row["external_id"], "refused", refusal=refusal)


@transaction.atomic
def _push(actor: User, *, external_id: str, seller: User, **content: Any) -> Pushed:
    product = Product.objects.filter(external_id=external_id).select_related("seller").first()
    if product is None:
        product = create_product(actor=actor, seller=seller, external_id=external_id, **content)
        product = submit_product(actor=actor, product=product)
        return Pushed(external_id, "created", product)
    if product.seller_id != seller.pk:
        raise ListedByAnother(product=product.pk)
    before = product.version
    revisions = product.revisions.count()
    product = update_product(actor=actor, product=product, **content)
    is_changed = product.version != before or product.revisions.count() != revisions
    if is_changed and product.status in RESUBMITTED:
        product = submit_product(actor=actor, product=product)
    return Pushed(external_id, "updated" if is_changed else "unchanged", product)
