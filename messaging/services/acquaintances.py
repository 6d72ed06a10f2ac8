"""Whom a member has met, and what of another account they may therefore see.

A member has met whoever wrote to them and whoever they share an order with. Sellers with a product
on sale are known by their user name to everybody. Of any other account nothing is shown, and an
account that does not exist looks the same.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef

from messaging.models import Message, Participant
from systemadmin.foundation.plugins import collect
from systemadmin.models import User


@dataclass(frozen=True, slots=True)
class Acquaintances:
    """Which of some accounts a member has met, and which are known by name to everybody."""

    met: frozenset[int]
    public: frozenset[int]

    @property
    def named(self) -> frozenset[int]:
        """Those whose name the member knows."""
        return self.met | self.public

    def show(self, user_id: int, user: User | None) -> dict[str, Any]:
        """Return what the member may see of one account."""
        is_met, is_named = user_id in self.met, user_id in self.named
        return {
            "id": user_id,
            "username": user.username if user and is_named else "",
            "name": user.get_full_name() if user and is_met else "",
            "is_verified": bool(user and is_named and user.is_account_verified),
        }


def acquaintances_of(member_id: int, others: Collection[int]) -> Acquaintances:
    """Look up some accounts; the same queries whether they exist or not."""
    if not others:
        return Acquaintances(frozenset(), frozenset())
    met = _who_wrote(member_id, others)
    public: set[int] = set()
    for look_up in collect("acquaintances", "MET"):
        met |= look_up(member_id, others)
    for look_up in collect("acquaintances", "PUBLIC"):
        public |= look_up(others)
    return Acquaintances(frozenset(met), frozenset(public))


def _who_wrote(member_id: int, others: Collection[int]) -> set[int]:
    written = Message.objects.filter(
        conversation_id=OuterRef("conversation_id"), sender_id=OuterRef("peer_id")
    )
    rows = Participant.objects.filter(Exists(written), user_id=member_id, peer_id__in=others)
    return set(rows.values_list("peer_id", flat=True))


def acquaintances_in(member_id: int, page: Collection[Participant]) -> Acquaintances:
    """Return the same for a page of the conversation list, asking only where the row is silent."""
    wrote = {
        row.peer_id
        for row in page
        if row.unread_count or (row.last_message and row.last_message.sender_id == row.peer_id)
    }
    rest = acquaintances_of(member_id, [row.peer_id for row in page if row.peer_id not in wrote])
    return Acquaintances(rest.met | wrote, rest.public)


def people(member_id: int, user_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return what the member may see of each of these accounts, by id."""
    known = acquaintances_of(member_id, user_ids)
    users = User.objects.in_bulk(known.named)
    return {user_id: known.show(user_id, users.get(user_id)) for user_id in user_ids}
