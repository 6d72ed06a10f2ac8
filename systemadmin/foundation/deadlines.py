"""Outgoing calls with one budget of time and bytes for connect, TLS, headers and body together.

A socket's own time-out counts anew with every read, so a receiver that sends a byte now and then
holds the caller for as long as it likes. Here every operation gets what is left of the whole.
"""

import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPConnection, HTTPSConnection
from typing import Any, TypeVar

T = TypeVar("T")


class TooMuch(OSError):
    """The other side sent more bytes than a call may bring."""


class Budget:
    """What is left of one call: seconds, and bytes that may still come in."""

    def __init__(self, seconds: float, most_bytes: int = 1024 * 1024) -> None:
        self.seconds = seconds
        self.most_bytes = most_bytes
        self.renew()

    def renew(self) -> None:
        """Start counting anew: for a session of many calls (IMAP), before each of them."""
        self.end = time.monotonic() + self.seconds
        self.bytes_left = self.most_bytes

    def left(self) -> float:
        """Return the seconds left; raises `TimeoutError` when there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        return left

    def count(self, received: int) -> int:
        """Take bytes off the budget and return them; raises `TooMuch` when it is spent."""
        self.bytes_left -= received
        if self.bytes_left < 0:
            raise TooMuch("the answer is too long")
        return received

    # -- sockets ---------------------------------------------------------------------

    def connect(self, address: tuple[str, int], *_ignored: Any) -> socket.socket:
        """Return a connected socket whose every operation keeps to this budget.

        Has the shape of `socket.create_connection`, whose place it takes.
        """
        last: OSError = OSError("the host name does not resolve")
        for family, target in self.resolve(*address):
            plain = _PlainSocket(family, socket.SOCK_STREAM)
            plain.budget = self
            try:
                plain.settimeout(self.left())
                plain.connect(target)
                plain.settimeout(self.left())
                return plain
            except OSError as error:
                plain.close()
                last = error
        raise last

    def resolve(self, host: str, port: int) -> list[tuple[int, Any]]:
        """Return (family, address) pairs of a host within the budget.

        The system's resolver knows no deadline, so it is asked in a thread that is left behind.
        """
        found = within(self.left(), lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        return [(int(item[0]), item[4]) for item in found]

    def http_connection(self, scheme: str, host: str, port: int, address: str) -> HTTPConnection:
        """Return a connection to the address that was checked, whatever the name says by now.

        Its certificate is checked against the name.
        """
        connection = (
            HTTPSConnection(host, port, context=self.tls_context())
            if scheme == "https"
            else HTTPConnection(host, port)
        )
        vars(connection)["_create_connection"] = lambda *_args: self.connect((address, port))
        return connection

    def tls_context(self) -> ssl.SSLContext:
        """Return a verifying context whose connections keep to this budget."""
        context = ssl.create_default_context()
        context.sslsocket_class = type("_BudgetedTls", (_TlsSocket,), {"budget": self})
        return context

    def opener(self) -> urllib.request.OpenerDirector:
        """Return an opener of URLs (proxies of the environment included) under this budget."""
        return urllib.request.build_opener(_HttpHandler(self), _HttpsHandler(self), _NoRedirects)


class _Budgeted:
    """Gives each operation of a socket the time that is left of the whole."""

    budget: Budget

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.budget.left())
        return self.budget.count(super().recv_into(*args, **kwargs))

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        self.settimeout(self.budget.left())
        data: bytes = super().recv(*args, **kwargs)
        self.budget.count(len(data))
        return data

    def send(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.budget.left())
        return super().send(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.budget.left())
        super().sendall(*args, **kwargs)


class _PlainSocket(_Budgeted, socket.socket):
    pass


class _TlsSocket(_Budgeted, ssl.SSLSocket):
    pass


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return `call()`, or raise `TimeoutError` after so many seconds.

    For libraries that make their own sockets. The thread is left behind when time is up and ends
    with its own time-outs; it must not touch the database.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="outgoing", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError("no answer in time")
    return results[0]


# -- urllib under a budget -------------------------------------------------------------


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """An address that answers with another one is not followed: it could lead anywhere."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _budgeted(kind: type[HTTPConnection], budget: Budget) -> Callable[..., HTTPConnection]:
    def make(host: str, **options: Any) -> HTTPConnection:
        connection = kind(host, **options)
        connection._create_connection = budget.connect
        return connection

    return make


class _HttpHandler(urllib.request.HTTPHandler):
    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self.budget = budget

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_budgeted(HTTPConnection, self.budget), req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, budget: Budget) -> None:
        super().__init__()
        self.budget = budget

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(
            _budgeted(HTTPSConnection, self.budget),
            req,
            context=self.budget.tls_context(),
        )
