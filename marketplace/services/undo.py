"""Taking a moderator's decision back within a moment of it, before the seller was notified."""

from datetime import timedelta

from django.db import transaction

from marketplace.errors import UndoTooLate
from marketplace.models import OrderLine, Product, ProductReview, ProductRevision
from marketplace.services import clock, concerned
from marketplace.services.announcements import announce_product
from marketplace.services.product_content import assign, content_of, save_checked
from marketplace.services.transitions import move
from marketplace.transitions import PRODUCT, REVISION
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.models import User
from systemadmin.services.duties import decides
from systemadmin.services.notifications import withdraw_notices

# The notice to the seller is held as long, so that nobody reads of what was taken back.
UNDO_TIME = timedelta(seconds=60)
DECIDED = ("approve", "reject", "request_changes")


def notice_key(thing: Product | ProductRevision, what: str) -> str:
    """Return the key of the notice about a decision: one for each version and decision."""
    kind = "revision" if isinstance(thing, ProductRevision) else "product"
    return f"marketplace:{kind}-{thing.pk}-v{thing.version}:{what}"


@decides(
    "marketplace.undo_product_decision",
    permission="marketplace.moderate_product",
    concerns=concerned.seller_of_product,
)
@transaction.atomic
def undo_product_decision(*, actor: User, product: Product) -> Product:
    """Put a product that the actor decided a moment ago back into its place in the queue.

    Raises `UndoTooLate` where the time is over, somebody else acted, or it was bought.
    """
    product = lock_row(Product.objects.all(), pk=product.pk)
    last = ProductReview.objects.filter(product=product).first()
    _check_recent(actor, last, None, product.status)
    if OrderLine.objects.filter(product=product).exists():
        raise UndoTooLate
    withdraw_notices(key=notice_key(product, product.status))
    before, after = move(product, PRODUCT, "undo")
    product.status_reason = ""
    product.bump()
    product.full_clean()
    product.save()
    _record(actor, product, None, before, after)
    announce_product(product, "submitted")
    return product


@decides(
    "marketplace.undo_revision_decision",
    permission="marketplace.moderate_product",
    concerns=concerned.seller_of_revision,
)
@transaction.atomic
def undo_revision_decision(*, actor: User, revision: ProductRevision) -> ProductRevision:
    """Put an edit that the actor decided a moment ago back into the queue.

    An approved one is taken off the live product first. Raises `UndoTooLate` also where pictures
    went with the decision: their files are gone.
    """
    product = lock_row(Product.objects.all(), pk=revision.product_id)
    revision = lock_row(ProductRevision.objects.all(), pk=revision.pk)
    last = ProductReview.objects.filter(product=product).first()
    _check_recent(actor, last, revision.pk, revision.status)
    if not has_same_pictures(revision) or product.revisions.open().exclude(pk=revision.pk).exists():
        raise UndoTooLate
    if revision.status == ProductRevision.Status.APPROVED:
        _take_off(actor, product, revision)
    withdraw_notices(key=notice_key(revision, f"revision_{revision.status}"))
    before, after = move(revision, REVISION, "undo")
    revision.status_reason, revision.decided_at, revision.decided_by = "", None, None
    revision.bump()
    revision.full_clean()
    revision.save()
    _record(actor, product, revision, before, after)
    return revision


def has_same_pictures(revision: ProductRevision) -> bool:
    """Return whether deciding a revision deletes no picture, neither of the product nor its own."""
    if "images" not in revision.patch or revision.status == "changes_requested":
        return True
    return set(revision.patch["images"]) == set(revision.base.get("images") or [])


def _take_off(actor: User, product: Product, revision: ProductRevision) -> None:
    live = content_of(product)
    if any(live[field] != value for field, value in revision.patch.items()):
        raise UndoTooLate
    assign(product, revision.base)
    product.reviewed_content = content_of(product)
    product.bump()
    save_checked(product)
    audit.record(
        "marketplace.product.revised",
        actor=actor,
        target=product,
        before=revision.patch,
        after=revision.base,
        metadata={"revision": revision.pk, "undo": True},
    )


def _check_recent(
    actor: User, last: ProductReview | None, revision_id: int | None, status: str
) -> None:
    if (
        last is None
        or last.revision_id != revision_id
        or last.action not in DECIDED
        or last.actor_id != actor.pk
        or last.to_status != status
        or last.created_at < clock.now() - UNDO_TIME
    ):
        raise UndoTooLate


def _record(
    actor: User, product: Product, revision: ProductRevision | None, before: str, after: str
) -> None:
    ProductReview.objects.create(
        product=product,
        revision=revision,
        actor=actor,
        action="undo",
        from_status=before,
        to_status=after,
        content=content_of(product) if revision is None else revision.patch,
    )
    audit.record(
        f"marketplace.{'product' if revision is None else 'revision'}.undone",
        actor=actor,
        target=product,
        before={"status": before},
        after={"status": after},
        metadata={} if revision is None else {"revision": revision.pk},
    )
