"""Reads of the conversation; what members may see is decided here and nowhere else."""

from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.db.models.functions import Length

# What a ticket's page and its answer hold of the conversation; the rest is paged.
REPLIES_PER_PAGE = 100
CHARACTERS_PER_PAGE = 500_000
# Pictures that every browser shows; they were decoded and written anew before they were stored.
SHOWN_IN_PLACE = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif")


class ReplyQuerySet(QuerySet):
    """Named filters over replies."""

    def public(self) -> "ReplyQuerySet":
        """Return what the customer sees: never an internal note."""
        return self.filter(kind="public")

    def latest(self, *, before: int | None = None) -> tuple[list[Any], bool]:
        """Return the end of the conversation, oldest first, and whether there is more before it.

        At most REPLIES_PER_PAGE replies and, beyond the last one, CHARACTERS_PER_PAGE characters.
        With `before` (id of a reply) it is what was said before that reply.
        """
        found = self.conversation().order_by("-said_at", "-id")
        edge = self.filter(pk=before).values_list("said_at", "pk").first() if before else None
        if edge is not None:
            found = found.filter(Q(said_at__lt=edge[0]) | Q(said_at=edge[0], pk__lt=edge[1]))
        rows = list(found[: REPLIES_PER_PAGE + 1])
        page, size = rows[:1], 0
        for row in rows[1:REPLIES_PER_PAGE]:
            size += len(row.body) + len(row.original_text)
            if size > CHARACTERS_PER_PAGE:
                break
            page.append(row)
        return page[::-1], len(page) < len(rows)

    def _deliveries(self) -> QuerySet:
        """Return the copies of an answer, without their texts."""
        model: Any = self.model._meta.get_field("outbound").related_model
        return model._default_manager.only("reply", "recipient", "status").order_by("pk")

    def conversation(self) -> "ReplyQuerySet":
        """In the order it was said, with authors and files; `html_length` of its mail."""
        return (
            self.order_by("said_at", "id")
            .select_related("author", "template", "origin", "inbound")
            .defer("inbound__raw", "original_html")
            .annotate(html_length=Length("original_html"))
            .prefetch_related("attachments", "revisions", Prefetch("outbound", self._deliveries()))
        )


class AttachmentQuerySet(QuerySet):
    """Named filters over attachments."""

    def shown_in_place(self) -> "AttachmentQuerySet":
        """Return pictures that a browser shows, which the HTML of their mail may name."""
        return self.exclude(content_id="").filter(content_type__in=SHOWN_IN_PLACE)

    def of_member(self, user: Any) -> "AttachmentQuerySet":
        """Return files a member may fetch: those of the public part of their own tickets."""
        return self.filter(reply__kind="public", reply__ticket__requester=user)
