"""Reads of tickets: who may see which, what is waiting, what is late."""

from datetime import datetime
from typing import Any

from django.db import connections
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from support import lifecycle, search
from support.querysets.words import words_condition

# Words in more than one ticket of this many are common: the list, read in order, meets them soon.
_RARE = 200
_SAMPLE = 1000
_EVERYTHING = 10**9


class ConfinedQuerySet(QuerySet):
    """Categories or mailboxes, whose tickets may be for named readers only."""

    def closed_to(self, user: Any) -> "ConfinedQuerySet":
        """Return those whose tickets this user does not read; without a user, all confined ones.

        The right to see confined tickets is the auditors'; superusers have every right.
        """
        if user is not None and user.has_perm("support.view_confined_tickets"):
            return self.none()
        confined = self.filter(is_confined=True)
        return confined if user is None else confined.exclude(readers=user.pk)


class TicketQuerySet(QuerySet):
    """Named filters over tickets, the same for the API, the admin and the tasks."""

    def visible_to(self, user: Any) -> "TicketQuerySet":
        """Return what an agent may see: their own, with more rights the unassigned, or all.

        Tickets of a confined category or mailbox are seen by its named readers only.
        """
        if not user.has_perm("support.view_ticket"):
            return self.none()
        found = self.open_to(user)
        if user.has_perm("support.view_all_tickets"):
            return found
        mine = Q(assignee=user)
        if user.has_perm("support.view_unassigned_tickets"):
            mine |= Q(assignee__isnull=True)
        return found.filter(mine)

    def open_to(self, user: Any) -> "TicketQuerySet":
        """Return those whose category and mailbox the user reads; without one, the open ones."""
        found = self
        for name in ("category", "mailbox"):
            places: Any = self.model._meta.get_field(name).related_model
            found = found.exclude(**{f"{name}__in": places.objects.closed_to(user)})
        return found

    def of_member(self, user: Any) -> "TicketQuerySet":
        """Return a member's own tickets; a merged one lives on in its target."""
        return self.filter(requester=user, merged_into__isnull=True)

    def open(self) -> "TicketQuerySet":
        """Return tickets that are neither resolved nor closed."""
        return self.filter(status__in=lifecycle.OPEN_STATUSES)

    def mine(self, user: Any) -> "TicketQuerySet":
        """Open tickets of one agent."""
        return self.open().filter(assignee=user)

    def unassigned(self) -> "TicketQuerySet":
        """Open tickets nobody has taken."""
        return self.open().filter(assignee__isnull=True)

    def in_queue(self, code: str, user: Any) -> "TicketQuerySet":
        """Return the tickets of one of the desk's queues, for the workspace, table and home page.

        A snoozed ticket is in the queue of snoozed ones only. Raises `KeyError` for another code.
        """
        awake = self.awake()
        # Each asks once for open tickets: asked twice, PostgreSQL expects hardly any and sorts all.
        queues = {
            "mine": lambda: awake.mine(user),
            "unassigned": awake.unassigned,
            "overdue": lambda: awake.open().overdue(),
            "open": awake.open,
            "snoozed": self.snoozed,
        }
        return queues[code]()

    def overdue(self, now: datetime | None = None) -> "TicketQuerySet":
        """Return tickets with a broken promise that still waits to be made good."""
        return self.filter(
            Q(overdue_since__isnull=False) | Q(next_due_at__lt=now or timezone.now())
        )

    def on_time(self, now: datetime | None = None) -> "TicketQuerySet":
        """Return tickets that are not overdue, the opposite of `overdue`."""
        return self.filter(overdue_since__isnull=True).filter(
            Q(next_due_at__isnull=True) | Q(next_due_at__gte=now or timezone.now())
        )

    def awake(self, now: datetime | None = None) -> "TicketQuerySet":
        """Return those that nobody has set aside for later."""
        later = Q(snoozed_until__gt=now or timezone.now())
        return self.exclude(later & Q(snoozed_until__isnull=False))

    def snoozed(self, now: datetime | None = None) -> "TicketQuerySet":
        """Open ones that were set aside for later."""
        return self.open().filter(snoozed_until__gt=now or timezone.now())

    def due_first(self) -> "TicketQuerySet":
        """With `due_at`, the promise that is broken or comes next; what promises nothing last."""
        return self.annotate(due_at=Coalesce("overdue_since", "next_due_at")).order_by(
            F("due_at").asc(nulls_last=True), "pk"
        )

    def after(self, key: tuple[datetime | None, int]) -> "TicketQuerySet":
        """Return what `due_first` lists behind a place: its `due_at` and key."""
        due, pk = key
        if due is None:
            return self.filter(due_at__isnull=True, pk__gt=pk)
        return self.filter(Q(due_at__gt=due) | Q(due_at=due, pk__gt=pk) | Q(due_at__isnull=True))

    def before(self, key: tuple[datetime | None, int]) -> "TicketQuerySet":
        """Return what `due_first` lists before a place, the nearest first."""
        due, pk = key
        if due is None:
            found = self.filter(Q(due_at__isnull=False) | Q(pk__lt=pk))
        else:
            found = self.filter(Q(due_at__lt=due) | Q(due_at=due, pk__lt=pk))
        return found.order_by(F("due_at").desc(nulls_first=True), "-pk")

    def with_unread(self, user: Any) -> "TicketQuerySet":
        """Return the rows with `is_unread`: somebody else wrote since this agent last read it."""
        readings: Any = self.model._meta.apps.get_model("support", "TicketRead").objects
        read = readings.filter(ticket=OuterRef("pk"), user=user, up_to__gte=OuterRef("last_reply"))
        own = Q(last_reply__author=user, last_reply__is_from_customer=False)
        return self.annotate(is_unread=~Exists(read) & ~own & Q(last_reply__isnull=False))

    def due_for_sweep(self, now: datetime) -> "TicketQuerySet":
        """Return tickets whose next promise passed and is not on record yet."""
        return self.filter(next_due_at__lt=now).order_by("next_due_at", "id")

    def resolved_before(self, moment: datetime) -> "TicketQuerySet":
        """Return what has been resolved for long enough to be closed."""
        return self.filter(status=lifecycle.RESOLVED, resolved_at__lt=moment)

    def found_by(self, query: str) -> "TicketQuerySet":
        """Return tickets with a word beginning with each word asked: subject, name or replies."""
        asked = search.asked(query)
        if not asked:
            return self.none()
        long = self._long_with_words(asked)
        if connections[self.db].vendor == "postgresql":
            return self._with_words(asked, long)
        found = words_condition("search__document", asked, self.db)
        return self.filter(found | Q(pk__in=long) if long else found)

    def _with_words(self, asked: list[str], long: list[int]) -> "TicketQuerySet":
        """By the index of words where matches are rare, by going through the list where not.

        The planner takes every beginning of a word for equally frequent, and would read a million
        tickets in order to find one.
        """
        words = self.model._meta.apps.get_model("support", "TicketSearch").objects
        found = words_condition("document", asked, self.db)
        newest = words.filter(
            pk__in=list(words.order_by("-pk").values_list("pk", flat=True)[:_SAMPLE])
        )
        if newest.filter(found).count() * _RARE > _SAMPLE:
            found = words_condition("search__document", asked, self.db)
            return self.filter(found | Q(pk__in=long) if long else found)
        either = found | Q(pk__in=long) if long else found
        # The bound is never reached; it keeps the planner from joining before searching.
        return self.filter(pk__in=words.filter(either).values("pk")[:_EVERYTHING])

    def _long_with_words(self, asked: list[str]) -> list[int]:
        """Return keys of tickets with words in several rows, over which the words asked are spread.

        There are few such tickets; those without a word in a further row are found as all others.
        """
        get_model = self.model._meta.apps.get_model
        parts: Any = get_model("support", "TicketSearchPart").objects.using(self.db)
        some = parts.filter(words_condition("document", asked, self.db, any_of=True))
        keys = set(some.values_list("ticket_id", flat=True))
        if not keys:
            return []
        own = parts.filter(ticket=OuterRef("pk"))
        found: Any = get_model("support", "TicketSearch").objects.using(self.db)
        found = found.filter(pk__in=keys)
        for word in asked:
            here = words_condition("document", [word], self.db)
            found = found.filter(here | Exists(own.filter(here)))
        return list(found.values_list("pk", flat=True))

    def linked_to(self, ticket: Any) -> "TicketQuerySet":
        """Return tickets about the same matter."""
        links = ticket._meta.apps.get_model("support", "TicketLink").objects
        later = links.filter(first=ticket).values("second")
        # One list of keys: an OR of two would read every ticket.
        return self.filter(
            pk__in=later.union(links.filter(second=ticket).values("first"))
        ).order_by("pk")

    def with_people(self) -> "TicketQuerySet":
        """Return everything a row of a list shows, in a fixed number of queries."""
        return self.select_related("requester", "assignee", "category", "mailbox").prefetch_related(
            "tags"
        )
