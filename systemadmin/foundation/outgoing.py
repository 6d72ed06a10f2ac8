"""Addresses that people type and that we then connect to: checked when saved and when used.

An address in the environment (`TELEGRAM_API_URL`, `ALERT_URLS`, `EMAIL_URL`) is the operator's own
and is not checked here: it may lie in a private network on purpose. Which private hosts staff may
name is the operator's word as well: `OUTGOING_PRIVATE_HOSTS`.
"""

import ipaddress
import re
import socket
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import psutil
from django.conf import settings
from django.utils.translation import gettext as _

from systemadmin.foundation.addresses import IPNetwork, is_public, parse_ip

_PORTS = {"https": 443, "http": 80}
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
)
# A form waits no longer for a name server than people do; the delivery asks again anyway.
SAVE_SECONDS = 2.0
_lookups = ThreadPoolExecutor(4, thread_name_prefix="name-lookup")


class AddressRefused(Exception):
    """The address is not one that we connect to; the text says why."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The parts of an accepted URL; `host` is a plain ASCII name or address."""

    scheme: str
    host: str
    port: int
    path: str


def parse_url(url: str, *, allow_private: bool) -> Destination:
    """Return the parts of an acceptable URL without asking a name server.

    Raises `AddressRefused`. With `allow_private`, `http` and every host are accepted.
    """
    parts, host, port = _split(url)
    _check_parts(parts, host, port, ("https", "http") if allow_private else ("https",))
    if not allow_private:
        check_host(host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, host, port or _PORTS[parts.scheme], path)


def _split(url: str) -> tuple[SplitResult, str, int | None]:
    """Return the parts of a URL with its host in plain ASCII and its port."""
    if any(char.isspace() or char in "\\" or ord(char) < 32 for char in url):
        raise AddressRefused(_("This is not a valid address."))
    try:
        parts = urlsplit(url)
        return parts, normal_host(parts.hostname or ""), parts.port
    except ValueError as error:
        raise AddressRefused(_("This is not a valid address.")) from error


def _check_parts(parts: SplitResult, host: str, port: int | None, schemes: Collection[str]) -> None:
    """Refuse another scheme, credentials, port 0 and brackets around what is no IPv6 address."""
    if parts.scheme not in schemes:
        raise AddressRefused(_("Only https addresses are accepted."))
    if "@" in parts.netloc:
        raise AddressRefused(_("An address must not hold credentials."))
    if port == 0 or ("[" in parts.netloc and ":" not in host):
        raise AddressRefused(_("This is not a valid address."))


def normal_host(text: str) -> str:
    """Return a host as ASCII in small letters, without the dot at its end; ValueError otherwise.

    Other spellings of an IPv4 address (`2130706433`, `0x7f.1`, `0177.0.0.1`) are not hosts: what
    checks an address and what connects to it might read them differently.
    """
    if parse_ip(text) and ":" in text and "%" not in text:
        return text.lower()
    # The codec also turns full-width digits and dots into plain ones.
    host = text.encode("idna").decode("ascii").lower().removesuffix(".")
    if not _HOST_NAME.fullmatch(host) or (_is_old_ipv4(host) and parse_ip(host) != host):
        raise ValueError(text)
    return host


def _is_old_ipv4(host: str) -> bool:
    try:
        socket.inet_aton(host)
    except OSError:
        return False
    return True


def check_host(host: str) -> None:
    """Refuse what needs no name server to be known as not public; raises `AddressRefused`."""
    if parse_ip(host):
        _check_address(host, host)
    elif host in _permitted()[0]:
        return
    elif "." not in host or host in own_names() or host.endswith(_LOCAL_ENDINGS):
        raise AddressRefused(_("This host is not on the public internet."))


# Names that never leave a machine or a local network (RFC 6761, RFC 6762, RFC 8375, RFC 9476).
_LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".home.arpa", ".localdomain", ".alt")


def own_names() -> set[str]:
    """Return the names under which this installation is reached."""
    hosts = {str(name).lstrip(".").lower() for name in settings.ALLOWED_HOSTS if name != "*"}
    public = urlsplit(settings.PUBLIC_URL).hostname
    return hosts | {
        name.lower() for name in (public, socket.gethostname(), socket.getfqdn()) if name
    }


def _own_addresses() -> set[str]:
    families = (socket.AF_INET, socket.AF_INET6)
    found = [row for rows in psutil.net_if_addrs().values() for row in rows]
    return {parse_ip(row.address) for row in found if row.family in families}


def _check_address(ip: str, host: str) -> None:
    if _is_permitted(ip, host):
        return
    if not is_public(ip):
        raise AddressRefused(_("This host is not on the public internet."))
    if parse_ip(ip) in _own_addresses():
        raise AddressRefused(_("This is the address of this machine."))


def _is_permitted(ip: str, host: str) -> bool:
    names, networks = _permitted()
    plain = parse_ip(ip)
    return host in names or bool(
        plain and any(ipaddress.ip_address(plain) in network for network in networks)
    )


def _permitted() -> tuple[set[str], list[IPNetwork]]:
    """Return the names and the networks that the operator lets staff connect to."""
    names, networks = set(), []
    for entry in settings.OUTGOING_PRIVATE_HOSTS:
        try:
            networks.append(ipaddress.ip_network(entry.strip(), strict=False))
        except ValueError:
            names.add(entry.strip().lower().removesuffix("."))
    return names, networks


def resolve(host: str, port: int, *, allow_private: bool) -> str:
    """Return one address of the host after checking all of them; raises `AddressRefused`.

    Connect to this address and not to the name: a name may change its mind in between.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressRefused(_("The host name does not resolve.")) from error
    addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
    if not allow_private:
        check_host(host)
        for address in addresses:
            _check_address(address, host)
    return addresses[0]


def check_url_to_save(url: str) -> None:
    """Refuse a URL that staff typed and that leads inside; raises `AddressRefused`.

    A name that does not resolve (yet), or not in time, is accepted: it is checked at each use.
    """
    target = parse_url(url, allow_private=False)
    _check_name_in_time(target.host, target.port)


def check_host_to_save(host: str, port: int) -> None:
    """Refuse a host that staff typed, by the same rule; raises `AddressRefused`."""
    try:
        plain = normal_host(host)
    except ValueError as error:
        raise AddressRefused(_("This is not a valid address.")) from error
    check_host(plain)
    _check_name_in_time(plain, port)


def connect_address(host: str, port: int) -> str:
    """Return the checked address to connect to for a host that staff typed."""
    try:
        return resolve(normal_host(host), port, allow_private=False)
    except ValueError as error:
        raise AddressRefused(_("This is not a valid address.")) from error


def _check_name_in_time(host: str, port: int) -> None:
    try:
        _lookups.submit(_check_name, host, port).result(SAVE_SECONDS)
    except TimeoutError:
        return


def _check_name(host: str, port: int) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    for item in found:
        _check_address(str(item[4][0]), host)
