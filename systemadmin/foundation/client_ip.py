"""Which address a request came from, past the proxies we trust and no further."""

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str:
    """The client's address, or "" when the connection has none (a Unix socket without proxies)."""
    peer = parse_ip(request.META.get("REMOTE_ADDR", ""))
    proxies = int(getattr(settings, "TRUSTED_PROXY_COUNT", 0))
    if proxies <= 0:
        return peer
    # Each trusted proxy appends the address it was called from. What stands further left was
    # sent by the client and may say anything.
    hops = [hop for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if not hops:
        return peer
    return parse_ip(hops[-min(proxies, len(hops))]) or peer


@lru_cache(maxsize=4096)
def parse_ip(text: str) -> str:
    """A normalised address out of "1.2.3.4", "1.2.3.4:567", "::1" or "[::1]:567"; "" for others."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


@lru_cache(maxsize=4096)
def network_of(ip: str) -> str:
    """What one client can hold: a single IPv4 address, or a whole IPv6 /64."""
    if ":" not in ip:
        return ip
    return str(ipaddress.ip_network(f"{ip}/64", strict=False).network_address)
