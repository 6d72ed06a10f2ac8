"""What the messaging benchmarks share: a configured project, many rows, a stopwatch."""

import logging
import os
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

from databases import set_defaults
from django.conf import settings
from django.db import connection, transaction

from messaging.models import Message

settings.ALLOWED_HOSTS = ["*"]
logging.disable(logging.ERROR)

HEAVY_CONVERSATIONS = 3600
HEAVY_EACH = 100
USUAL_EACH = 10
MEMBERS = 100_000


def raw(sql, **names):
    with connection.cursor() as cursor:
        cursor.execute(sql, names)
        return cursor.fetchall() if cursor.description else None


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
    """Measure several things in turn, so that all of them see the same machine."""
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


# -- rows ------------------------------------------------------------------------------


def fill(messages):
    """One heaviest member with 3,600 conversations of 100 messages; the rest have ten each."""
    heavy = min(HEAVY_CONVERSATIONS, max(messages // (HEAVY_EACH * 10), 20))
    usual = (messages - heavy * HEAVY_EACH) // USUAL_EACH
    members = MEMBERS if messages >= 1_000_000 else max(usual // 4, heavy + 100)
    began = time.perf_counter()
    set_defaults()
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
