"""Measures the help desk on PostgreSQL with a million tickets and five million replies.

    DATABASE_URL=postgres://… python bench/support.py [--tickets 1000000] [--rounds 100]

The database should be an empty one of its own: it is filled once and used again on the next run.
`bench/support_helpdesk.py` measures django-helpdesk on the same machine with as many rows.
"""

import argparse
import os
import random
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("DJANGO_DEBUG", "1")
os.environ.setdefault("DATABASE_PERSISTENT", "1")

import django

django.setup()

import logging

from databases import set_defaults
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from support.models import Category, Tag, Ticket
from systemadmin.models import ApiToken, User

settings.ALLOWED_HOSTS = ["*"]
settings.RATELIMIT_ENABLE = False
logging.disable(logging.ERROR)

MEMBERS, AGENTS, CATEGORIES, TAGS = 100_000, 50, 10, 30
VOCABULARY = 5_000
DOCUMENTS = 20_000


def sql(statement, params=None):
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


# -- rows ------------------------------------------------------------------------------


def fill(tickets):
    """Nine in ten tickets are closed, as on a desk that has been open for years."""
    began = time.time()
    call_command("migrate", verbosity=0)
    if Ticket.objects.count() >= tickets:
        return
    make_people()
    sql(
        """
        INSERT INTO support_ticket (created_at, updated_at, version, number, subject,
            requester_id, requester_email, requester_name, language, assignee_id, category_id,
            status, priority, channel, next_due_at, overdue_since, first_response_due_at,
            first_responded_at, resolution_due_at, resolved_at, closed_at, reply_count,
            first_response_seconds, resolution_seconds, last_customer_reply_at)
        SELECT born, born + interval '2 hours', 1,
            'T-' || (2020 + i * 6 / %(n)s) || '-' || lpad(i::text, 7, '0'),
            'Matter number ' || i, %(members)s + (i::bigint * 7919) %% %(member_count)s,
            '', '', 'en',
            CASE WHEN state = 'new' THEN NULL ELSE %(agents)s + (i * 31) %% %(agent_count)s END,
            %(categories)s + i %% %(category_count)s, state,
            (ARRAY['low', 'medium', 'medium', 'high', 'urgent'])[1 + i %% 5], 'api',
            CASE WHEN state IN ('new', 'in_progress') AND i %% 3 > 0
                 THEN now() + (i %% 1000) * interval '1 minute' END,
            CASE WHEN state IN ('new', 'in_progress') AND i %% 3 = 0 AND i %% 7 = 0
                 THEN now() - interval '1 hour' END,
            born + interval '4 hours', born + interval '1 hour', NULL,
            CASE WHEN state IN ('resolved', 'closed') THEN born + interval '2 days' END,
            CASE WHEN state = 'closed' THEN born + interval '3 days' END, 5,
            i %% 14400, i %% 172800, born
        FROM (SELECT i, now() - (%(n)s - i) * interval '2 minutes' AS born,
                CASE WHEN i %% 100 < 90 THEN 'closed' WHEN i %% 100 < 94 THEN 'resolved'
                     WHEN i %% 100 < 96 THEN 'waiting_customer'
                     WHEN i %% 100 < 99 THEN 'in_progress' ELSE 'new' END AS state
              FROM generate_series(1, %(n)s) AS i) AS made
        """,
        {
            "n": tickets,
            "members": User.objects.filter(username="bench-member-0").get().pk,
            "member_count": MEMBERS,
            "agents": User.objects.filter(username="bench-agent-0").get().pk,
            "agent_count": AGENTS,
            "categories": Category.objects.order_by("pk").first().pk,
            "category_count": CATEGORIES,
        },
    )
    make_replies()
    make_words()
    sql("ANALYZE")
    print(f"filled in {time.time() - began:.0f} s")


def make_people():
    set_defaults()
    sql("SET synchronous_commit = off")
    for kind, count, staff in (("member", MEMBERS, False), ("agent", AGENTS, True)):
        User.objects.bulk_create(
            [
                User(username=f"bench-{kind}-{i}", email=f"{kind}{i}@example.test", is_staff=staff)
                for i in range(count)
            ],
            batch_size=5000,
        )
    Category.objects.bulk_create(
        [Category(code=f"bench-{i}", name=f"Category {i}") for i in range(CATEGORIES)]
    )
    Tag.objects.bulk_create([Tag(name=f"tag{i}") for i in range(TAGS)])


