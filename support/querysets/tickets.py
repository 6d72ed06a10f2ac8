"""Reads of tickets: who may see which, what is waiting, what is late."""

from datetime import datetime
from typing import Any

from django.db import connections
from django.db.models import F, Q, QuerySet, Value
from django.utils import timezone

from support import lifecycle, search
from support.querysets.words import HasWords, Padded

# Words in more than one ticket of this many are common: the list, read in order, meets them soon.
_RARE = 200
_SAMPLE = 1000
_EVERYTHING = 10**9


class TicketQuerySet(QuerySet):
    """Named filters over tickets, the same for the API, the admin and the tasks."""

    def visible_to(self, user: Any) -> "TicketQuerySet":
        """What an agent may see: their own, with more rights the unassigned, or all."""
        if not user.has_perm("support.view_ticket"):
            return self.none()
        if user.has_perm("support.view_all_tickets"):
            return self
        mine = Q(assignee=user)
        if user.has_perm("support.view_unassigned_tickets"):
            mine |= Q(assignee__isnull=True)
        return self.filter(mine)

    def of_member(self, user: Any) -> "TicketQuerySet":
        """A member's own tickets; a merged one lives on in its target."""
        return self.filter(requester=user, merged_into__isnull=True)

    def open(self) -> "TicketQuerySet":
        """Neither resolved nor closed."""
        return self.filter(status__in=lifecycle.OPEN_STATUSES)

    def mine(self, user: Any) -> "TicketQuerySet":
        """Open tickets of one agent."""
        return self.open().filter(assignee=user)

    def unassigned(self) -> "TicketQuerySet":
        """Open tickets nobody has taken."""
        return self.open().filter(assignee__isnull=True)

    def overdue(self, now: datetime | None = None) -> "TicketQuerySet":
        """A promise is broken and still waits to be made good."""
        return self.filter(
            Q(overdue_since__isnull=False) | Q(next_due_at__lt=now or timezone.now())
        )

    def on_time(self, now: datetime | None = None) -> "TicketQuerySet":
        """Everything else."""
        return self.filter(overdue_since__isnull=True).filter(
            Q(next_due_at__isnull=True) | Q(next_due_at__gte=now or timezone.now())
        )

    def due_for_sweep(self, now: datetime) -> "TicketQuerySet":
        """Tickets whose next promise passed and is not on record yet."""
        return self.filter(next_due_at__lt=now).order_by("next_due_at", "id")

    def resolved_before(self, moment: datetime) -> "TicketQuerySet":
        """Resolved for long enough to be closed."""
        return self.filter(status=lifecycle.RESOLVED, resolved_at__lt=moment)

    def found_by(self, query: str) -> "TicketQuerySet":
        """Tickets with a word beginning with each word asked, in subject, name or replies."""
        asked = search.asked(query)
        if not asked:
            return self.none()
        if connections[self.db].vendor == "postgresql":
            return self._with_words(" & ".join(f"'{word}':*" for word in asked))
        found = self.annotate(padded=Padded(F("search__document")))
        for word in asked:
            found = found.filter(padded__contains=f" {word}")
        return found

    def _with_words(self, condition: str) -> "TicketQuerySet":
        """By the index of words where matches are rare, by going through the list where not.

        The planner takes every beginning of a word for equally frequent, and would read a million
        tickets in order to find one.
        """
        words = self.model._meta.apps.get_model("support", "TicketSearch").objects
        found = HasWords(F("document"), Value(condition))
        newest = words.filter(
            pk__in=list(words.order_by("-pk").values_list("pk", flat=True)[:_SAMPLE])
        )
        if newest.filter(found).count() * _RARE > _SAMPLE:
            return self.filter(HasWords(F("search__document"), Value(condition)))
        # The bound is never reached; it keeps the planner from joining before searching.
        return self.filter(pk__in=words.filter(found).values("pk")[:_EVERYTHING])

    def linked_to(self, ticket: Any) -> "TicketQuerySet":
        """Tickets about the same matter."""
        links = ticket._meta.apps.get_model("support", "TicketLink").objects
        later = links.filter(first=ticket).values("second")
        # One list of keys: an OR of two would read every ticket.
        return self.filter(
            pk__in=later.union(links.filter(second=ticket).values("first"))
        ).order_by("pk")

    def with_people(self) -> "TicketQuerySet":
        """Everything a row of a list shows, in a fixed number of queries."""
        return self.select_related("requester", "assignee", "category").prefetch_related("tags")
