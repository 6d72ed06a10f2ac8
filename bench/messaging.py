"""Measures the messaging desk on PostgreSQL; makes its own rows and removes nothing else.

    DATABASE_URL=postgres://… python bench/messaging.py [--messages 5000000] [--streams 1000]

The database should be an empty one of its own: it is filled once and used again on the next run.
Beside each figure stands what it is compared with, measured in the same run.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import socket
import statistics
import subprocess
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

import psutil
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from messaging import services
from messaging.models import Broadcast, Mailbox, Message, Participant
from systemadmin.models import ApiToken, User
from systemadmin.services import change_settings

settings.ALLOWED_HOSTS = ["*"]
logging.disable(logging.ERROR)

HEAVY_CONVERSATIONS = 3600
HEAVY_EACH = 100
USUAL_EACH = 10
MEMBERS = 100_000
PAGE = 25


# -- rows ------------------------------------------------------------------------------


def fill(messages):
    """One heaviest member with 3,600 conversations of 100 messages; the rest have ten each."""
    heavy = min(HEAVY_CONVERSATIONS, max(messages // (HEAVY_EACH * 10), 20))
    usual = (messages - heavy * HEAVY_EACH) // USUAL_EACH
    members = min(MEMBERS, max(usual // 4, heavy + 100))
    began = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL work_mem = '256MB'")
        cursor.execute(USERS, [members])
        cursor.execute("SELECT min(id) FROM systemadmin_user WHERE username LIKE 'bench-%%'")
        base = cursor.fetchone()[0]
        names = {
            "base": base,
            "heavy": heavy,
            "heavy_each": HEAVY_EACH,
            "usual": usual,
            "usual_each": USUAL_EACH,
            "members": members,
        }
        cursor.execute(CONVERSATIONS, names)
        cursor.execute(MESSAGES, names)
        cursor.execute(SETTLE_CONVERSATIONS)
        cursor.execute(SETTLE_PARTICIPANTS)
        cursor.execute(SETTLE_MAILBOXES)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    count = Message.objects.count()
    print(f"filled: {count:,} messages in {time.perf_counter() - began:.0f} s")


USERS = """
INSERT INTO systemadmin_user (password, is_superuser, username, first_name, last_name, email,
    is_staff, is_active, date_joined, telegram_chat_id, country, language, suspension_reason,
    is_demo, verified_at)
SELECT '!', false, 'bench-' || n, '', '', '', false, true, now() - interval '400 days', '', 'ES',
    'en', '', false, now() - interval '300 days'
FROM generate_series(1, %s) n
"""
# The heaviest member is the first; everybody else is in pairs n and n + k.
CONVERSATIONS = """
INSERT INTO messaging_conversation (created_at, updated_at, lower_id, higher_id, last_seq)
SELECT now(), now(), lower_id, higher_id, each FROM (
    SELECT %(base)s AS lower_id, %(base)s + n AS higher_id, %(heavy_each)s AS each
    FROM generate_series(1, %(heavy)s) n
    UNION ALL
    SELECT %(base)s + 1 + n %% (%(members)s - 2 - n / (%(members)s - 200)),
           %(base)s + 1 + n %% (%(members)s - 2 - n / (%(members)s - 200))
               + 1 + n / (%(members)s - 200), %(usual_each)s
    FROM generate_series(0, %(usual)s - 1) n
) pairs WHERE higher_id < %(base)s + %(members)s
ON CONFLICT DO NOTHING
"""
# Round robin, so that neighbours on disk belong to different conversations, as in life.
MESSAGES = """
INSERT INTO messaging_message (conversation_id, seq, sender_id, kind, body, created_at,
    is_hidden_for_sender, is_hidden_for_recipient)
SELECT c.id, s.seq, CASE WHEN (s.seq + c.id) %% 2 = 0 THEN c.lower_id ELSE c.higher_id END,
    'member', 'Hola, ¿sigue disponible? Me interesa mucho. ' || c.id || '/' || s.seq,
    now() - interval '300 days' * (1 - s.seq::float / c.last_seq)
        - interval '1 second' * (c.id %% 100000) - interval '1 day',
    false, false
FROM messaging_conversation c, LATERAL generate_series(1, c.last_seq) s(seq)
ORDER BY 6
"""
SETTLE_CONVERSATIONS = """
UPDATE messaging_conversation c SET last_message_id = m.id, last_message_at = m.created_at
FROM messaging_message m WHERE m.conversation_id = c.id AND m.seq = c.last_seq
"""
SETTLE_PARTICIPANTS = """
INSERT INTO messaging_participant (conversation_id, user_id, peer_id, last_read_seq, unread_count,
    last_message_id, last_activity_at)
