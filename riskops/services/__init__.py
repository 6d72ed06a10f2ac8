"""Every write of the risk desk; one file per aggregate."""

from riskops.eventcheck import EventInput, Refusal
from riskops.services.events import IngestResult, event_key, record_events

__all__ = [
    "EventInput",
    "IngestResult",
    "Refusal",
    "event_key",
    "record_events",
]
