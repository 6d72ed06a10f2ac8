"""IP addresses: one strict parser, the network that one client holds, and what is public."""

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# "[2001:db8::1]:443" is the longest sensible form, with a zone of 15 characters in it.
_LONGEST = 80
_PORT = re.compile(r"[0-9]{1,5}")
_ZONE = re.compile(r"[A-Za-z0-9_.~-]{1,32}")
# The part of an IPv6 address that a provider gives to one customer.
IPV6_PREFIX = 64


def parse_ip(text: str) -> str:
    """Return the normalised address in `text`, or "" when it holds none.

    Accepted are an address, `address:port` and `[address]:port`, each alone or in double quotes.
    A zone is dropped (`fe80::1%eth0`), and IPv4-mapped IPv6 becomes IPv4.
    """
    return _parsed(text) if len(text) <= _LONGEST else ""


@lru_cache(maxsize=4096)
def _parsed(text: str) -> str:
    text = text.strip(" \t")
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    host, port = _split_port(text)
    if port is not None and not _is_port(port):
        return ""
    address = _address(host)
    return str(getattr(address, "ipv4_mapped", None) or address) if address else ""


def _split_port(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in host or (rest and not rest.startswith(":")):
            return "", None
        return host, rest[1:] if rest else None
    if text.count(":") == 1:
        host, _colon, port = text.partition(":")
        return host, port
    return text, None


def _is_port(text: str) -> bool:
    return _PORT.fullmatch(text) is not None and 0 < int(text) < 65536


def _address(text: str) -> IPAddress | None:
    host, percent, zone = text.partition("%")
    if percent and (":" not in host or not _ZONE.fullmatch(zone)):
        return None
    try:
        return ipaddress.ip_address(host) if host.isascii() else None
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def network_of(ip: str) -> str:
    """Return what one client holds: a single IPv4 address, or the first one of an IPv6 /64.

    `ip` is an answer of `parse_ip`; "" stays "". Limits, lock-outs and floods count by it.
    """
    if ":" not in ip:
        return ip
    return str(ipaddress.ip_network(f"{ip}/{IPV6_PREFIX}", strict=False).network_address)


def client_network(ip: str) -> str:
    """Return the same as a network to block: `203.0.113.5/32` or `2001:db8:1:2::/64`."""
    return f"{network_of(ip)}/{IPV6_PREFIX if ':' in ip else 32}"


# -- what is reachable from everywhere ---------------------------------------------------

# The special-purpose registries of IANA (RFC 6890 and its updates), without the exceptions that
# some of them contain: nobody receives messages there. `ipaddress.is_global` of Python 3.11 lets
# several of them pass (192.0.0.8, 192.88.99.1, fec0::1, 64:ff9b:1::1, 2002:7f00:1::).
_NOT_PUBLIC_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# The only space that is handed out for use on the internet (RFC 4291).
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6 = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # Teredo, ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries any IPv4 address, and is no longer used
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
# With the well-known NAT64 prefix, names of IPv4 hosts resolve to this in IPv6-only networks.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_within(ip: str, networks: Iterable[str]) -> bool:
    """Return whether an address lies in one of the networks; what is no address lies in none."""
    plain = parse_ip(ip)
    if not plain:
        return False
    address = ipaddress.ip_address(plain)
    return any(address in ipaddress.ip_network(network) for network in networks)


def is_public(ip: str) -> bool:
    """Return whether an address is globally routable unicast.

    An IPv6 address that carries an IPv4 address (mapped, NAT64) is as public as the inner one.
    Everything that is no address is not public.
    """
    address = _address(ip)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is None:
            return address in _UNICAST_V6 and not _is_in(address, _NOT_PUBLIC_V6)
        address = inner
    return address is not None and not _is_in(address, _NOT_PUBLIC_V4)


def _is_in(
    address: IPAddress, networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
) -> bool:
    return any(address in network for network in networks)
