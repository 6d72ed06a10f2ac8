"""Categories, and removing what is no longer needed."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from support.errors import InUse
from support.models import BusinessCalendar, Category, Macro
from support.services.confinement import check_confinement, set_readers
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.models import User

FIELDS = ("code", "name", "name_es", "position", "is_active", "assignment", "is_confined")


@transaction.atomic
def save_category(
    *, actor: User | None, category: Category | None = None, values: Mapping[str, Any]
) -> Category:
    """Create or change a category; `agents` are the only ones who are given its tickets.

    Of a confined one `readers` are the only ones who read them. Raises `OwnInterest` for whoever
    lets themselves read a confined one.
    """
    kept = Category() if category is None else lock_row(Category.objects.all(), pk=category.pk)
    check_confinement(actor=actor, place=kept, values=values, act="support.save_category")
    for name in FIELDS:
        if name in values:
            setattr(kept, name, values[name])
    kept.full_clean()
    kept.save()
    if "agents" in values:
        kept.agents.set(values["agents"])
    readers = set_readers(kept, values)
    after = {name: value for name, value in values.items() if name != "readers"}
    audit.record("support.category.saved", actor=actor, target=kept, after=after, metadata=readers)
    return kept


@transaction.atomic
def delete_category(*, actor: User, category: Category) -> None:
    """Remove a category that nothing is filed under."""
    locked = lock_row(Category.objects.all(), pk=category.pk)
    if locked.tickets.exists() or locked.faqs.exists() or locked.sla_policies.exists():
        raise InUse
    audit.record("support.category.deleted", actor=actor, target=locked)
    locked.delete()


@transaction.atomic
def delete_macro(*, actor: User, macro: Macro) -> None:
    """Remove a macro."""
    audit.record("support.macro.deleted", actor=actor, target=macro)
    macro.delete()


@transaction.atomic
def delete_calendar(*, actor: User, calendar: BusinessCalendar) -> None:
    """Remove a calendar that no policy counts by."""
    audit.record("support.calendar.deleted", actor=actor, target=calendar)
    try:
        calendar.delete()
    except ProtectedError:
        raise InUse(_("Policies count by this calendar.")) from None
