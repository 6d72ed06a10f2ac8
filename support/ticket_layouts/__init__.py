"""Tickets as other desks export them.

`layouts` says where each desk keeps what, `mapping` changes a layout, `rows` reads. Nothing here
asks a database: a row of an export becomes an `ImportedTicket`, or its fault.
"""

from support.ticket_layouts.layouts import LAYOUTS, Layout
from support.ticket_layouts.mapping import BadMapping, with_mapping
from support.ticket_layouts.rows import MOST_MESSAGES, Fault, read_ticket
from support.ticket_layouts.tickets import ImportedFile, ImportedMessage, ImportedTicket, Person

__all__ = [
    "LAYOUTS",
    "MOST_MESSAGES",
    "BadMapping",
    "Fault",
    "ImportedFile",
    "ImportedMessage",
    "ImportedTicket",
    "Layout",
    "Person",
    "read_ticket",
    "with_mapping",
]
