"""Every read of the messaging desk, used alike by API, admin, tasks and services."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import F, OuterRef, Q

from systemadmin.querysets.legal_holds import held_accounts

# Names the excerpt and its surroundings, not the whole conversation.
_CONTEXT = 25


# A line of the conversation list; building whole accounts from rows costs more than the query.
_LISTED = (
    "user_id",
    "peer_id",
    "conversation_id",
    "last_read_seq",
    "unread_count",
    "is_muted",
    "last_activity_at",
    "peer__username",
    "peer__first_name",
    "peer__last_name",
    "peer__verified_at",
    "last_message__seq",
    "last_message__sender_id",
    "last_message__kind",
    "last_message__body",
    "last_message__client_id",
    "last_message__created_at",
    "last_message__edited_at",
    "last_message__erased_at",
    "last_message__attachment__name",
    "last_message__attachment__content_type",
    "last_message__attachment__size",
    "last_message__attachment__sha256",
)


class ConversationQuerySet(models.QuerySet):
    """Threads of two members."""

    def of_pair(self, one_id: int, other_id: int) -> ConversationQuerySet:
        """Return the thread of these two, whichever way round."""
        return self.filter(lower_id=min(one_id, other_id), higher_id=max(one_id, other_id))


class ParticipantQuerySet(models.QuerySet):
    """Members' views of their conversations."""

    def listed_for(self, user_id: int) -> ParticipantQuerySet:
        """Return the conversation list: whatever still shows something, newest first."""
        return (
            self.filter(user_id=user_id, last_message__isnull=False)
            .select_related("peer", "last_message", "last_message__attachment")
            .only(*_LISTED)
            .order_by("-last_activity_at", "-id")
        )


class MessageQuerySet(models.QuerySet):
    """Messages, as someone may see them."""

    def visible_to(self, user_id: int) -> MessageQuerySet:
        """Return the rows without those this member hid for themselves."""
        return self.exclude(sender_id=user_id, is_hidden_for_sender=True).exclude(
            ~Q(sender_id=user_id), is_hidden_for_recipient=True
        )

    def in_conversation_of(self, user_id: int) -> MessageQuerySet:
        """Return messages this member sent or received."""
        return self.filter(Q(conversation__lower_id=user_id) | Q(conversation__higher_id=user_id))

    def not_held(self) -> MessageQuerySet:
        """Return messages between accounts none of which is under a legal hold."""
        held = held_accounts()
        return self.exclude(Q(conversation__lower__in=held) | Q(conversation__higher__in=held))

    def unread_after(self, seq: int | OuterRef, user_id: int | OuterRef) -> MessageQuerySet:
        """Return what counts as unread beyond a read marker: the definition of the stored counter.

        An erased message has nothing left to read.
        """
        return self.filter(
            seq__gt=seq, is_hidden_for_recipient=False, erased_at__isnull=True
        ).exclude(sender_id=user_id)

    def sent_by_member(self, user_id: int, since: datetime) -> MessageQuerySet:
        """Return what a member wrote lately, newest first."""
        return self.filter(sender_id=user_id, created_at__gt=since, kind="member").order_by(
            "-created_at"
        )

    def read_by_recipient(self) -> MessageQuerySet:
        """Return those whose recipient has read up to them."""
        return self.filter(
            conversation__participants__peer_id=F("sender_id"),
            conversation__participants__last_read_seq__gte=F("seq"),
        )

    def around(self, seq: int, *, before: int = _CONTEXT, after: int = _CONTEXT) -> MessageQuerySet:
        """Return the messages near one place of a conversation, in order."""
        return self.filter(seq__gte=max(seq - before, 0), seq__lte=seq + after).order_by("seq")


class ReportQuerySet(models.QuerySet):
    """Reports of messages."""

    def open(self) -> ReportQuerySet:
        """Return those that wait for the team."""
        return self.filter(status="open")
