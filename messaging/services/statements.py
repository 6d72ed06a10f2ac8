"""Hand-written SQL of the send path: a send is timed against one statement, an ORM call is not one.

Reads here are the same text on both databases. The one write that is PostgreSQL's own has its twin
in `sending.append_message`, and a test holds the two equal row by row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import psycopg
from django.db import connection


def run(sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run one statement in the current transaction and return its rows."""
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(sql, _plain(values))
            return cursor.fetchall()
    connection.ensure_connection()
    # Prepared once a connection: planning would cost more than running.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as prepared:
        prepared.execute(sql.encode(), values, prepare=True)
        return prepared.fetchall()


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    adapt = connection.ops.adapt_datetimefield_value
    return {
        name: adapt(value) if isinstance(value, datetime) else value
        for name, value in values.items()
    }


_LOCK_PAIR = """
SELECT user_id, unread_count, position, notice_due_at, notified_at FROM messaging_mailbox
WHERE user_id IN (%(lower)s, %(higher)s)
  AND 2 = (SELECT count(*) FROM messaging_mailbox WHERE user_id IN (%(lower)s, %(higher)s))
ORDER BY user_id
"""


def lock_pair_sql() -> str:
    """Both mailboxes of a pair, locked lower first; nothing while one is missing."""
    return _LOCK_PAIR + ("FOR UPDATE" if connection.features.has_select_for_update else "")


@lru_cache(maxsize=8)
def facts_sql(spans: int) -> str:
    """Return everything the rules want to know about a sending; `spans` windows are counted."""
    windows = "".join(
        f", count(CASE WHEN created_at > %(since{number})s THEN 1 END) AS w{number}"
        for number in range(spans)
    )
    # The pieces put together here are numbers and words of our own.
    sql = _FACTS.replace("/* windows */", windows)
    return sql if connection.vendor == "postgresql" else sql.replace(".xmin", ".position")


# `xmin` changes with every change of a row: with it, a later statement can tell whether what was
# read here still stands.
_FACTS = """
SELECT mine.xmin, theirs.xmin, theirs.notice_due_at, theirs.notified_at,
    EXISTS (SELECT 1 FROM messaging_block
            WHERE blocker_id = %(sender)s AND blocked_id = %(recipient)s),
    EXISTS (SELECT 1 FROM messaging_block
            WHERE blocker_id = %(recipient)s AND blocked_id = %(sender)s),
    (SELECT level FROM riskops_riskscore WHERE account_id = %(sender)s),
    (SELECT id FROM messaging_conversation
     WHERE lower_id = %(lower)s AND higher_id = %(higher)s),
    (SELECT id FROM messaging_message
     WHERE sender_id = %(sender)s AND client_id = %(client_id)s),
    sent.*
FROM (
    SELECT count(DISTINCT CASE WHEN fingerprint = %(mark)s AND conversation_id <> coalesce(
            (SELECT id FROM messaging_conversation
             WHERE lower_id = %(lower)s AND higher_id = %(higher)s), 0)
        THEN conversation_id END) AS same
        /* windows */
    FROM messaging_message
    WHERE sender_id = %(sender)s AND created_at > %(since)s AND kind = 'member'
) sent, messaging_mailbox mine, messaging_mailbox theirs
WHERE mine.user_id = %(sender)s AND theirs.user_id = %(recipient)s
"""

# Writes nothing, and returns nothing, if a mailbox has changed since the facts were read. Lower
# member first, as every lock on mailboxes.
APPEND = """
WITH unchanged AS MATERIALIZED (
    SELECT user_id FROM messaging_mailbox
    WHERE user_id IN (%(sender)s, %(recipient)s)
        AND xmin = CASE WHEN user_id = %(sender)s THEN %(mine)s::xid ELSE %(theirs)s::xid END
    ORDER BY user_id FOR UPDATE
), thread AS (
    UPDATE messaging_conversation
    SET last_seq = last_seq + 1, last_message_id = nextval('messaging_message_id_seq'),
        last_message_at = %(now)s, updated_at = %(now)s
    WHERE id = %(conversation)s AND (SELECT count(*) FROM unchanged) = 2
    RETURNING id, last_seq, last_message_id
), message AS (
    INSERT INTO messaging_message (id, conversation_id, seq, sender_id, kind, body, client_id,
        fingerprint, created_at, is_hidden_for_sender, is_hidden_for_recipient)
    SELECT last_message_id, id, last_seq, %(sender)s, 'member', %(body)s, %(client_id)s,
        %(mark)s, %(now)s, false, false
    FROM thread
    RETURNING id, conversation_id, seq
), people AS (
    UPDATE messaging_participant
    SET last_message_id = message.id, last_activity_at = %(now)s,
        unread_count = unread_count + CASE WHEN user_id = %(recipient)s THEN 1 ELSE 0 END
    FROM message WHERE messaging_participant.conversation_id = message.conversation_id
), boxes AS (
    UPDATE messaging_mailbox
    SET position = position + 1,
        unread_count = unread_count + CASE WHEN user_id = %(recipient)s THEN 1 ELSE 0 END,
        notice_due_at = CASE WHEN user_id = %(recipient)s THEN %(due)s ELSE notice_due_at END
    FROM message WHERE user_id IN (%(sender)s, %(recipient)s)
    RETURNING user_id, position
), events AS (
    INSERT INTO messaging_streamevent
        (user_id, position, kind, message_id, peer_id, seq, created_at)
    SELECT boxes.user_id, boxes.position, 'message', message.id,
        CASE WHEN boxes.user_id = %(sender)s THEN %(recipient)s ELSE %(sender)s END,
        message.seq, %(now)s
    FROM boxes, message
)
SELECT id, seq FROM message
"""
# With the notice to the streams in the same statement: one round trip less.
APPEND_AND_NOTIFY = APPEND.replace(
    "SELECT id, seq FROM message", "SELECT id, seq, pg_notify(%(channel)s, %(woken)s) FROM message"
)
