"""Material edits of live products: kept apart until a moderator has seen them."""

from typing import Any

from django.db import transaction

from marketplace.errors import RevisionStale
from marketplace.materiality import material_fields
from marketplace.models import Product, ProductReview, ProductRevision
from marketplace.services import clock, product_checks
from marketplace.services.announcements import announce_revision
from marketplace.services.product_content import (
    assign,
    check,
    content_of,
    drop_unused_images,
    save_checked,
)
from marketplace.services.transitions import move
from marketplace.transitions import REVISION
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.models import User


def move_material_changes_to_revision(
    *, actor: User, product: Product, changes: dict[str, Any]
) -> dict[str, Any]:
    """Put the material changes into the product's open revision and return the others."""
    live = content_of(product)
    proposed = {field: value for field, value in changes.items() if field in live}
    revision = lock_open(product)
    pending = dict(revision.patch) if revision else {}
    held = _held(product, live, proposed, pending)
    if held:
        patch = {**pending, **{field: proposed[field] for field in held}}
        patch = {field: value for field, value in patch.items() if value != live[field]}
        _store(actor, product, revision, patch, live)
    return {field: value for field, value in changes.items() if field not in held}


def _held(
    product: Product, live: dict[str, Any], proposed: dict[str, Any], pending: dict[str, Any]
) -> set[str]:
    """Return the fields of an edit that wait for a moderator."""
    material = material_fields(
        product.reviewed_content or live,
        proposed,
        price_percent=setting("marketplace.material_price_percent"),
        text_percent=setting("marketplace.material_text_percent"),
    )
    changed = {field for field in material if proposed[field] != live[field]}
    # A field under review stays under review until its moderator has decided.
    return {field for field in proposed if field in pending or field in changed}


def lock_open(product: Product) -> ProductRevision | None:
    """Return the product's open revision; the product's row lock protects it."""
    return ProductRevision.objects.filter(product=product).open().first()


def _store(
    actor: User,
    product: Product,
    revision: ProductRevision | None,
    patch: dict[str, Any],
    live: dict[str, Any],
) -> None:
    if not patch:
        if revision:
            _finish(actor, revision, "withdraw", "")
        return
    if revision is None:
        revision = ProductRevision(product=product, created_by=actor, status="draft")
    elif revision.status != ProductRevision.Status.DRAFT:
        revision.status = ProductRevision.Status.DRAFT
        revision.bump()
    # Fields that this edit leaves as they were keep their old base: a second edit must not hide
    # that the live product changed under the first.
    kept = {field for field in patch if revision.patch.get(field, patch) == patch[field]}
    revision.base = {
        field: revision.base[field] if field in kept else live[field] for field in patch
    }
    revision.base_version = min(revision.base_version or product.version, product.version)
    revision.patch = patch
    _check_patch(product, patch)
    _submit(actor, revision)
    # This edit may have let go of a picture that the one before it brought.
    drop_unused_images(product)


def _check_patch(product: Product, patch: dict[str, Any]) -> None:
    """Validate the product as it would be, without changing it."""
    trial = Product.objects.get(pk=product.pk)
    assign(trial, patch)
    check(trial)


def _submit(actor: User, revision: ProductRevision) -> None:
    before, after = move(revision, REVISION, "submit")
    revision.submitted_at = clock.now()
    revision.status_reason = ""
    content = {**content_of(revision.product), **revision.patch}
    revision.checks = product_checks.run_checks(revision.product, content)
    revision.full_clean()
    revision.save()
    _note(actor, revision, "submit", before, after, "")
    audit.record(
        "marketplace.revision.submitted",
        actor=actor,
        target=revision.product,
        before=revision.base,
        after=revision.patch,
        metadata={"revision": revision.pk},
    )
    announce_revision(revision, "submitted")


@transaction.atomic
def submit_revision(*, actor: User, revision: ProductRevision) -> ProductRevision:
    """Send a revision to the queue again."""
    product = lock_row(Product.objects.all(), pk=revision.product_id)
    revision = lock_row(ProductRevision.objects.all(), pk=revision.pk)
    revision.product = product
    revision.bump()
    _submit(actor, revision)
    return revision


@transaction.atomic
def withdraw_revision(*, actor: User, revision: ProductRevision) -> ProductRevision:
    """Give up an edit."""
    lock_row(Product.objects.all(), pk=revision.product_id)
    revision = lock_row(ProductRevision.objects.all(), pk=revision.pk)
    return _finish(actor, revision, "withdraw", "")


def withdraw_open(*, actor: User, product: Product) -> None:
    """Withdraw the open revision of a product that goes away; the product is locked."""
    revision = lock_open(product)
    if revision:
        _finish(actor, revision, "withdraw", "")


@transaction.atomic
def decide_revision(
    *,
    actor: User,
    revision: ProductRevision,
    action: str,
    reason: str = "",
    expected_version: int | None = None,
) -> ProductRevision:
    """Approve, reject or ask for changes; only approval touches the live product."""
    product = lock_row(Product.objects.select_related("category"), pk=revision.product_id)
    revision = lock_row(
        ProductRevision.objects.all(), pk=revision.pk, expected_version=expected_version
    )
    if action == "approve":
        _finish(actor, revision, action, reason)
        _apply(actor, product, revision)
        return revision
    return _finish(actor, revision, action, reason)


def stale_fields(product: Product, revision: ProductRevision) -> list[str]:
    """Return the fields that changed on the live product since the edit was made."""
    if product.version == revision.base_version:
        return []
    live = content_of(product)
    return sorted(field for field, value in revision.base.items() if live[field] != value)


def _apply(actor: User, product: Product, revision: ProductRevision) -> None:
    stale = stale_fields(product, revision)
    if stale:
        raise RevisionStale(extra={"fields": stale})
    before = {field: content_of(product)[field] for field in revision.patch}
    assign(product, revision.patch)
    product.reviewed_content = content_of(product)
    product.bump()
    save_checked(product)
    audit.record(
        "marketplace.product.revised",
        actor=actor,
        target=product,
        before=before,
        after=revision.patch,
        metadata={"revision": revision.pk},
    )


def _finish(actor: User, revision: ProductRevision, action: str, reason: str) -> ProductRevision:
    before, after = move(revision, REVISION, action)
    revision.status_reason = reason
    revision.decided_at = clock.now()
    revision.decided_by = actor if action != "withdraw" else None
    revision.bump()
    revision.full_clean()
    revision.save()
    if action != "approve":
        # An approved edit's pictures are taken into the product next, which cleans up by itself.
        drop_unused_images(Product.objects.get(pk=revision.product_id))
    _note(actor, revision, action, before, after, reason)
    audit.record(
        f"marketplace.revision.{after}",
        actor=actor,
        target=revision.product,
        before={"status": before},
        after={"status": after},
        reason=reason,
        metadata={"revision": revision.pk},
    )
    announce_revision(revision, "decided")
    return revision


def _note(
    actor: User, revision: ProductRevision, action: str, before: str, after: str, reason: str
) -> None:
    ProductReview.objects.create(
        product_id=revision.product_id,
        revision=revision,
        actor=actor,
        action=action,
        from_status=before,
        to_status=after,
        reason=reason,
        content=revision.patch,
    )
