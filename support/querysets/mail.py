"""Reads of mail in and out."""

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from systemadmin.foundation.personal_data import sees_personal_data


class InboundQuerySet(QuerySet):
    """Named filters over incoming mail."""

    def waiting(self) -> "InboundQuerySet":
        """Return what is stored and not yet processed."""
        return self.filter(status="received").order_by("id")

    def failed(self) -> "InboundQuerySet":
        """Kept as it came because nothing could be made of it."""
        return self.filter(status="failed")

    def suggested_for(self, ticket: Any) -> "InboundQuerySet":
        """Mail of a ticket that mentions another one, to which it may belong."""
        return (
            self.light()
            .filter(ticket=ticket, may_belong_to__isnull=False)
            .exclude(may_belong_to=ticket)
            .select_related("may_belong_to__merged_into")
            .order_by("pk")
        )

    def set_aside(self, since: datetime) -> "InboundQuerySet":
        """No person's mail, so that no ticket was opened; anybody may look and decide anew."""
        return self.filter(status="ignored", created_at__gte=since)

    def listed_for(self, user: Any) -> "InboundQuerySet":
        """Mail that this user's lists show: none of a confined ticket or mailbox of others."""
        tickets: Any = self.model._meta.get_field("ticket").related_model
        boxes: Any = self.model._meta.get_field("mailbox").related_model
        categories: Any = boxes._meta.get_field("category").related_model
        closed = Q(pk__in=boxes.objects.closed_to(user).values("pk"))
        closed |= Q(category__in=categories.objects.closed_to(user))
        free = Q(ticket__isnull=True) & ~Q(mailbox__in=boxes.objects.filter(closed).values("pk"))
        return self.filter(Q(ticket__in=tickets.objects.open_to(user)) | free)

    def readable_by(self, user: Any) -> "InboundQuerySet":
        """Mail that this user may read whole: of tickets they may see, and of no ticket yet."""
        if sees_personal_data(user):
            return self.listed_for(user)
        tickets: Any = self.model._meta.get_field("ticket").related_model
        seen = Q(ticket__in=tickets.objects.visible_to(user))
        if user.has_perms(["support.view_ticket", "support.view_unassigned_tickets"]):
            seen |= Q(ticket__isnull=True)
        return self.listed_for(user).filter(seen)

    def light(self) -> "InboundQuerySet":
        """Return the rows without the bytes, which may be megabytes a row."""
        return self.defer("raw")


class OutboundQuerySet(QuerySet):
    """Named filters over outgoing mail."""

    def listed_for(self, user: Any) -> "OutboundQuerySet":
        """Mail that this user's lists show: none of a confined ticket of others."""
        tickets: Any = self.model._meta.get_field("ticket").related_model
        return self.filter(ticket__in=tickets.objects.open_to(user))

    def bounced(self) -> "OutboundQuerySet":
        """Sent, and returned by the recipient's mail system."""
        return self.filter(status="bounced")

    def dead(self) -> "OutboundQuerySet":
        """Given up after every attempt."""
        return self.filter(status="failed")
