"""A WSGI application that can be made to hang, for the test of the supervisor."""

import os
import re
import threading

from config.liveness import watched_wsgi

_never = threading.Lock()
_never.acquire()


def application(environ, start_response):
    """Answer the process id; `/gil` keeps the interpreter for minutes, `/lock` one thread."""
    path = environ["PATH_INFO"]
    if path == "/gil":
        re.match(r"(a+)+$", "a" * 40 + "b")
    if path == "/lock":
        _never.acquire()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


application = watched_wsgi(application)
