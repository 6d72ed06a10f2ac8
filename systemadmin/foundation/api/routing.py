"""The router: paths as the contract writes them, without a trailing slash."""

from typing import Any

from rest_framework.routers import SimpleRouter

# Longer numbers cannot be a key; as part of the path they are simply not found.
ID_REGEX = "[0-9]{1,18}"


class Router(SimpleRouter):
    """DRF's router with numeric ids and no trailing slash (a middleware accepts one)."""

    def __init__(self) -> None:
        super().__init__(trailing_slash=False)

    def get_lookup_regex(self, viewset: Any, lookup_prefix: str = "") -> str:
        if not hasattr(viewset, "lookup_value_regex"):
            viewset.lookup_value_regex = ID_REGEX
        return super().get_lookup_regex(viewset, lookup_prefix)
