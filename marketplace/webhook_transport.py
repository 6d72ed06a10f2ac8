"""Sends one signed message to one address, and to nowhere it should not go.

The name is resolved once, every address behind it must be public, and the connection is made to
the address that was checked: a name that changes its mind between check and use gains nothing.
Redirects are not followed, answers are read to a small limit, certificates are verified.
"""

import http.client
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

READ_LIMIT = 64 * 1024
EXCERPT = 500


class AddressRefused(Exception):
    """The address is not one we send to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, or an error when nothing did."""

    status: int | None
    error: str
    excerpt: str
    duration_ms: int


def check_url(url: str, *, allow_private: bool) -> tuple[str, str, int, str]:
    """Return (scheme, host, port, path) of an acceptable address, or raise AddressRefused."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused("not a valid address") from error
    host = parts.hostname
    if parts.scheme not in (("https", "http") if allow_private else ("https",)) or not host:
        raise AddressRefused("only https addresses are accepted")
    if parts.username or parts.password:
        raise AddressRefused("an address must not hold credentials")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path


def resolve(host: str, port: int, *, allow_private: bool) -> str:
    """Return one address of the host after checking all of them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefused("the host name does not resolve") from error
    addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
    for address in addresses:
        if not allow_private and not is_public(address):
            raise AddressRefused("the host is not on the public internet")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address is a public one, also behind IPv4-in-IPv6 notations."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def send(
    url: str, body: bytes, headers: Mapping[str, str], *, timeout: float, allow_private: bool
) -> Answer:
    """Post a body and report what happened; never raises for what the other side does."""
    started = time.monotonic()
    status, error, excerpt = None, "", ""
    connection = None
    try:
        scheme, host, port, path = check_url(url, allow_private=allow_private)
        address = resolve(host, port, allow_private=allow_private)
        connection = _connection(scheme, host, port, address, timeout)
        connection.request("POST", path, body, dict(headers))
        response = connection.getresponse()
        status = response.status
        excerpt = response.read(READ_LIMIT).decode("utf-8", "replace").replace("\x00", "")[:EXCERPT]
    except AddressRefused as refused:
        error = str(refused)
    except TimeoutError:
        error = "no answer in time"
    except (OSError, http.client.HTTPException, ValueError) as failure:
        error = f"{type(failure).__name__}: {failure}"[:300]
    finally:
        if connection is not None:
            connection.close()
    return Answer(status, error, excerpt, int((time.monotonic() - started) * 1000))


def _connection(
    scheme: str, host: str, port: int, address: str, timeout: float
) -> http.client.HTTPConnection:
    if scheme == "https":
        return _PinnedHTTPS(host, port, address, timeout)
    return _PinnedHTTP(host, port, address, timeout)


class _PinnedHTTP(http.client.HTTPConnection):
    """Speaks to the checked address, whatever the name says by now."""

    def __init__(self, host: str, port: int, address: str, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self.address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self.address, self.port), self.timeout)


class _PinnedHTTPS(http.client.HTTPSConnection):
    """The same with the certificate checked against the name."""

    def __init__(self, host: str, port: int, address: str, timeout: float) -> None:
        self.context = ssl.create_default_context()
        super().__init__(host, port, timeout=timeout, context=self.context)
        self.address = address

    def connect(self) -> None:
        plain = socket.create_connection((self.address, self.port), self.timeout)
        self.sock = self.context.wrap_socket(plain, server_hostname=self.host)
