"""Which address a request came from, past the proxies we trust and no further.

The only headers that are read are `X-Forwarded-For` (here) and `X-Forwarded-Proto` (Django's
`SECURE_PROXY_SSL_HEADER`), and only with `TRUSTED_PROXY_COUNT` set. `Forwarded`, `X-Real-IP` and
`X-Forwarded-Host` count nowhere.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from systemadmin.foundation.addresses import network_of, parse_ip


def client_ip(request: HttpRequest) -> str:
    """Return the client's address, or "" when there is none (a Unix socket without proxies)."""
    peer = parse_ip(request.META.get("REMOTE_ADDR") or "")
    proxies = int(getattr(settings, "TRUSTED_PROXY_COUNT", 0))
    if proxies <= 0:
        return peer
    # Each trusted proxy appends the address it was called from. What stands further left was
    # sent by the client and may say anything.
    hops = [hop for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if not hops:
        return peer
    return parse_ip(hops[-min(proxies, len(hops))]) or peer


def lockout_address(request: Any) -> str:
    """Return what failed sign-ins are counted by: the client's IPv4 address or IPv6 /64."""
    return network_of(client_ip(request))
