"""Sends one signed message to one address, and to nowhere it should not go.

The name is resolved once, every address behind it must be public, and the connection is made to
the address that was checked: a name that changes its mind between check and use gains nothing.
Redirects are not followed, answers are read to a small limit, certificates are verified. The time
is one budget for the whole: name, connection, TLS, headers and body.
"""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass

from systemadmin.foundation.deadlines import Budget, TooMuch, within
from systemadmin.foundation.outgoing import AddressRefused, parse_url, resolve

# Headers and body together; http.client itself takes at most 100 headers.
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
    budget = Budget(timeout, 2 * READ_LIMIT)
    status, error, excerpt = None, "", ""
    connection = None
    try:
        target = parse_url(url, allow_private=allow_private)
        address = within(
            budget.left(),  # the resolver knows no deadline of its own
            lambda: resolve(target.host, target.port, allow_private=allow_private),
        )
        connection = budget.http_connection(target.scheme, target.host, target.port, address)
        connection.request("POST", target.path, body, dict(headers))
        response = connection.getresponse()
        status = response.status
        excerpt = response.read(READ_LIMIT).decode("utf-8", "replace").replace("\x00", "")[:EXCERPT]
    except AddressRefused as refused:
        error = str(refused)
    except TimeoutError:
        error = "no answer in time"
    except TooMuch:
        error = "the answer is too long"
    except (OSError, http.client.HTTPException, ValueError) as failure:
        error = f"{type(failure).__name__}: {failure}"[:300]
    finally:
        if connection is not None:
            connection.close()
    return Answer(status, error, excerpt, int((time.monotonic() - started) * 1000))
