"""django-helpdesk's ticket list with as many rows, for comparison with bench/support.py.

Needs an environment of its own (`pip install django-helpdesk psycopg[binary]`) and an empty
database:

    DATABASE=helpdesk_bench python bench/support_helpdesk.py [--tickets 1000000]
"""

import argparse
import os
import resource
import signal
import statistics
import time

from django.conf import settings

settings.configure(
    SECRET_KEY="bench",  # a database of invented rows
    DEBUG=False,
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="helpdesk.urls",
    USE_TZ=True,
    STATIC_URL="/static/",
    MEDIA_ROOT="/tmp/helpdesk-bench",
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": os.environ.get("DATABASE", "helpdesk_bench"),
            "USER": os.environ.get("PGUSER", "postgres"),
            "PASSWORD": os.environ.get("PGPASSWORD", "postgres"),
            "HOST": os.environ.get("PGHOST", "127.0.0.1"),
            "CONN_MAX_AGE": 600,
        }
    },
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.sites",
        "django.contrib.humanize",
        "django.contrib.messages",
        "rest_framework",
        "helpdesk",
    ],
    SITE_ID=1,
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    HELPDESK_TEAMS_MODE_ENABLED=False,
    HELPDESK_ACTIVATE_API_ENDPOINT=True,
    HELPDESK_KB_ENABLED=True,
    REST_FRAMEWORK={},
)

import django

django.setup()

import logging

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client
from helpdesk.models import Queue, Ticket
from helpdesk.query import query_to_base64

logging.disable(logging.ERROR)


def sql(statement, params=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def columns(table):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_name = %s AND is_nullable = 'NO' AND column_default IS NULL "
            "AND is_identity = 'NO'",
            [table],
        )
        return dict(cursor.fetchall())


ZERO = {"boolean": "false", "character varying": "''", "text": "''", "integer": "0"}


def insert(table, source, **given):
    """Fill what must not be null with an empty value, and the rest with the given values."""
    values = {name: ZERO.get(kind, "now()") for name, kind in columns(table).items()}
    values |= given
    names = ", ".join(values)
    sql(f"INSERT INTO {table} ({names}) SELECT {', '.join(values.values())} {source}")


def fill(tickets):
    call_command("migrate", verbosity=0)
    if Ticket.objects.count() >= tickets:
        return
    began = time.time()
    queue, _new = Queue.objects.get_or_create(title="Bench", slug="bench")
    agent, _new = get_user_model().objects.get_or_create(
        username="agent", is_staff=True, is_superuser=True
    )
    sql("SET synchronous_commit = off")
    insert(
        "helpdesk_ticket",
        f"FROM generate_series(1, {tickets}) AS i",
        title="'Matter number ' || i",
        created=f"now() - ({tickets} - i) * interval '2 minutes'",
        modified=f"now() - ({tickets} - i) * interval '2 minutes'",
        queue_id=str(queue.pk),
        submitter_email="'member' || (i::bigint * 7919) % 100000 || '@example.test'",
        status="CASE WHEN i % 100 < 94 THEN 4 WHEN i % 100 < 99 THEN 1 ELSE 2 END",
        priority="1 + i % 5",
        description="'w' || (power(random(), 3) * 5000)::int || ' it has not arrived'",
        assigned_to_id=f"CASE WHEN i % 100 = 99 THEN NULL ELSE {agent.pk} END",
        secret_key="md5(i::text)",
    )
    insert(
        "helpdesk_followup",
        "FROM helpdesk_ticket t, generate_series(0, 4) AS n",
        ticket_id="t.id",
        date="t.created + n * interval '1 hour'",
        title="'Comment'",
        comment="'Reply ' || n || ': ' || repeat('we looked into it and ', 6)",
        public="n <> 3",
    )
    sql("ANALYZE")
    print(f"filled in {time.time() - began:.0f} s")


class Queries:
    """Counts statements as they pass."""

    count = 0

    def __call__(self, execute, sql, params, many, context):
        self.count += 1
        return execute(sql, params, many, context)


def too_long(_signal, _frame):
    raise TimeoutError("no answer within the time")


def measure(name, call, rounds, seconds=60):
    """Call up to that many times or seconds, at least once; print p50 and p99."""
    signal.alarm(seconds)
    try:
        answer = call()
    except Exception as error:  # a comparison shows what the other does, also when it fails
        print(f"{name:<46} {type(error).__name__}: {str(error)[:80]}")
        connection.close()  # it may have been interrupted in the middle of a statement
        return
    finally:
        signal.alarm(0)
    queries = Queries()
    with connection.execute_wrapper(queries):
        call()
    times, ends = [], time.perf_counter() + seconds
    while len(times) < rounds and (not times or time.perf_counter() < ends):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    p50, p99 = statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]
    status = answer.status_code
    print(
        f"{name:<46} {queries.count:>3} queries ({status}) {p50:>9.1f} {p99:>9.1f}"
        f"   ({len(times)} calls)",
        flush=True,
    )


def table_query(**more):
    """Return the query by which the staff ticket list asks for its rows, as DataTables does."""
    return query_to_base64(
        {"filtering": {}, "filtering_null": {}, "sorting": "created", "sortreverse": True,
         "search_string": "", **more}
    )  # fmt: skip


def run(rounds):
    client = Client()
    client.force_login(get_user_model().objects.get(username="agent"))
    table = {"draw": 1, "start": 0, "length": 25, "order[0][column]": 0, "order[0][dir]": "desc"}
    print(f"{'':<46} {'':>17} {'p50 ms':>9} {'p99 ms':>9}")
    for name, query in {
        "staff list, all": table_query(),
        "staff list, open": table_query(filtering={"status__in": [1]}),
        "staff list, search: a rare word": table_query(search_string="w4987"),
    }.items():
        url = f"/datatables_ticket_list/{query}"
        few = max(3, rounds // 20)
        measure(name, lambda url=url: client.get(url, table), few)
    measure("API list", lambda: client.get("/api/tickets/", {"page_size": 25}), rounds)
    measure("API list, status=1", lambda: client.get("/api/tickets/", {"status": 1}), rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    fill(options.tickets)
    # Its API list reads every ticket there is: it may run out of these, not of the machine's.
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    signal.signal(signal.SIGALRM, too_long)
    run(options.rounds)


if __name__ == "__main__":
    main()
