"""Accounts and moments as pages, mails and answers of the API show them to people."""

from datetime import datetime, tzinfo
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime


def display_name(account: Any) -> str:
    """Return the full name of an account, or its user name when it has none."""
    return account.get_full_name() or account.get_username()


def display_moment(moment: datetime, zone: tzinfo | None = None) -> str:
    """Return day and time in the language of the reader, in `zone` or the site's time zone."""
    return date_format(localtime(moment, zone), "DATETIME_FORMAT")
