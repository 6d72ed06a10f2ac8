"""Texts that agents have typed and not sent, kept at the server: nothing typed is lost."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from support.errors import DraftChangedElsewhere
from support.models import ReplyDraft, Ticket
from support.services.tickets import MAX_BODY
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import User


def save_draft(
    *, actor: User, ticket: Ticket, kind: str, body: str, expected_version: int | None = None
) -> ReplyDraft | None:
    """Keep an agent's unsent text; an empty one ends the draft and returns None.

    `expected_version` is the version of the draft that was typed over, 0 for none: raises
    `DraftChangedElsewhere` when the draft is another by now. Drafts change nothing that others
    see, so the audit trail does not hold them.
    """
    if len(body) > MAX_BODY:
        raise InvalidInput(
            "body", _("At most %(most)d characters.") % {"most": MAX_BODY}, code="max_length"
        )
    try:
        with transaction.atomic():
            return _save(actor, ticket, kind, body.replace("\x00", ""), expected_version)
    except IntegrityError:
        # Another window made the first draft at the same moment.
        raise _changed(ReplyDraft.objects.get(ticket=ticket, user=actor, kind=kind)) from None


def _save(
    actor: User, ticket: Ticket, kind: str, body: str, expected_version: int | None
) -> ReplyDraft | None:
    rows = ReplyDraft.objects.select_for_update(of=("self",))
    kept = rows.filter(ticket=ticket, user=actor, kind=kind).first()
    has_changed = expected_version is not None and kept is not None
    if has_changed and kept and kept.version != expected_version and kept.body != body:
        raise _changed(kept)
    if not is_visible(body):
        if kept is not None:
            kept.delete()
        return None
    if kept is None:
        # Never a version that was given out before: a draft sent elsewhere is no match.
        kept = ReplyDraft(ticket=ticket, user=actor, kind=kind, version=(expected_version or 0) + 1)
    else:
        kept.bump()
    kept.body = body
    kept.save()
    return kept


def _changed(kept: ReplyDraft) -> DraftChangedElsewhere:
    return DraftChangedElsewhere(extra={"body": kept.body, "version": kept.version})


def drafts_of(*, user: User, ticket: Ticket) -> dict[str, ReplyDraft]:
    """Return an agent's drafts on a ticket by their kind."""
    rows: Any = ReplyDraft.objects.filter(ticket=ticket, user=user)
    return {draft.kind: draft for draft in rows}


def discard_draft(*, user: User, ticket: Ticket, kind: str) -> None:
    """Drop a draft, if there is one: it was sent, or is not wanted."""
    ReplyDraft.objects.filter(ticket=ticket, user=user, kind=kind).delete()
