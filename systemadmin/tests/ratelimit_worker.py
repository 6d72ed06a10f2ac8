"""One of several processes that count against the same limit; run by `test_ratelimit_exact.py`.

It has settings of its own, so that it starts fast and shares nothing but the store.
"""

import json
import sys

import django
from django.conf import settings
from django.core.management import call_command


def main():
    order = json.loads(sys.argv[1])
    settings.configure(
        DATABASES={"default": order["database"]} if order["database"] else {},
        CACHES={"default": order["cache"]},
        RATELIMIT_ENABLE=True,
        USE_TZ=True,
    )
    django.setup()
    if order["task"] == "prepare":
        call_command("createcachetable")
    else:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        sys.stdout.write(json.dumps({"counts": list(run(order))}))


def run(order):
    from django.test import RequestFactory
    from django_ratelimit.core import get_usage

    for _ in range(order["requests"]):
        usage = get_usage(
            RequestFactory().get("/"),
            group=order["key"],
            key=lambda *_: order["user"],
            rate=(order["limit"], 3600),
            increment=True,
        )
        yield usage["count"] if not usage["should_limit"] else None


if __name__ == "__main__":
    main()
