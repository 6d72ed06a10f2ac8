"""What staff read of a dispute: the notes on their own are not for them."""

from collections.abc import Iterable

from django.db.models import QuerySet

from marketplace.models import Dispute, DisputeMessage
from systemadmin.models import User
from systemadmin.services.duties import is_own_case


def messages_for(*, user: User, dispute: Dispute) -> QuerySet[DisputeMessage]:
    """Return the messages of a dispute that somebody of staff reads, oldest first."""
    messages = dispute.messages.select_related("author").order_by("pk")
    return messages.filter(is_internal=False) if _is_party(user, dispute) else messages


def readable(
    *, user: User, dispute: Dispute, messages: Iterable[DisputeMessage]
) -> list[DisputeMessage]:
    """Return those of loaded messages that somebody of staff reads."""
    hides = _is_party(user, dispute)
    return [message for message in messages if not (hides and message.is_internal)]


def _is_party(user: User, dispute: Dispute) -> bool:
    return is_own_case(user, [dispute.order.buyer_id, dispute.order.seller_id])
