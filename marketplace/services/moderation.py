"""Decisions of moderators about products and revisions, and the notice to the seller."""

from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from marketplace.models import Product, ProductRevision
from marketplace.services import concerned
from marketplace.services.products import decide
from marketplace.services.revisions import decide_revision
from marketplace.services.undo import UNDO_TIME, notice_key
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User
from systemadmin.services import notify_user
from systemadmin.services.duties import decides


@decides(
    "marketplace.approve_product",
    permission="marketplace.moderate_product",
    concerns=concerned.seller_of_product,
)
@transaction.atomic
def approve_product(
    *, actor: User, product: Product, expected_version: int | None = None, reason: str = ""
) -> Product:
    """Put a product on sale."""
    product = decide(
        actor=actor,
        product=product,
        action="approve",
        reason=reason,
        expected_version=expected_version,
    )
    _tell(product, "approved", reason, product)
    return product


@decides(
    "marketplace.reject_product",
    permission="marketplace.moderate_product",
    concerns=concerned.seller_of_product,
)
@transaction.atomic
def reject_product(
    *, actor: User, product: Product, reason: str, expected_version: int | None = None
) -> Product:
    """Refuse a product, with the reason its seller reads."""
    _need_reason(reason)
    product = decide(
        actor=actor,
        product=product,
        action="reject",
        reason=reason,
        expected_version=expected_version,
    )
    _tell(product, "rejected", reason, product)
    return product


@decides(
    "marketplace.request_product_changes",
    permission="marketplace.moderate_product",
    concerns=concerned.seller_of_product,
)
@transaction.atomic
def request_product_changes(
    *, actor: User, product: Product, reason: str, expected_version: int | None = None
) -> Product:
    """Ask the seller to change something first."""
    _need_reason(reason)
    product = decide(
        actor=actor,
        product=product,
        action="request_changes",
        reason=reason,
        expected_version=expected_version,
    )
    _tell(product, "changes_requested", reason, product)
    return product


@decides(
    "marketplace.approve_revision",
    permission="marketplace.moderate_product",
    concerns=concerned.seller_of_revision,
)
@transaction.atomic
def approve_revision(
    *, actor: User, revision: ProductRevision, expected_version: int | None = None
) -> ProductRevision:
    """Make an edit live, unless the product has moved on in the same fields."""
    return _decide_revision(actor, revision, "approve", "", expected_version)


@decides(
    "marketplace.reject_revision",
    permission="marketplace.moderate_product",
    concerns=concerned.seller_of_revision,
)
@transaction.atomic
def reject_revision(
    *, actor: User, revision: ProductRevision, reason: str, expected_version: int | None = None
) -> ProductRevision:
    """Refuse an edit; the approved version stays live."""
    _need_reason(reason)
    return _decide_revision(actor, revision, "reject", reason, expected_version)


@decides(
    "marketplace.request_revision_changes",
    permission="marketplace.moderate_product",
    concerns=concerned.seller_of_revision,
)
@transaction.atomic
def request_revision_changes(
    *, actor: User, revision: ProductRevision, reason: str, expected_version: int | None = None
) -> ProductRevision:
    """Ask the seller to change the edit; the approved version stays live."""
    _need_reason(reason)
    return _decide_revision(actor, revision, "request_changes", reason, expected_version)


def _decide_revision(
    actor: User, revision: ProductRevision, action: str, reason: str, version: int | None
) -> ProductRevision:
    decided = decide_revision(
        actor=actor, revision=revision, action=action, reason=reason, expected_version=version
    )
    _tell(decided.product, f"revision_{decided.status}", reason, decided)
    return decided


def _need_reason(reason: str) -> None:
    if not is_visible(reason):
        raise InvalidInput("reason", _("Say why: the seller reads it."), code="required")


def _tell(product: Product, what: str, reason: str, thing: Product | ProductRevision) -> None:
    with translation.override(product.seller.language or "en"):
        sentences = {
            "approved": _("Your product “%(title)s” is approved and on sale."),
            "rejected": _("Your product “%(title)s” was not approved."),
            "changes_requested": _("Your product “%(title)s” needs changes first."),
            "revision_approved": _("Your changes to “%(title)s” are live."),
            "revision_rejected": _("Your changes to “%(title)s” were not approved."),
            "revision_changes_requested": _("Your changes to “%(title)s” need another look."),
        }
        subject = sentences[what] % {"title": product.title}
        body = f"{subject}\n\n{reason}" if reason else subject
        notify_user(
            user=product.seller,
            kind=f"marketplace.product_{what}",
            subject=subject,
            body=body,
            key=notice_key(thing, what),
            hold=UNDO_TIME,
        )
