"""Conversations that a member does not want to be notified of."""

from __future__ import annotations

from django.db import transaction

from messaging.models import Participant
from systemadmin.foundation.errors import NotFound
from systemadmin.models import User


@transaction.atomic
def set_muted(*, actor: User, peer_id: int, muted: bool) -> bool:
    """Send no notices of unread messages in this conversation, or send them again.

    The other side does not learn of it, and what is unread stays counted. Raises `NotFound` where
    the two have no conversation.
    """
    changed = Participant.objects.filter(user=actor, peer_id=peer_id).update(is_muted=muted)
    if not changed:
        raise NotFound
    return muted
