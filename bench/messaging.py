"""Measures the messaging desk on PostgreSQL; makes its own rows and removes nothing else.

    DATABASE_URL=postgres://… python bench/messaging.py [--messages 5000000] [--streams 1000]

The database should be an empty one of its own: it is filled once and used again on the next run.
Beside each figure stands what it is compared with, measured in the same run.
"""

import argparse
import random
import sys
import time

import psycopg

from messaging_rows import fill, raw, show, timed, turn_about  # isort: skip  # sets up Django
from messaging_live import measure_broadcast, measure_streams  # isort: skip
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from messaging import services
from messaging.models import Mailbox, Message, Participant
from systemadmin.models import ApiToken, User
from systemadmin.services import change_settings

PAGE = 25

# -- what it is compared with -------------------------------------------------------------

RAW_LIST = """
SELECT * FROM (
    SELECT DISTINCT ON (m.conversation_id) m.conversation_id, m.id, m.body, m.sender_id,
        m.created_at
    FROM messaging_message m JOIN messaging_conversation c ON c.id = m.conversation_id
    WHERE c.lower_id = %(user)s OR c.higher_id = %(user)s
    ORDER BY m.conversation_id, m.seq DESC
) newest ORDER BY created_at DESC LIMIT 25
"""
RAW_UNREAD = """
SELECT count(*) FROM messaging_participant p
JOIN messaging_message m ON m.conversation_id = p.conversation_id AND m.seq > p.last_read_seq
WHERE p.user_id = %(user)s AND m.sender_id <> %(user)s AND NOT m.is_hidden_for_recipient
"""
# The same rows as one send, in one statement and one round trip.
RAW_SEND = """
WITH thread AS (
    UPDATE messaging_conversation SET last_seq = last_seq + 1, updated_at = now(),
        last_message_id = nextval('messaging_message_id_seq'), last_message_at = now()
    WHERE lower_id = least(%(a)s, %(b)s) AND higher_id = greatest(%(a)s, %(b)s)
    RETURNING id, last_seq, last_message_id
), message AS (
    INSERT INTO messaging_message (id, conversation_id, seq, sender_id, kind, body, fingerprint,
        created_at, is_hidden_for_sender, is_hidden_for_recipient)
    SELECT last_message_id, id, last_seq, %(a)s, 'member', %(body)s, 1, now(), false, false
    FROM thread RETURNING id, conversation_id, seq
), people AS (
    UPDATE messaging_participant p SET last_message_id = m.id, last_activity_at = now(),
        unread_count = p.unread_count + CASE WHEN p.user_id = %(b)s THEN 1 ELSE 0 END
    FROM message m WHERE p.conversation_id = m.conversation_id
), boxes AS (
    UPDATE messaging_mailbox SET position = position + 1,
        unread_count = unread_count + CASE WHEN user_id = %(b)s THEN 1 ELSE 0 END,
        notice_due_at = CASE WHEN user_id = %(b)s THEN now() ELSE notice_due_at END
    WHERE user_id IN (%(a)s, %(b)s) RETURNING user_id, position
)
INSERT INTO messaging_streamevent (user_id, position, kind, message_id, peer_id, seq, created_at)
SELECT b.user_id, b.position, 'message', m.id,
    CASE WHEN b.user_id = %(a)s THEN %(b)s ELSE %(a)s END, m.seq, now()
FROM boxes b, message m
"""


AGE = """
UPDATE messaging_message SET created_at = created_at - interval '2 days'
WHERE sender_id = %(user)s AND created_at > now() - interval '1 day'
"""


def raw_prepared(sql, names):
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql.encode(), names, prepare=True)


def heaviest_and_ten():
    """Return the member with most conversations, and one with about ten."""
    rows = raw(
        "SELECT user_id, count(*) FROM messaging_participant GROUP BY user_id ORDER BY 2 DESC"
    )
    heavy = rows[0]
    ten = min(rows, key=lambda row: (abs(row[1] - 10), row[0]))
    return heavy, ten


