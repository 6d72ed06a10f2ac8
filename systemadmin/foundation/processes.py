"""What a process owes to its parent: a name of its own for ever, and an end with it."""

import ctypes
import os
import signal
import socket
import sys
import uuid

_PR_SET_PDEATHSIG = 1


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """Have the kernel send this process a signal when its parent dies (Linux; else nothing)."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it died a moment before the call
        os.kill(os.getpid(), number)


def unique_name() -> str:
    """Return host, process id and a random part.

    A container that starts again has the same host name and the same process ids as before.
    """
    return f"{socket.gethostname()[:70]}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
