"""The router: paths as the contract writes them, without a trailing slash."""

from typing import Any

from django.urls import register_converter
from django.urls.converters import IntConverter, StringConverter
from rest_framework.routers import SimpleRouter

# One way to write each key. Longer numbers cannot be one; other spellings are not found.
from systemadmin.foundation.references import ID_REGEX, REFERENCE_REGEX


class KeyConverter(IntConverter):
    """`<key:name>` of a path: the key of a row."""

    regex = ID_REGEX


class AccountConverter(StringConverter):
    """`<account:name>` of a path: our id of an account, or `ext:` and the platform's.

    The base viewset replaces an external id by ours, after it has checked who is asking.
    """

    regex = REFERENCE_REGEX


register_converter(KeyConverter, "key")
register_converter(AccountConverter, "account")


class Router(SimpleRouter):
    """DRF's router with numeric ids and no trailing slash (a middleware accepts one)."""

    def __init__(self) -> None:
        super().__init__(trailing_slash=False)

    def get_lookup_regex(self, viewset: Any, lookup_prefix: str = "") -> str:
        if not hasattr(viewset, "lookup_value_regex"):
            viewset.lookup_value_regex = ID_REGEX
        return super().get_lookup_regex(viewset, lookup_prefix)
