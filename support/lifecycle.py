"""Which status may follow which, and what each means for the clocks."""

NEW = "new"
IN_PROGRESS = "in_progress"
WAITING_CUSTOMER = "waiting_customer"
RESOLVED = "resolved"
CLOSED = "closed"

STATUSES = (NEW, IN_PROGRESS, WAITING_CUSTOMER, RESOLVED, CLOSED)
OPEN_STATUSES = (NEW, IN_PROGRESS, WAITING_CUSTOMER)
DONE_STATUSES = (RESOLVED, CLOSED)

# A ticket never becomes new again: someone has already dealt with it.
TRANSITIONS: dict[str, frozenset[str]] = {
    NEW: frozenset({IN_PROGRESS, WAITING_CUSTOMER, RESOLVED, CLOSED}),
    IN_PROGRESS: frozenset({WAITING_CUSTOMER, RESOLVED, CLOSED}),
    WAITING_CUSTOMER: frozenset({IN_PROGRESS, RESOLVED, CLOSED}),
    RESOLVED: frozenset({IN_PROGRESS, WAITING_CUSTOMER, CLOSED}),
    CLOSED: frozenset({IN_PROGRESS}),
}


def may_become(status: str, target: str) -> bool:
    """Return whether a ticket of one status may be given another."""
    return target in TRANSITIONS.get(status, frozenset())


def after_customer_reply(status: str) -> str:
    """Return the status a customer's message leaves behind: an answer ends waiting and reopens."""
    return IN_PROGRESS if status in (WAITING_CUSTOMER, RESOLVED, CLOSED) else status
