"""Writes of products by their sellers and by staff: create, edit, submit, pause, remove."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from django.db import transaction

from marketplace.errors import PausedByStaff, SellerNotActive, TransitionNotAllowed
from marketplace.models import Category, Product, ProductReview
from marketplace.services import clock, concerned, product_checks, revisions
from marketplace.services.announcements import announce_product
from marketplace.services.own_rules import check_no_own_rule
from marketplace.services.product_content import assign, content_of, plain, save_checked
from marketplace.services.transitions import move
from marketplace.transitions import PRODUCT
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.models import User
from systemadmin.services.duties import decides

# What commission rules look at of a product.
_RULES_LOOK_AT = ("category_id", "price", "currency", "kind")
LIVE = (Product.Status.APPROVED, Product.Status.PAUSED)


@transaction.atomic
def create_product(*, actor: User, seller: User, **content: Any) -> Product:
    """Create a draft."""
    check_seller(seller)
    product = Product(seller=seller)
    assign(product, content)
    save_checked(product)
    check_no_own_rule(product=product)
    audit.record(
        "marketplace.product.created", actor=actor, target=product, after=content_of(product)
    )
    return product


@decides(
    "marketplace.edit_product",
    permission="marketplace.change_product",
    concerns=concerned.seller_if_moderated,
)
@transaction.atomic
def update_product(
    *,
    actor: User,
    product: Product,
    expected_version: int | None = None,
    by_moderator: bool = False,
    **changes: Any,
) -> Product:
    """Edit a product; material changes of a live one become a revision for review.

    A moderator's own edit needs no second review: it is live and counts as reviewed.
    """
    product = lock_row(Product.objects.all(), pk=product.pk, expected_version=expected_version)
    if product.status == Product.Status.REMOVED:
        raise TransitionNotAllowed
    before = {**content_of(product), "stock": product.stock}
    wanted = plain(changes)
    _check_no_own_rule(product, wanted)
    if product.status in LIVE and not by_moderator:
        wanted = revisions.move_material_changes_to_revision(
            actor=actor, product=product, changes=wanted
        )
    changed = {field: value for field, value in wanted.items() if value != before[field]}
    if not changed:
        return product
    assign(product, changed)
    product.bump()
    if product.status == Product.Status.PENDING:
        # What the moderator was about to judge is not what is there now.
        _enter_queue(product)
    if by_moderator and product.status in LIVE:
        product.reviewed_content = content_of(product)
    save_checked(product)
    audit.record(
        "marketplace.product.updated",
        actor=actor,
        target=product,
        before={field: before[field] for field in changed},
        after=changed,
    )
    return product


def _check_no_own_rule(product: Product, wanted: Mapping[str, Any]) -> None:
    """Refuse what would bring a product under a rule that its seller wrote."""
    trial = copy(product)
    assign(trial, wanted)
    changes = any(getattr(trial, name) != getattr(product, name) for name in _RULES_LOOK_AT)
    # A category that is not there is refused with the rest of the content.
    if changes and Category.objects.filter(pk=trial.category_id).exists():
        check_no_own_rule(product=trial)


@transaction.atomic
def submit_product(
    *, actor: User, product: Product, expected_version: int | None = None
) -> Product:
    """Send a product to the approval queue, after the automatic checks."""
    product = lock_row(Product.objects.all(), pk=product.pk, expected_version=expected_version)
    check_seller(product.seller)
    states = move(product, PRODUCT, "submit")
    _enter_queue(product)
    _save_step(actor, product, "submit", states, "submitted")
    decision = product_checks.automatic_decision(product.checks)
    if decision == "approve":
        return decide(actor=None, product=product, action="approve")
    if decision == "reject":
        words = product.checks[0]["detail"]
        return decide(actor=None, product=product, action="reject", reason=words)
    return product


@transaction.atomic
def withdraw_product(*, actor: User, product: Product) -> Product:
    """Take a product back from the queue."""
    product = lock_row(Product.objects.all(), pk=product.pk)
    states = move(product, PRODUCT, "withdraw")
    return _save_step(actor, product, "withdraw", states)


@decides(
    "marketplace.pause_product",
    permission="marketplace.remove_product",
    concerns=concerned.seller_unless_own,
)
@transaction.atomic
def pause_product(*, actor: User, product: Product, reason: str = "") -> Product:
    """Take a live product off sale for a while."""
    product = lock_row(Product.objects.all(), pk=product.pk)
    states = move(product, PRODUCT, "pause")
    product.is_paused_by_staff = actor.pk != product.seller_id
    product.status_reason = reason
    return _save_step(actor, product, "pause", states, "paused", reason)


@decides(
    "marketplace.resume_product",
    permission="marketplace.remove_product",
    concerns=concerned.seller_unless_own,
)
@transaction.atomic
def resume_product(*, actor: User, product: Product) -> Product:
    """Put a paused product on sale again; a pause by staff is lifted by staff only."""
    product = lock_row(Product.objects.all(), pk=product.pk)
    if product.is_paused_by_staff and actor.pk == product.seller_id:
        raise PausedByStaff
    check_seller(product.seller)
    states = move(product, PRODUCT, "resume")
    product.is_paused_by_staff = False
    product.status_reason = ""
    return _save_step(actor, product, "resume", states, "resumed")


@decides(
    "marketplace.remove_product",
    permission="marketplace.remove_product",
    concerns=concerned.seller_unless_own,
)
@transaction.atomic
def remove_product(
    *, actor: User, product: Product, reason: str = "", expected_version: int | None = None
) -> Product:
    """Remove a product for good; orders keep what they say about it."""
    product = lock_row(Product.objects.all(), pk=product.pk, expected_version=expected_version)
    states = move(product, PRODUCT, "remove")
    product.status_reason = reason
    revisions.withdraw_open(actor=actor, product=product)
    return _save_step(actor, product, "remove", states, "removed", reason)


def decide(
    *,
    actor: User | None,
    product: Product,
    action: str,
    reason: str = "",
    expected_version: int | None = None,
) -> Product:
    """Approve, reject or ask for changes; `actor` is None when the checks decide."""
    product = lock_row(Product.objects.all(), pk=product.pk, expected_version=expected_version)
    states = move(product, PRODUCT, action)
    product.status_reason = reason
    if action == "approve":
        product.listed_at = product.approved_at or clock.now()
        product.approved_at = clock.now()
        product.reviewed_content = content_of(product)
    what = {"approve": "approved", "reject": "rejected"}.get(action, "changes_requested")
    return _save_step(actor, product, action, states, what, reason)


def check_seller(seller: User) -> None:
    """Refuse sellers that are gone or suspended."""
    if not seller.is_active or seller.is_suspended:
        raise SellerNotActive


def _enter_queue(product: Product) -> None:
    product.submitted_at = clock.now()
    product.checks = product_checks.run_checks(product, content_of(product))


def _save_step(
    actor: User | None,
    product: Product,
    action: str,
    states: tuple[str, str],
    what: str = "",
    reason: str = "",
) -> Product:
    product.bump()
    product.full_clean()
    product.save()
    ProductReview.objects.create(
        product=product,
        actor=actor,
        action=action,
        from_status=states[0],
        to_status=states[1],
        reason=reason,
        content=content_of(product),
    )
    audit.record(
        f"marketplace.product.{what or action}",
        actor=actor,
        target=product,
        before={"status": states[0]},
        after={"status": states[1]},
        reason=reason,
    )
    if what:
        announce_product(product, what)
    return product
