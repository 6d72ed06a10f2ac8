"""Tables of the allowed changes of state; a change that is not listed is refused."""

from collections.abc import Mapping

Table = Mapping[str, Mapping[str, str]]

# action -> {from: to}
PRODUCT: Table = {
    "submit": {"draft": "pending", "rejected": "pending", "changes_requested": "pending"},
    "withdraw": {"pending": "draft"},
    "approve": {"pending": "approved"},
    "reject": {"pending": "rejected"},
    "request_changes": {"pending": "changes_requested"},
    # Within the undo time of who decided.
    "undo": {"approved": "pending", "rejected": "pending", "changes_requested": "pending"},
    "pause": {"approved": "paused"},
    "resume": {"paused": "approved"},
    "remove": {
        "draft": "removed",
        "pending": "removed",
        "approved": "removed",
        "rejected": "removed",
        "changes_requested": "removed",
        "paused": "removed",
    },
}

REVISION: Table = {
    "submit": {"draft": "pending", "changes_requested": "pending"},
    "edit": {"draft": "draft", "pending": "pending", "changes_requested": "draft"},
    "approve": {"pending": "approved"},
    "reject": {"pending": "rejected"},
    "request_changes": {"pending": "changes_requested"},
    "undo": {"approved": "pending", "rejected": "pending", "changes_requested": "pending"},
    "withdraw": {
        "draft": "withdrawn",
        "pending": "withdrawn",
        "changes_requested": "withdrawn",
    },
}

ORDER: Table = {
    # A payment may arrive late: the order is revived when the stock can still be taken.
    "pay": {"reserved": "paid", "expired": "paid"},
    "expire": {"reserved": "expired"},
    "cancel": {"reserved": "cancelled"},
    "complete": {"paid": "completed"},
    "refund_part": {"paid": "paid", "completed": "completed", "disputed": "disputed"},
    "refund_all": {"paid": "refunded", "completed": "refunded", "disputed": "refunded"},
    "dispute": {"paid": "disputed", "completed": "disputed"},
    "close_dispute": {"disputed": "completed"},
}

DISPUTE: Table = {
    "resolve_buyer": {"open": "resolved_buyer"},
    "resolve_seller": {"open": "resolved_seller"},
    # An act of staff; the parties cannot.
    "appeal": {"resolved_buyer": "open", "resolved_seller": "open"},
}

PAYOUT: Table = {
    # A failed payout keeps its entries and is tried again as the same payout, or cancelled.
    "mark_paid": {"pending": "paid"},
    # A paid one that the bank sends back has been returned.
    "mark_failed": {"pending": "failed", "paid": "returned"},
    "cancel": {"pending": "cancelled", "failed": "cancelled"},
    "retry": {"failed": "pending"},
}


class NotListed(ValueError):
    """The transition is in no table."""


def target(table: Table, action: str, state: str) -> str:
    """Return the state an action leads to, or raise NotListed."""
    try:
        return table[action][state]
    except KeyError:
        raise NotListed(f"{action} is not possible from {state}") from None


def allowed_from(table: Table, action: str) -> frozenset[str]:
    """Return the states an action may start from."""
    return frozenset(table[action])
