"""A server that answers a little at a time, for as long as one listens."""

import socket
import threading
from contextlib import contextmanager


@contextmanager
def dripping(first=b"", drop=b"X-Slow: 1\r\n", seconds=0.1, greeting_after_read=True):
    """Yield (port, connections): each gets `first`, then `drop` again and again."""
    stop = threading.Event()
    taken = []

    def serve(connection):
        try:
            if greeting_after_read:
                connection.recv(65536)
            connection.sendall(first)
            while not stop.wait(seconds):
                connection.sendall(drop)
        except OSError:
            return

    def accept(server):
        while True:
            try:
                connection, _address = server.accept()
            except OSError:
                return
            taken.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        try:
            yield server.getsockname()[1], taken
        finally:
            stop.set()
            server.shutdown(socket.SHUT_RDWR)
            for connection in taken:
                connection.close()
