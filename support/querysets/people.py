"""Reads of who takes part in tickets and of agents' notices."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet


class TicketParticipantQuerySet(QuerySet):
    """Named filters over participants."""

    def present(self) -> "TicketParticipantQuerySet":
        """Return those who were not removed."""
        return self.filter(removed_at__isnull=True)


class BlockedSenderQuerySet(QuerySet):
    """Reads of the senders whose mail opens no ticket."""

    def with_held(self) -> "BlockedSenderQuerySet":
        """Return each with the number of mails that its rule holds, as `held_count`."""
        return self.annotate(held_count=Count("held", filter=Q(held__ticket=None)))


class AgentNoticeQuerySet(QuerySet):
    """Named filters over notices to agents."""

    def on_page_of(self, user: Any) -> "AgentNoticeQuerySet":
        """Return what an agent's page lists: of tickets that the agent may still see."""
        tickets: Any = self.model._meta.get_field("ticket").related_model
        seen = tickets.objects.visible_to(user)
        return self.filter(user=user, on_page=True, ticket__in=seen).select_related("ticket")

    def unseen(self) -> "AgentNoticeQuerySet":
        """Return those that the agent has not looked at."""
        return self.filter(seen_at__isnull=True)

    def to_send(self, before: datetime) -> "AgentNoticeQuerySet":
        """Return those to send by mail or Telegram: old enough, and not read in the page."""
        asked = Q(by_mail=True) | Q(by_telegram=True)
        return self.unseen().filter(asked, sent_at__isnull=True, created_at__lte=before)
