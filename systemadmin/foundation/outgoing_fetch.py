"""Calls an address outside, by the same door as everything that goes out.

The name is resolved once and checked, the connection is made to the address that was checked,
redirects are not followed, and time and bytes are one budget for the whole.
"""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass

from systemadmin.foundation.addresses import is_public
from systemadmin.foundation.deadlines import Budget, TooMuch, within
from systemadmin.foundation.outgoing import AddressRefused, parse_url, resolve


class FetchFailed(Exception):
    """The document could not be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side answered."""

    status: int
    body: bytes


def fetch(url: str, *, seconds: float, most_bytes: int) -> bytes:
    """Return the body of a GET that is answered with 200; raises `FetchFailed`."""
    answer = exchange(url, seconds=seconds, most_bytes=most_bytes)
    if answer.status != 200:
        raise FetchFailed(f"answered with {answer.status}")
    return answer.body


def exchange(
    url: str,
    *,
    seconds: float,
    most_bytes: int,
    method: str = "GET",
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return the answer to one request, whatever its status; raises `FetchFailed`."""
    budget = Budget(seconds, most_bytes)
    connection: http.client.HTTPConnection | None = None
    try:
        # Plain http is for what the operator named in OUTGOING_PRIVATE_HOSTS: see below.
        target = parse_url(url, allow_private=url.startswith("http://"))
        address = within(
            budget.left(),  # the resolver knows no deadline of its own
            lambda: resolve(target.host, target.port, allow_private=False),
        )
        if target.scheme == "http" and is_public(address):
            raise FetchFailed("only https is read from the public internet")
        connection = budget.http_connection(target.scheme, target.host, target.port, address)
        sent = {"Accept": "application/json", **(headers or {})}
        connection.request(method, target.path, body=body, headers=sent)
        response = connection.getresponse()
        return Answer(response.status, response.read(most_bytes + 1))
    except AddressRefused as refused:
        raise FetchFailed(str(refused)) from refused
    except TooMuch as failure:
        raise FetchFailed("the answer is too long") from failure
    except (OSError, http.client.HTTPException, ValueError) as failure:
        raise FetchFailed(f"{type(failure).__name__}: {failure}"[:300]) from failure
    finally:
        if connection is not None:
            connection.close()
