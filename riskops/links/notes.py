"""Notes that staff write about accounts."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from riskops.models import AccountNote
from systemadmin import audit
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User


@transaction.atomic
def add_note(*, actor: User, account: User, body: str) -> AccountNote:
    """Write a note about an account; notes are never changed."""
    if not is_visible(body):
        raise InvalidInput("body", _("Write something."), code="required")
    note = AccountNote(account=account, author=actor, body=body.strip())
    note.full_clean(exclude=["account", "author"])
    note.save()
    audit.record("riskops.account.noted", actor=actor, target=account, metadata={"note": note.pk})
    return note
