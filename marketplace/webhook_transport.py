"""Sends one signed message to one address, and to nowhere it should not go.

The name is resolved once, every address behind it must be public, and the connection is made to
the address that was checked: a name that changes its mind between check and use gains nothing.
Redirects are not followed, answers are read to a small limit, certificates are verified.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass

from systemadmin.foundation.outgoing import AddressRefused, parse_url, resolve

READ_LIMIT = 64 * 1024
EXCERPT = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status, or an error when nothing did."""

    status: int | None
    error: str
    excerpt: str
    duration_ms: int


def send(
    url: str, body: bytes, headers: Mapping[str, str], *, timeout: float, allow_private: bool
) -> Answer:
    """Post a body and report what happened; never raises for what the other side does."""
    started = time.monotonic()
    status, error, excerpt = None, "", ""
    connection = None
    try:
        target = parse_url(url, allow_private=allow_private)
        address = resolve(target.host, target.port, allow_private=allow_private)
        connection = _connection(target.scheme, target.host, target.port, address, timeout)
        connection.request("POST", target.path, body, dict(headers))
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
