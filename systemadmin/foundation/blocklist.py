"""Whether an address is blocked, by this process's copy of the shared list."""

import ipaddress
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.api.problems import maintenance_response
from systemadmin.foundation.configuration import stored_value
from systemadmin.foundation.context import current
from systemadmin.foundation.errors import NotAllowed

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
BLOCKED_KEY = "_blocked_networks"


class NetworkBlocked(NotAllowed):
    """403: requests from this network are refused."""

    code = "network_blocked"
    default_detail = _("Requests from your network are blocked.")


@lru_cache(maxsize=64)
def _parsed(rows: tuple[tuple[str, str | None], ...]) -> list[tuple[Network, datetime | None]]:
    return [
        (ipaddress.ip_network(text), datetime.fromisoformat(end) if end else None)
        for text, end in rows
    ]


def is_blocked(ip: str) -> bool:
    """Return True when the address lies in a blocked network."""
    rows: Any = stored_value(BLOCKED_KEY, [])
    if not rows or not ip:
        return False
    address, now = ipaddress.ip_address(ip), timezone.now()
    return any(
        address in network and (end is None or end > now)
        for network, end in _parsed(tuple((text, end) for text, end in rows))
    )


class BlocklistMiddleware:
    """Refuse blocked networks before anything is looked up for them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/api/health") and is_blocked(current().ip or ""):
            return maintenance_response(request, NetworkBlocked())
        return self.get_response(request)
