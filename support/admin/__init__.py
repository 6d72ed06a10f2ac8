"""The desk in the admin."""

from support.admin import knowledge, mail, senders, tickets

__all__ = ["knowledge", "mail", "senders", "tickets"]
