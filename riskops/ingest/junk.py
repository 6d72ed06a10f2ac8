"""Values that identify nobody: addresses of no line, placeholders, bare names of browsers."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from riskops.models.identifiers import IdentifierKind
from systemadmin.foundation import configuration

# Why a value links nobody, as it is stored in the reason; staff read it. It begins with this.
JUNK_REASON = "Junk: "

CARRIER_NAT = ipaddress.ip_network("100.64.0.0/10")  # RFC 6598
# RFC 1918, RFC 4193, "this network" and the reserved end. Python's `is_private` also names the
# ranges for documentation, which examples and tests use as if they were lines.
PRIVATE = tuple(
    ipaddress.ip_network(cidr)
    for cidr in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "0.0.0.0/8",
        "240.0.0.0/4",
        "fc00::/7",
    )
)
PLACEHOLDERS = frozenset(
    {
        *("unknown", "undefined", "null", "nil", "none", "n/a", "na", "nan", "false", "true"),
        *("test", "default", "anonymous", "empty", "unavailable", "not_available"),
        *("not-available", "not available", "missing", "other", "generic", "[]", "{}"),
        *("[object object]", "device", "browser", "mobile", "desktop", "web", "android", "ios"),
        *("iphone", "ipad", "windows", "linux", "mac", "macos", "mac os x"),
    }
)
# Nothing but zeros, or nothing but f, in an identifier's usual shape.
BLANK = re.compile(r"(?:0x)?(?:[0\-:._]+|[f\-:._]+|[x\-:._?]+)", re.IGNORECASE)
# What every copy of a browser sends: Mozilla/5.0 (…) … without anything of this device.
USER_AGENT = re.compile(
    r"(?:mozilla|opera|dalvik|okhttp|curl|wget|python-requests|python-urllib|go-http-client"
    r"|java|axios|node-fetch|postmanruntime|cfnetwork|apache-httpclient)[/ ]\S*.*",
    re.IGNORECASE,
)
ANDROID_EMULATOR = "9774d56d682e549c"  # a known defect gave thousands of phones this ANDROID_ID


@lru_cache(maxsize=65_536)
def junk_reason(kind: str, value: str, proxies: tuple[str, ...] = ()) -> str:
    """Return why a value is no evidence, or nothing when it may be some.

    `proxies` are the networks of the site's own proxies.
    """
    if kind == IdentifierKind.IP:
        return _address(value, proxies)
    text = value.strip().lower()
    if text in PLACEHOLDERS or BLANK.fullmatch(text) or text == ANDROID_EMULATOR:
        return "placeholder"
    if kind == IdentifierKind.DEVICE and USER_AGENT.fullmatch(text):
        return "bare user agent"
    return ""


def _address(value: str, proxies: tuple[str, ...]) -> str:
    try:
        ip = ipaddress.ip_address(value)
    except ValueError:
        return "no address"
    if any(ip in ipaddress.ip_network(proxy, strict=False) for proxy in proxies):
        return "own proxy"
    for is_so, reason in (
        (ip.is_unspecified, "unspecified address"),
        (ip.is_loopback, "loopback address"),
        (ip.is_link_local, "link-local address"),
        (ip.is_multicast, "multicast address"),
        (ip.version == 4 and ip in CARRIER_NAT, "carrier NAT"),
        (any(ip in net for net in PRIVATE if net.version == ip.version), "private address"),
    ):
        if is_so:
            return reason
    return ""


def own_proxies() -> tuple[str, ...]:
    """Return the networks of the site's own proxies, as staff set them."""
    return tuple(configuration.setting("riskops.own_proxies"))