def client_of(user_id):
    _token, secret = ApiToken.objects.create(user=User.objects.get(pk=user_id))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def measure_reads(times):
    (heavy, many), (ten, few) = heaviest_and_ten()
    everyone = raw("SELECT user_id FROM messaging_participant GROUP BY 1 ORDER BY 1 LIMIT 5000")
    usual = [row[0] for row in everyone]
    rng = random.Random(1)
    print(f"conversation list, first page of {PAGE}")
    picks = {
        f"heaviest member ({many} conversations), query": lambda: heavy,
        f"member with {few} conversations, query": lambda: ten,
        "any member, query": lambda: rng.choice(usual),
    }
    calls = {t: lambda p=p: page_of(p()) for t, p in picks.items()}
    # As many rows as the other has: what the history costs, without what the rows cost.
    calls[f"heaviest member, a page of {few}"] = lambda: page_of(heavy, few)
    figures = turn_about(calls, times)
    p99s = [show(title, found)[1] for title, found in figures.items()]
    _, base = show(
        "heaviest, DISTINCT ON over the messages",
        timed(lambda _n: raw(RAW_LIST, user=heavy), max(times // 10, 20)),
    )
    for title, user_id in (("heaviest", heavy), (f"with {few}", ten)):
        client = client_of(user_id)
        show(
            f"GET /api/messages/conversations, {title}",
            timed(lambda _n, c=client: c.get("/api/messages/conversations"), times),
        )
    print(f"  => {base / p99s[0]:.0f} x faster than DISTINCT ON for the heaviest member at p99")
    print(f"  => of {few} rows, {many} conversations cost {p99s[3] / p99s[1]:.2f} x at p99")
    print("unread count")
    show("heaviest, one row", timed(lambda _n: services.unread_total(heavy), times))
    show("heaviest, by counting", timed(lambda _n: raw(RAW_UNREAD, user=heavy), times))
    client = client_of(heavy)
    show(
        "GET /api/messages/unread-count, heaviest",
        timed(lambda _n: client.get("/api/messages/unread-count"), times),
    )
    deep(heavy, times)


def page_of(user_id, rows=PAGE + 1):
    return list(Participant.objects.listed_for(user_id)[:rows])


def deep(heavy, times):
    peer = Participant.objects.filter(user_id=heavy).order_by("-pk").first()
    client = client_of(heavy)
    print("messages with one member")
    show("first page", timed(lambda _n: client.get(f"/api/messages/{peer.peer_id}"), times))
    url = f"/api/messages/{peer.peer_id}"
    last = url
    while url:
        last, url = url, client.get(url).json()["next"]
    show("last page, by cursor", timed(lambda _n: client.get(last), times))


def measure_sends(times):
    (heavy, _many), (ten, _few) = heaviest_and_ten()
    for title, user_id in (("heaviest member", heavy), ("member with ten conversations", ten)):
        sender = User.objects.get(pk=user_id)
        peer_ids = Participant.objects.filter(user_id=user_id).order_by("pk")
        peers = [
            services.recipient_of(pk) for pk in peer_ids.values_list("peer_id", flat=True)[:50]
        ]
        print(f"sending, {title}")
        texts = [f"Mensaje de prueba número {n}, ¿qué te parece la oferta?" for n in range(50)]
        ours, base, prepared = [], [], []
        # Turn about, so that both see the same machine.
        for number in range(times + 20):
            peer, text = peers[number % len(peers)], texts[number % 50]
            if number % 40 == 0:  # nobody's quota lets more than some dozens through in a day
                raw(AGE, user=user_id)
            began = time.perf_counter()
            services.send_message(actor=sender, recipient=peer, body=f"{number}")
            middle = time.perf_counter()
            raw(RAW_SEND, a=user_id, b=peer.pk, body=text)
            end = time.perf_counter()
            raw_prepared(RAW_SEND, {"a": user_id, "b": peer.pk, "body": text})
            if number >= 20:
                ours.append((middle - began) * 1000)
                base.append((end - middle) * 1000)
                prepared.append((time.perf_counter() - end) * 1000)
        a50, a99 = show("service: rules, quota and all rows", ours)
        b50, b99 = show("the same rows by one SQL statement", base)
        show("that statement, prepared", prepared)
        print(f"  => {a50 / b50:.2f} x at p50, {a99 / b99:.2f} x at p99")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--only", choices=["reads", "sends", "streams", "broadcast"])
    options = parser.parse_args()
    if connection.vendor != "postgresql":
        sys.exit("Set DATABASE_URL to an empty PostgreSQL database.")
    call_command("migrate", verbosity=0)
    if not Message.objects.exists():
        fill(options.messages)
    change_settings(
        actor=None,
        values={
            **{f"messaging.quota_{t}": ["1000000/86400"] for t in ("new", "standard", "trusted")},
            "messaging.repeat_limit": 1000,
            "ratelimit.read": "100000/m",
        },
    )
    print(
        f"{Message.objects.count():,} messages, {Participant.objects.count() // 2:,} conversations,"
    )
    print(f"{Mailbox.objects.count():,} members; {timezone.now():%Y-%m-%d %H:%M} UTC")
    if options.only in (None, "reads"):
        measure_reads(options.times)
    if options.only in (None, "sends"):
        measure_sends(options.times)
    if options.only in (None, "streams"):
        measure_streams(options.streams, sends=200)
    if options.only in (None, "broadcast"):
        measure_broadcast()


if __name__ == "__main__":
    main()
