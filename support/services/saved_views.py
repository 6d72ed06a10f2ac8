"""Changes to saved views: lists of tickets that agents use again."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from support.models import SavedView
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput, NotAllowed
from systemadmin.foundation.single_line import single_line
from systemadmin.models import User

FIELDS = (
    "name",
    "is_shared",
    "which",
    "whose",
    "priority",
    "category",
    "tag",
    "words",
    "is_overdue",
)
MOST = 50


@transaction.atomic
def save_view(
    *,
    actor: User,
    view: SavedView | None = None,
    values: Mapping[str, Any],
    expected_version: int | None = None,
) -> SavedView:
    """Create or change a view; a shared one is changed by its owner only.

    Raises `InvalidInput` for a name without a letter and for more than fifty views.
    """
    if view is None:
        kept = SavedView(owner=actor)
        if SavedView.objects.filter(owner=actor).count() >= MOST:
            raise InvalidInput(
                "", _("At most %(most)d views.") % {"most": MOST}, code="too_many_views"
            )
    else:
        kept = lock_row(SavedView.objects.all(), expected_version=expected_version, pk=view.pk)
        _check_owner(actor, kept)
        kept.bump()
    for name in FIELDS:
        if name in values:
            setattr(kept, name, values[name])
    kept.name = single_line(kept.name, 40).strip()
    kept.full_clean()
    kept.save()
    audit.record("support.view.saved", actor=actor, target=kept, after=_shown(kept))
    return kept


@transaction.atomic
def delete_view(*, actor: User, view: SavedView, expected_version: int | None = None) -> None:
    """Delete a view of one's own."""
    kept = lock_row(SavedView.objects.all(), expected_version=expected_version, pk=view.pk)
    _check_owner(actor, kept)
    audit.record("support.view.deleted", actor=actor, target=kept, before=_shown(kept))
    kept.delete()


def _check_owner(actor: User, view: SavedView) -> None:
    if view.owner_id != actor.pk and not actor.is_superuser:
        raise NotAllowed


def _shown(view: SavedView) -> dict[str, Any]:
    # The words may be a member's name; the trail holds what kind of list it is.
    names = [name for name in FIELDS if name not in ("category", "words")]
    return {**{name: getattr(view, name) for name in names}, "category": view.category_id}
