"""Signs of life that a process sends to the supervisor that started it."""

import os
import socket
from contextlib import suppress

SOCKET_VARIABLE = "ATALAYA_LIVENESS_SOCKET"


def send_sign_of_life() -> None:
    """Send this process's id to its supervisor; do nothing where there is none.

    A supervisor that is busy or gone is no reason to fail.
    """
    path = os.environ.get(SOCKET_VARIABLE, "")
    if not path:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.setblocking(False)
        out.sendto(str(os.getpid()).encode(), path)
