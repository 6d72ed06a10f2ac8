"""Reads of the conversation; what members may see is decided here and nowhere else."""

from typing import Any

from django.db.models import QuerySet


class ReplyQuerySet(QuerySet):
    """Named filters over replies."""

    def public(self) -> "ReplyQuerySet":
        """What the customer sees: never an internal note."""
        return self.filter(kind="public")

    def conversation(self) -> "ReplyQuerySet":
        """In the order it was said, with authors and files."""
        return (
            self.order_by("said_at", "id")
            .select_related("author", "template", "origin", "inbound")
            .defer("inbound__raw")
            .prefetch_related("attachments", "revisions")
        )


class AttachmentQuerySet(QuerySet):
    """Named filters over attachments."""

    def of_member(self, user: Any) -> "AttachmentQuerySet":
        """Files a member may fetch: those of the public part of their own tickets."""
        return self.filter(reply__kind="public", reply__ticket__requester=user)
