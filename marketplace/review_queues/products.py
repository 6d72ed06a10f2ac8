"""Products and their edits at the review desk."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketplace import services
from marketplace.models import (
    Product,
    ProductRevision,
    ReasonTemplate,
)
from marketplace.revision_changes import CHECK_NAMES, changes_of, field_name, unchanged_of
from marketplace.services.revisions import stale_fields
from marketplace.services.risk import shown_checks
from marketplace.services.undo import has_same_pictures
from riskops.models.scores import Level
from riskops.querysets import with_shown_risk
from systemadmin.foundation.display import display_name
from systemadmin.foundation.money import format_money
from systemadmin.foundation.review_queues import Card, Decision, Panel, Queue, Reason

MARK_OF = {"high": "bad", "error": "bad", "warning": "warn", "medium": "warn"}


def reasons() -> Sequence[Reason]:
    """Return the ready-made reasons that staff keep, or a few of ours where they keep none."""
    kept = ReasonTemplate.objects.filter(
        is_active=True, action__in=("reject", "request_changes")
    ).order_by("action", "title")[:9]
    return [Reason(title=one.title, body=one.body) for one in kept] or [
        Reason(
            title=_("Contact details in the text"),
            body=_("Take the contact details out of the text: sales are closed in the market."),
        ),
        Reason(title=_("Price unclear"), body=_("Say what the price is for.")),
        Reason(
            title=_("Photos do not show the item"),
            body=_("Add photos that show the item as it is."),
        ),
        Reason(title=_("Wrong category"), body=_("Choose the category that fits.")),
        Reason(title=_("Forbidden item"), body=_("This may not be sold here.")),
    ]


def _marks(thing: Any, kind: str) -> list[tuple[str, Any]]:
    marks: list[tuple[str, Any]] = [("info" if kind == "edit" else "", _KINDS[kind])]
    found = shown_checks(thing.checks, is_own=thing.is_own)
    if found:
        tone = "bad" if any(MARK_OF.get(one["severity"]) == "bad" for one in found) else ""
        marks.append((tone or "warn", gettext("Findings: %(count)d") % {"count": len(found)}))
    else:
        marks.append(("good", _("Clean")))
    if thing.risk_level is not None and thing.risk_level >= Level.HIGH:
        marks.append(("bad", f"{Level(thing.risk_level).label} {thing.risk_score}"))
    return marks


_KINDS = {"new": _("New"), "edit": _("Edit")}


def _checks(thing: Any) -> Panel:
    rows = [
        (MARK_OF.get(one["severity"], "warn"), CHECK_NAMES.get(one["code"], one["code"]),
         one["detail"])
        for one in shown_checks(thing.checks, is_own=thing.is_own)
    ]  # fmt: skip
    return Panel(
        title=_("Automatic checks"),
        template="admin/review/checks.html",
        context={"checks": rows},
        is_aside=True,
        tone="warn" if rows else "good",
        mark=len(rows) if rows else _("Nothing found"),
    )


def _picture(images: Sequence[str]) -> str:
    return next((one for one in images if one.startswith("/")), "")


def _photos(images: Sequence[str], title: str) -> list[Panel]:
    if not images:
        return []
    own = [one for one in images if one.startswith("/")]
    context = {"own": own, "foreign": [one for one in images if one not in own], "of": title}
    return [Panel(title="", template="admin/review/photos.html", context=context)]


# -- products ------------------------------------------------------------------------


def _product_card(product: Any) -> Card:
    price = format_money(product.price, product.currency)
    return Card(
        title=product.title,
        line=f"{display_name(product.seller)} · {price}",
        marks=_marks(product, "new"),
        since=product.submitted_at,
        picture=_picture(product.images),
    )


def _product_panels(_request: Any, product: Any) -> list[Panel]:
    stock = gettext("unlimited") if product.stock is None else product.stock
    rows = [
        (_("Title"), product.title),
        (_("Price"), format_money(product.price, product.currency)),
        (_("Shipping"), format_money(product.shipping_amount, product.currency)),
        (_("Stock"), stock),
        (_("Category"), product.category),
        (_("Kind"), product.get_kind_display()),
        *product.attributes.items(),
    ]
    context = {"rows": rows, "text": product.description}
    whole = Panel(
        title=_("As a buyer sees it"), template="admin/review/listing.html", context=context
    )
    return [*_photos(product.images, product.title), whole, _checks(product)]


def _product_decided(product: Product) -> tuple[Any, datetime | None]:
    last = product.reviews.select_related("actor").first()
    return (last.actor, last.created_at) if last else (None, None)


def _undo_product(*, actor: Any, thing: Any) -> None:
    services.undo_product_decision(actor=actor, product=thing)


def _moderation(
    *, undo: Callable[..., Any], approve: Any = None, reject: Any = None
) -> list[Decision]:
    return [
        Decision(
            code="approve",
            action="approve",
            title=_("Approve"),
            key="a",
            tone="good",
            icon="check",
            consequence=approve,
            undo=undo,
            for_several=True,
        ),
        Decision(
            code="changes",
            action="request_changes",
            title=_("Request changes"),
            key="c",
            text="reason",
            needs_text=True,
            undo=undo,
            for_several=True,
        ),
        Decision(
            code="reject",
            action="reject",
            title=_("Reject"),
            key="r",
            tone="bad",
            icon="x",
            text="reason",
            needs_text=True,
            consequence=reject,
            undo=undo,
            for_several=True,
        ),
    ]


PRODUCTS = Queue(
    code="products",
    model="marketplace.Product",
    rows=lambda user: with_shown_risk(
        Product.objects.select_related("seller", "category"), user, "seller_id"
    ),
    waiting=lambda rows: rows.filter(status=Product.Status.PENDING),
    order=("submitted_at", "pk"),
    card=_product_card,
    panels=_product_panels,
    account=lambda product: product.seller,
    decisions=_moderation(undo=_undo_product),
    reasons=reasons,
    text_label=_("What the seller will read"),
    decided=_product_decided,
)


# -- edits ---------------------------------------------------------------------------


def _edit_card(revision: Any) -> Card:
    product = revision.product
    fields = ", ".join(field_name(name) for name in sorted(revision.patch))
    return Card(
        title=product.title,
        line=f"{display_name(product.seller)} · {fields}",
        marks=_marks(revision, "edit"),
        since=revision.submitted_at,
        picture=_picture(product.images),
    )


def _edit_panels(_request: Any, revision: Any) -> list[Panel]:
    changes = changes_of(revision)
    context = {
        "changes": changes,
        "unchanged": unchanged_of(revision),
        "stale": [field_name(name) for name in stale_fields(revision.product, revision)],
    }
    images = revision.patch.get("images", revision.product.images)
    return [
        *_photos(images, revision.product.title),
        Panel(
            title=_("What the edit changes"),
            template="admin/review/diff.html",
            context=context,
            mark=len(changes),
        ),
        _checks(revision),
    ]


def _undo_edit(*, actor: Any, thing: Any) -> None:
    services.undo_revision_decision(actor=actor, revision=thing)


def _pictures_go(revision: Any, _data: Any) -> str:
    if has_same_pictures(revision):
        return ""
    text = gettext("Pictures of “%(title)s” are deleted with this. It cannot be undone.")
    return text % {"title": revision.product.title}


EDITS = Queue(
    code="edits",
    model="marketplace.ProductRevision",
    rows=lambda user: with_shown_risk(
        ProductRevision.objects.select_related(
            "product__seller", "product__category", "decided_by"
        ),
        user,
        "product__seller_id",
    ),
    waiting=lambda rows: rows.filter(status=ProductRevision.Status.PENDING),
    order=("submitted_at", "pk"),
    card=_edit_card,
    panels=_edit_panels,
    account=lambda revision: revision.product.seller,
    decisions=_moderation(undo=_undo_edit, approve=_pictures_go, reject=_pictures_go),
    reasons=reasons,
    text_label=_("What the seller will read"),
    decided=lambda revision: (revision.decided_by, revision.decided_at),
)
