"""The desk in the admin."""

from support.admin import knowledge, mail, tickets

__all__ = ["knowledge", "mail", "tickets"]
