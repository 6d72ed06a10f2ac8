"""How granian reaches the application without confusing the names of headers.

WSGI writes `X-Forwarded-For` and `X_Forwarded_For` as one key, and of granian's WSGI interface the
later of the two wins: a client behind a proxy could choose its own address. Its RSGI interface
hands over the names as they were sent, so a header with an underscore is dropped here, as nginx,
gunicorn and Django's own server do. Behind a proxy nothing is served by granian's WSGI interface:
there the names are merged before they arrive.
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

from django.conf import settings

logger = logging.getLogger("atalaya.gateway")

Headers = list[tuple[str, str]]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# Larger bodies go to a file, and are refused above the second figure; nginx refuses far earlier.
IN_MEMORY = 1024 * 1024
LARGEST_BODY = 128 * 1024 * 1024
# What a streamed answer is sent in: each piece costs a change of threads.
PIECE = 64 * 1024
# Nothing is decided by them, and some old clients send them in other encodings.
HARMLESS = {"user-agent", "referer"}
_PLAIN: Headers = [("content-type", "text/plain; charset=utf-8")]


class BodyTooLarge(Exception):
    """The request's body exceeds LARGEST_BODY."""


@dataclass(slots=True)
class Answer:
    """What the application answered."""

    status: int = 500
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def start(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        """Take status and headers, as WSGI's `start_response` does."""
        self.status, self.headers = int(status.split(" ", 1)[0]), headers
        return self._refuse_writing

    @staticmethod
    def _refuse_writing(_data: bytes) -> None:
        raise NotImplementedError("write() of WSGI is not offered")


class Gateway:
    """The WSGI application, which granian may also call by its RSGI interface."""

    def __init__(self, application: Application, threads: int = 16) -> None:
        self.application = application
        self.threads = ThreadPoolExecutor(threads, thread_name_prefix="request")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """Answer a request; the server must drop headers with underscores, as gunicorn does."""
        if environ.get("SERVER_SOFTWARE") == "Granian" and settings.TRUSTED_PROXY_COUNT:
            logger.critical("granian's WSGI interface merges headers: use --interface rsgi")
            start_response("500 Internal Server Error", _PLAIN)
            return [b"The server is started with an interface that is not safe. See its log."]
        return self.application(environ, start_response)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Serve granian: the body is read here, the application runs in a thread."""
        loop = asyncio.get_running_loop()
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
            try:
                size = await _read(protocol, scope, body)
            except BodyTooLarge:
                protocol.response_bytes(413, _PLAIN, b"The request is too large.")
                return
            # Also for a chunked request, which names no length.
            unreadable = unreadable_headers(scope.headers)
            if unreadable:
                protocol.response_bytes(400, _PLAIN, _NOT_ASCII % unreadable.encode("latin-1"))
                return
            environ = environ_of(scope, body) | {"CONTENT_LENGTH": str(size) if size else ""}
            answer = await loop.run_in_executor(self.threads, self._run, environ, protocol, loop)
            if answer is not None:
                protocol.response_bytes(answer.status, answer.headers, answer.body)

    def _run(
        self, environ: dict[str, Any], protocol: Any, loop: asyncio.AbstractEventLoop
    ) -> Answer | None:
        """Return the answer of the application, or None when it was streamed.

        One thread does it all: what a stream reads of the database comes by that thread's own
        connection, which `close()` gives back.
        """
        answer, result = Answer(), None
        try:
            result = self.application(environ, answer.start)
            if getattr(result, "streaming", False):
                _stream(protocol, answer, result, loop)
                return None
            answer.body = b"".join(result)
        except Exception:
            logger.exception("the application failed outside of its own error handling")
            return None if getattr(result, "streaming", False) else _FAILED
        finally:
            getattr(result, "close", _nothing)()
        return answer


def _nothing() -> None:
    """Close nothing."""


_NOT_ASCII = b"These headers must be plain ASCII: %s"
_FAILED = Answer(500, _PLAIN, b"Internal error.")


def _stream(
    protocol: Any, answer: Answer, rest: Iterable[bytes], loop: asyncio.AbstractEventLoop
) -> None:
    async def begin() -> Any:
        return protocol.response_stream(answer.status, answer.headers)

    async def send(piece: bytes) -> None:
        await transport.send_bytes(piece)

    transport = asyncio.run_coroutine_threadsafe(begin(), loop).result()
    for piece in _pieces(rest):
        # Waits for a slow client, as any WSGI server does.
        asyncio.run_coroutine_threadsafe(send(piece), loop).result()


def _pieces(rest: Iterable[bytes]) -> Iterator[bytes]:
    held, size = [], 0
    for chunk in rest:
        held.append(chunk)
        size += len(chunk)
        if size >= PIECE:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


async def _read(protocol: Any, scope: Any, body: IO[bytes]) -> int:
    size = 0
    declared = scope.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > LARGEST_BODY:
        raise BodyTooLarge
    async for chunk in protocol:
        size += len(chunk)
        if size > LARGEST_BODY:
            raise BodyTooLarge
        body.write(chunk)
    body.seek(0)
    return size


def unreadable_headers(headers: Any) -> str:
    """Return the names of headers whose value granian leaves out because it is not ASCII, or "".

    It lists their names and not their values. Passed over, `X-Forwarded-For: é, 1.2.3.5` would
    make the client the proxy itself, and an `If-Match` that cannot be read would not be asked for.
    """
    left_out = set(headers.keys()) - {name for name, _value in headers.items()}
    return ", ".join(sorted(left_out - HARMLESS))


def without_underscores(application: Any) -> Any:
    """Return the ASGI application with headers dropped whose name holds an underscore."""

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if "headers" in scope:
            kept = [pair for pair in scope["headers"] if b"_" not in pair[0]]
            scope = {**scope, "headers": kept}
        await application(scope, receive, send)

    return guarded


def environ_of(scope: Any, body: IO[bytes]) -> dict[str, Any]:
    """Return the WSGI environ of a request, without the headers that have an underscore."""
    host, _colon, port = scope.server.rpartition(":")
    environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": _native(scope.path),
        "QUERY_STRING": _native(scope.query_string),
        "SERVER_NAME": host or "localhost",
        "SERVER_PORT": port if port.isdigit() else "80",
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        # The body is here whole: reading to its end never waits.
        "wsgi.input_terminated": True,
    }
    if scope.authority:
        environ["HTTP_HOST"] = _native(scope.authority)
    headers: dict[str, str] = {}
    for name, value in scope.headers.items():
        if "_" not in name:
            key = name.upper().replace("-", "_")
            headers[key] = f"{headers[key]},{value}" if key in headers else value
    for key, value in headers.items():
        plain = key in ("CONTENT_TYPE", "CONTENT_LENGTH")
        environ[key if plain else f"HTTP_{key}"] = _native(value)
    return environ


def _native(text: str) -> str:
    """Return text as WSGI holds it: its bytes, each as one character."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
