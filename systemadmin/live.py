"""What open pages wait for beyond their own desk: what anybody did, and how the place is."""

import time

from systemadmin.foundation.live_topics import Topic
from systemadmin.models import Alert, AuditEntry

NEWEST = 200
# The status is measured anew every ten seconds, and alerts are raised and end meanwhile.
STATUS_EVERY = 10
_STATES = list(Alert.Status.values)


def _acts() -> list[tuple[int, int]]:
    keys = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True)[:NEWEST]
    return [(key, 0) for key in keys]


def _status() -> list[tuple[int, int]]:
    """Return a row that comes every ten seconds, and one for each state of a new alert.

    The rows of alerts are below zero: the mark of a topic is its greatest key, here the clock's.
    """
    alerts = Alert.objects.order_by("-pk").values_list("pk", "status")[:NEWEST]
    rows = [(-len(_STATES) * key - _STATES.index(state), 0) for key, state in alerts]
    return [(int(time.time()) // STATUS_EVERY, 0), *rows]


# Everybody of staff may know that something was done; what it was is for those who may see it.
TOPICS = [
    Topic(code="work", permission="", read=_acts),
    Topic(code="status", permission="systemadmin.view_systemstatus", read=_status),
]