SELECT c.id, side.user_id, side.peer_id,
    CASE WHEN m.sender_id = side.peer_id AND c.id % 3 = 0 THEN c.last_seq - 1 ELSE c.last_seq END,
    CASE WHEN m.sender_id = side.peer_id AND c.id % 3 = 0 THEN 1 ELSE 0 END,
    c.last_message_id, c.last_message_at
FROM messaging_conversation c
JOIN messaging_message m ON m.id = c.last_message_id,
LATERAL (VALUES (c.lower_id, c.higher_id), (c.higher_id, c.lower_id)) side(user_id, peer_id)
"""
SETTLE_MAILBOXES = """
INSERT INTO messaging_mailbox (user_id, unread_count, position)
SELECT user_id, sum(unread_count), 0 FROM messaging_participant GROUP BY user_id
"""

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


def raw(sql, **names):
    with connection.cursor() as cursor:
        cursor.execute(sql, names)
        return cursor.fetchall() if cursor.description else None


# -- measuring -----------------------------------------------------------------------------


def timed(call, times):
    """Milliseconds of each call; the first ones warm up and do not count."""
    figures = []
    for number in range(times + 5):
        began = time.perf_counter()
        call(number)
        if number >= 5:
            figures.append((time.perf_counter() - began) * 1000)
    return figures


def turn_about(calls, times):
    """The same, for several things in turn, so that all of them see the same machine."""
    figures = {title: [] for title in calls}
    for number in range(times + 5):
        for title, call in calls.items():
            began = time.perf_counter()
            call()
            if number >= 5:
                figures[title].append((time.perf_counter() - began) * 1000)
    return figures


def spread(figures):
    figures = sorted(figures)
    return statistics.median(figures), figures[min(len(figures) - 1, int(len(figures) * 0.99))]


def show(title, figures):
    p50, p99 = spread(figures)
    print(f"  {title:<58} p50 {p50:8.2f} ms   p99 {p99:8.2f} ms")
    return p50, p99


def heaviest_and_ten():
    """The member with most conversations, and one with about ten."""
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
    figures = turn_about({t: lambda p=p: page_of(p()) for t, p in picks.items()}, times)
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
    print(f"  => {many} conversations cost {p99s[0] / p99s[1]:.2f} x what {few} cost at p99")
    print("unread count")
    show("heaviest, one row", timed(lambda _n: services.unread_total(heavy), times))
    show("heaviest, by counting", timed(lambda _n: raw(RAW_UNREAD, user=heavy), times))
    client = client_of(heavy)
    show(
        "GET /api/messages/unread-count, heaviest",
        timed(lambda _n: client.get("/api/messages/unread-count"), times),
    )
    deep(heavy, times)


def page_of(user_id):
    return list(Participant.objects.listed_for(user_id)[: PAGE + 1])


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
        ours, base = [], []
        # Turn about, so that both see the same machine.
        for number in range(times + 20):
            peer, text = peers[number % len(peers)], texts[number % 50]
            began = time.perf_counter()
            services.send_message(actor=sender, recipient=peer, body=f"{number}")
            middle = time.perf_counter()
            raw(RAW_SEND, a=user_id, b=peer.pk, body=text)
            if number >= 20:
                ours.append((middle - began) * 1000)
                base.append((time.perf_counter() - middle) * 1000)
        a50, a99 = show("service: rules, quota and all rows", ours)
        b50, b99 = show("the same rows by one SQL statement", base)
        print(f"  => {a50 / b50:.2f} x at p50, {a99 / b99:.2f} x at p99")


# -- streams -------------------------------------------------------------------------------


@contextlib.contextmanager
def asgi_server():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "DATABASE_PERSISTENT": "0"}
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "granian", "--interface", "asgi", "--workers", "1"),
            *("--host", "127.0.0.1", "--port", str(port), "--no-access-log"),
            *("--backlog", "4096", "config.asgi:application"),
        ],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            time.sleep(0.1)
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
        time.sleep(2)
        yield port, process
    finally:
        process.kill()
        process.wait(20)


def memory_of(process):
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    biggest = max(family, key=lambda p: p.memory_info().rss)
    return biggest.memory_info().rss / 2**20, biggest.num_threads()


async def open_stream(port, secret, arrivals, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET /api/messages/stream HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {secret}\r\nAccept: text/event-stream\r\n\r\n".encode()
    )
    opened = asyncio.Event()

    async def read():
        is_message = False
        async for line in reader:
            if line.startswith(b"event: ready"):
                opened.set()
            elif line.startswith(b"event: message"):
                is_message = True
            elif is_message and line.startswith(b"data: "):
                body = json.loads(line[6:])["message"]["body"]
                arrivals.append(time.time() - float(body.rsplit(" ", 1)[1]))
                is_message = False

    task = asyncio.create_task(read())
    await asyncio.wait_for(opened.wait(), 60)
    return task, writer


async def hold_streams(count, port, process, people, sends):
    before, threads = memory_of(process)
    print(f"{count} idle streams in one process")
    print(f"  before: {before:.0f} MB, {threads} threads")
    arrivals, held = [], []
    began = time.perf_counter()
    for start in range(0, count, 25):
        group = people[start : start + 25]
        held += await asyncio.gather(
            *(open_stream(port, secret, arrivals, n) for n, (_id, secret) in enumerate(group))
        )
    opened = time.perf_counter() - began
    await asyncio.sleep(3)
    after, threads = memory_of(process)
    each = (after - before) * 1024 / count
    print(
        f"  open after {opened:.1f} s: {after:.0f} MB (+{each:.0f} kB a stream), {threads} threads"
    )
    loop = asyncio.get_running_loop()
    print(f"  database connections: {await loop.run_in_executor(None, raw_connections)}")
    rng = random.Random(3)
    writers = [user_id for user_id, _secret in people]
    for _ in range(sends):
        a, b = rng.sample(writers, 2)
        await loop.run_in_executor(None, stamp_and_send, a, b)
        await asyncio.sleep(0.01)
    await asyncio.sleep(3)
    # Both sides have a stream, so each message arrives twice.
    print(f"  {len(arrivals)} of {sends * 2} deliveries arrived")
    show("from before the send to the client", [delay * 1000 for delay in arrivals])
    for task, writer in held:
        task.cancel()
        writer.close()


def raw_connections():
    return raw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")[0][0]


def stamp_and_send(sender_id, recipient_id):
    services.send_message(
        actor=User.objects.get(pk=sender_id),
        recipient=services.recipient_of(recipient_id),
        body=f"a las {time.time()}",
    )


def measure_streams(count, sends):
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    ids = User.objects.filter(username__startswith="bench-").order_by("-pk")
    people = []
    for user_id in ids.values_list("pk", flat=True)[:count]:
        _token, secret = ApiToken.objects.create(user=User.objects.get(pk=user_id))
        people.append((user_id, secret))
    with asgi_server() as (port, process):
        asyncio.run(hold_streams(count, port, process, people, sends))


# -- a broadcast whose workers are killed ------------------------------------------------------


def measure_broadcast():
    """Two workers at a time, each killed after a second or two, until everybody has it."""
    operator = User.objects.get_or_create(username="bench-operator", is_staff=True)[0]
    broadcast = services.create_broadcast(
        actor=operator, kind="information", title="Novedades", body="Hemos mejorado la búsqueda."
    )
    unread_before = raw("SELECT sum(unread_count) FROM messaging_mailbox")[0][0] or 0
    services.send_broadcast(actor=operator, broadcast=broadcast)
    broadcast.refresh_from_db()
    print(f"a broadcast to {broadcast.recipient_count:,} members, workers killed in between")
    rng, killed, began = random.Random(5), 0, time.perf_counter()
    workers = [worker(broadcast.pk) for _ in range(2)]
    while Broadcast.objects.get(pk=broadcast.pk).status == "sending":
        time.sleep(rng.uniform(2.0, 5.0))
        victim = rng.randrange(2)
        killed += workers[victim].poll() is None
        workers[victim].kill()
        workers[victim].wait()
        workers[victim] = worker(broadcast.pk)
    for process in workers:
        process.wait()
    took = time.perf_counter() - began
    each = raw(
        "SELECT count(*), count(DISTINCT conversation_id) FROM messaging_message"
        " WHERE broadcast_id = %(pk)s",
        pk=broadcast.pk,
    )[0]
    gained = raw("SELECT sum(unread_count) FROM messaging_mailbox")[0][0] - unread_before
    print(f"  {killed} workers killed; {each[0]:,} messages to {each[1]:,} members in {took:.0f} s")
    print(f"  unread totals grew by {gained:,}")
    assert each == (broadcast.recipient_count,) * 2, "each member exactly once"
    assert gained == broadcast.recipient_count
    began = time.perf_counter()
    numbers = services.read_statistics(broadcast)
    print(f"  read statistics {numbers} in {(time.perf_counter() - began) * 1000:.0f} ms")


def worker(pk):
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "deliver_broadcast", str(pk)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--times", type=int, default=300)
    parser.add_argument("--only", choices=["reads", "sends", "streams", "broadcast"])
    options = parser.parse_args()
    if connection.vendor != "postgresql":
        sys.exit("Set DATABASE_URL to an empty PostgreSQL database.")
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