def make_replies():
    sql(
        """
        INSERT INTO support_reply (created_at, updated_at, ticket_id, kind, is_from_customer,
            author_id, author_name, body, original_text, original_html, source, said_at)
        SELECT t.created_at + n * interval '1 hour', t.created_at, t.id,
            CASE WHEN n = 3 THEN 'internal' ELSE 'public' END, n IN (0, 2),
            CASE WHEN n IN (0, 2) THEN t.requester_id ELSE t.assignee_id END, 'x',
            'Reply ' || n || ' of ' || t.number || ': ' || repeat('we looked into it and ', 6),
            '', '', 'api', t.created_at + n * interval '1 hour'
        FROM support_ticket t, generate_series(0, 4) AS n
        """
    )
    sql(
        "UPDATE support_ticket t SET last_reply_id = r.id FROM support_reply r "
        "WHERE r.ticket_id = t.id AND r.said_at = t.created_at + interval '4 hours' "
        "AND t.status IN ('new', 'in_progress')"
    )
    sql(
        "INSERT INTO support_ticket_tags (ticket_id, tag_id) SELECT t.id, (SELECT min(id) "
        "FROM support_tag) + t.id %% %s FROM support_ticket t WHERE t.id %% 2 = 0",
        [TAGS],
    )


def make_words():
    """Words as skewed as those of a language: a few everywhere, most of them rare."""
    rng = random.Random(4)
    documents = [
        " ".join({f"w{int(VOCABULARY * rng.random() ** 3)}" for _ in range(45)})
        for _ in range(DOCUMENTS)
    ]
    sql("CREATE TEMPORARY TABLE words (id int, document text)")
    with connection.cursor() as cursor, cursor.copy("COPY words FROM STDIN") as copy:
        for i, document in enumerate(documents):
            copy.write_row((i, document))
    sql("DROP INDEX IF EXISTS ticket_search_words")
    sql(
        "INSERT INTO support_ticketsearch (ticket_id, document) SELECT t.id, "
        "'t ' || split_part(t.number, '-', 3) || ' matter ' || w.document "
        "FROM support_ticket t JOIN words w ON w.id = t.id %% %s",
        [DOCUMENTS],
    )
    sql(
        "CREATE INDEX ticket_search_words ON support_ticketsearch "
        "USING gin (array_to_tsvector(string_to_array(document, ' ')))"
    )


# -- measuring -------------------------------------------------------------------------


def client_of(user):
    _token, secret = ApiToken.objects.create(user=user, two_factor_at=timezone.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


class Queries:
    """Counts statements as they pass."""

    count = 0

    def __call__(self, execute, sql, params, many, context):
        self.count += 1
        return execute(sql, params, many, context)


def measure(name, call, rounds):
    call()
    queries = Queries()
    with connection.execute_wrapper(queries):
        answer = call()
    assert answer.status_code == 200, answer.content
    body = answer.json()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    p50, p99 = statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]
    rows = len(body.get("results", [body]))
    print(
        f"{name:<46} {queries.count:>3} queries {rows:>4} rows {p50:>9.1f} {p99:>9.1f}", flush=True
    )


def run(rounds):
    agent = User.objects.filter(username="bench-agent-0").get()
    agent.is_superuser = True
    agent.save()
    desk, url = client_of(agent), "/api/admin/tickets"
    requester = Ticket.objects.order_by("-pk").first().requester
    number = Ticket.objects.order_by("-pk")[1000].number
    month = (timezone.now() - timezone.timedelta(days=30)).isoformat()
    lists = {
        "all, newest first": {},
        "page of 100": {"page_size": 100},
        "status=new": {"status": "new"},
        "status=closed": {"status": "closed"},
        "assignee=me": {"assignee": "me"},
        "assignee=me, status=in_progress": {"assignee": "me", "status": "in_progress"},
        "unassigned, open": {"assignee": "none", "status": "new"},
        "overdue": {"overdue": "true"},
        "priority=urgent": {"priority": "urgent"},
        "user": {"user": requester.pk},
        "category": {"category": Category.objects.order_by("pk").first().pk},
        "tag": {"tag": "tag4"},
        "created_after a month ago": {"created_after": month},
        "ordering=-priority": {"ordering": "-priority"},
        "ordering=next_due_at": {"ordering": "next_due_at"},
        "ordering=-updated_at": {"ordering": "-updated_at"},
        "search: one number": {"search": number.split("-")[2]},
        "search: a rare word": {"search": "w4987"},
        "search: a frequent word": {"search": "w3 "},
        "search: two words": {"search": "w12 w4321"},
        "search: prefix of many": {"search": "w49"},
        "search and status=new": {"search": "w40", "status": "new"},
    }
    print(f"{'':<46} {'':>11} {'':>9} {'p50 ms':>9} {'p99 ms':>9}")
    for name, params in lists.items():
        measure(name, lambda params=params: desk.get(url, params), rounds)
    deep = desk.get(url).json()
    for _ in range(20):
        deep = desk.get(deep["next"]).json()
    measure("20 pages on", lambda: desk.get(deep["next"]), rounds)
    ticket = Ticket.objects.filter(status="new").order_by("-pk").first()
    measure("one ticket with its conversation", lambda: desk.get(f"{url}/{ticket.pk}"), rounds)
    mine = client_of(requester)
    measure("member: own tickets", lambda: mine.get("/api/tickets"), rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    fill(options.tickets)
    run(options.rounds)


if __name__ == "__main__":
    main()
