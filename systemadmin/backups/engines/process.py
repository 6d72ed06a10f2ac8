"""Database tools as child processes: time-outs, no secrets in arguments, no orphans."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, cast

from systemadmin.backups.errors import ToolFailed

PIPE_BYTES = 1 << 20
F_SETPIPE_SZ = 1031
STDERR_BYTES = 4000


@dataclass(frozen=True)
class Limits:
    """Seconds a tool may take in all, and may stay silent."""

    total: float = 6 * 3600
    silence: float = 900


@contextmanager
def password_file(password: str | None) -> Iterator[dict[str, str]]:
    """libpq's environment for a password kept in a file that only we may read.

    An environment variable would do for `ps`, but shows in /proc and in crash reports.
    """
    if not password:
        yield {}
        return
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    with tempfile.NamedTemporaryFile("w", prefix="pgpass-") as file:
        file.write(f"*:*:*:*:{escaped}\n")
        file.flush()
        yield {"PGPASSFILE": file.name}


@contextmanager
def lifeline() -> Iterator[int]:
    """Yield a pipe for a child's standard input whose other end closes however we die."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


def end_with_parent() -> None:
    """In the child: end at once when the process that holds the lifeline is gone."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def run(
    command: Sequence[str],
    *,
    env: dict[str, str],
    limits: Limits,
    stdin: IO[bytes] | int | None = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> bytes:
    """Run to the end and give back what it printed; fails with what it complained about."""
    with _child(command, env, stdin, pass_fds) as (child, errors):
        try:
            output, _ = child.communicate(timeout=limits.total)
        except subprocess.TimeoutExpired as error:
            raise ToolFailed(f"{command[0]} did not end within {limits.total:.0f} s.") from error
        _check(child, command, errors)
        return output


def stream(
    command: Sequence[str],
    *,
    env: dict[str, str],
    limits: Limits,
    stdin: IO[bytes] | int | None = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> Iterator[bytes]:
    """Yield what the tool prints, as it prints it; leaving early ends the tool."""
    deadline = time.monotonic() + limits.total
    with _child(command, env, stdin, pass_fds) as (child, errors):
        descriptor = cast(IO[bytes], child.stdout).fileno()
        _widen(descriptor)
        while True:
            patience = min(limits.silence, deadline - time.monotonic())
            ready, _, _ = select.select([descriptor], [], [], max(patience, 0))
            if not ready:
                raise ToolFailed(f"{command[0]} was silent for too long and has been ended.")
            data = os.read(descriptor, PIPE_BYTES)
            if not data:
                break
            yield data
        try:
            child.wait(timeout=limits.silence)
        except subprocess.TimeoutExpired as error:
            raise ToolFailed(f"{command[0]} closed its output but did not end.") from error
        _check(child, command, errors)


@contextmanager
def _child(
    command: Sequence[str],
    env: dict[str, str],
    stdin: IO[bytes] | int | None,
    pass_fds: Sequence[int],
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    with tempfile.TemporaryFile() as errors:
        try:
            # A process group of its own, so that parallel workers of pg_restore end with it.
            child = subprocess.Popen(  # noqa: S603 - built from settings, never from a request
                list(command),
                env={**os.environ, "LC_ALL": "C", **env},
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=pass_fds,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolFailed(
                f"{command[0]} could not be started; are the database's client tools installed?"
            ) from error
        try:
            yield child, errors
        finally:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.stdout:
        child.stdout.close()


def _check(child: subprocess.Popen[bytes], command: Sequence[str], errors: IO[bytes]) -> None:
    if child.returncode == 0:
        return
    errors.seek(0, os.SEEK_END)
    errors.seek(max(0, errors.tell() - STDERR_BYTES))
    said = errors.read().decode(errors="replace").strip()
    raise ToolFailed(f"{command[0]} ended with {child.returncode}: {said}")


def _widen(descriptor: int) -> None:
    """Widen the pipe to halve the switches between the tool and us; only Linux has the call."""
    try:
        import fcntl  # noqa: PLC0415 - absent on Windows

        fcntl.fcntl(descriptor, F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, OSError):
        pass
