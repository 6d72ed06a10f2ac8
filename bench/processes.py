"""Web processes for a measurement, as `docs/operations.md` runs them, each at a port of its own."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, seconds: float = 60) -> None:
    """Return once something listens there; `TimeoutError` when nothing does in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing answers at port {port}")


def granian(interface: str, port: int, *arguments: str) -> list[str]:
    """Return the command of one web process; `arguments` end with the application."""
    command = [sys.executable, "-m", "granian", "--interface", interface, "--workers", "1"]
    return [*command, "--host", "127.0.0.1", "--port", str(port), *arguments]
