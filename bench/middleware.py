"""CPU per request of one small endpoint with and without our middleware, in one run.

    python bench/middleware.py [--requests 3000] [--profile]

Runs as in production (no debug, logs to files) on SQLite in a folder of its own, or on the empty
database that DATABASE_URL names; REDIS_URL counts the limits there. Requests go through Django's
WSGI handler in this process, in turns of a hundred, so that whatever slows the machine meets all
sides alike. `--profile` prints where the time of the whole stack goes.
"""

import argparse
import cProfile
import io
import os
import pstats
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FOLDER = tempfile.TemporaryDirectory(prefix="atalaya-middleware-")
os.environ.update(
    DJANGO_SETTINGS_MODULE="config.settings",
    DJANGO_DEBUG="0",
    DJANGO_SECRET_KEY="of-a-benchmark-that-keeps-nothing-" + "0" * 30,
    DJANGO_ALLOWED_HOSTS="testserver",
    DJANGO_TLS="0",
    DATABASE_PERSISTENT="1",
    VAR_DIR=FOLDER.name,
)

import django

django.setup()

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.test import override_settings
from django.urls import path
from knox.crypto import hash_token
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from config.urls import urlpatterns as ours
from messaging import services
from systemadmin.api.authentication import BearerAuthentication
from systemadmin.models import ApiToken, User
from systemadmin.services import change_settings

PATH = "/api/messages/unread-count"
PLAIN_PATH = "/plain/unread-count"
TURN = 100


class PlainView(APIView):
    """The same answer by the same token check, without our base viewset."""

    authentication_classes = (BearerAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        """How many messages the member has not read."""
        return Response({"unread_count": services.unread_total(request.user.pk)})


urlpatterns = [*ours, path(PLAIN_PATH[1:], PlainView.as_view())]


def environ(address, token):
    """Return what a web server hands over for one GET."""
    return {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": address,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "testserver",
        "HTTP_USER_AGENT": "bench",
        "HTTP_ACCEPT": "application/json",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b""),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def ask(handler, address, token):
    """Send one request and read its answer to the end."""
    seen = {}
    response = handler(
        environ(address, token), lambda status, headers: seen.update(status=status, headers=headers)
    )
    body = b"".join(response)
    response.close()
    if not seen["status"].startswith("200"):
        raise SystemExit(f"{address}: {seen['status']} {body!r}")
    return seen["headers"]


def turn(handler, address, token):
    """Return the CPU seconds of one request, averaged over a turn."""
    started = time.process_time()
    for _ in range(TURN):
        ask(handler, address, token)
    return (time.process_time() - started) / TURN


def handlers():
    """Return the three sides: name, handler, address."""
    with override_settings(MIDDLEWARE=[]):
        bare = WSGIHandler()
    return [
        ("bare", bare, PATH),
        ("whole", WSGIHandler(), PATH),
        ("plain", bare, PLAIN_PATH),
    ]


def profile(handler, token):
    """Print where a thousand requests spend their time."""
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(1000):
        ask(handler, PATH, token)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(70)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(35)


def make_caller():
    """Return a member's token; the limits are raised so that nothing is refused."""
    call_command("migrate", verbosity=0)
    change_settings(actor=None, values={"ratelimit.read": "999999999/m"})
    change_settings(actor=None, values={"blocking.flood_per_minute": 1_000_000})
    user = User.objects.create_user(username=f"bench-{os.getpid()}", password="not used by any")
    _row, token = ApiToken.objects.create(user=user)
    assert ApiToken.objects.filter(digest=hash_token(token)).exists()
    return token


def main():
    """Measure, print, and fail when the middleware costs more than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=3000, help="of each side")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--at-most", type=float, default=1.3, help="whole : bare")
    options = parser.parse_args()
    with override_settings(ROOT_URLCONF=__name__):
        token = make_caller()
        # Log lines are written as in production, to a file that nobody reads here.
        sys.stderr.flush()
        os.dup2(os.open(Path(FOLDER.name) / "console.log", os.O_WRONLY | os.O_CREAT), 2)
        sides = handlers()
        for _name, handler, address in sides:
            turn(handler, address, token)
        if options.profile:
            profile(sides[1][1], token)
            return
        turns = {name: [] for name, _handler, _address in sides}
        for _ in range(max(1, options.requests // TURN)):
            for name, handler, address in sides:
                turns[name].append(turn(handler, address, token))
    report(turns, options.at_most)


def report(turns, at_most):
    """Print the medians and the ratio of each turn to its neighbour."""
    engine = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]
    print(f"{engine}, limits in {'Redis' if settings.REDIS_URL else 'the database'}")
    for name, seconds in turns.items():
        print(f"  {name:6} {statistics.median(seconds) * 1e6:7.0f} µs CPU a request")
    ratios = {
        other: statistics.median(
            whole / side for whole, side in zip(turns["whole"], turns[other], strict=True)
        )
        for other in ("bare", "plain")
    }
    print(f"  whole : bare (same view, no middleware)        {ratios['bare']:.2f}  (≤ {at_most})")
    print(f"  whole : plain (stock APIView, no limit counted) {ratios['plain']:.2f}")
    if ratios["bare"] > at_most:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
