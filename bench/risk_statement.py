"""The yardstick for ingest: all upkeep of a batch as one PostgreSQL statement.

No checks, no refusals, no per-row answer: what the database alone needs for the same rows.
"""

from __future__ import annotations

from django.db import connection
from django.utils import timezone

from riskops.ingest.kept_facts import FACTS, PASSIVE_KINDS
from riskops.models.events import KIND_BY_CODE, EventKind


def _fact(fact):
    where = "" if fact.kind is None else f" FILTER (WHERE kind = {fact.kind.value})"
    call = {"count": "COUNT(*)", "first": "MIN(occurred_at)", "last": "MAX(occurred_at)"}
    return f"{call[fact.how]}{where}"


def _merge(fact):
    column = fact.column
    if fact.how == "count":
        return f"{column} = f.{column} + EXCLUDED.{column}"
    call = "LEAST" if fact.how == "first" else "GREATEST"
    return f"{column} = {call}(f.{column}, EXCLUDED.{column})"


PASSIVE = ", ".join(str(kind.value) for kind in PASSIVE_KINDS)
COLUMNS = ", ".join(fact.column for fact in FACTS)
SQL = f"""
WITH v AS (
  SELECT * FROM unnest(%s::bigint[], %s::smallint[], %s::timestamptz[], %s::text[], %s::text[],
                       %s::text[]) AS v(account_id, kind, occurred_at, external_id, ip, device)
), named AS (
  SELECT 'ip' AS kind, ip AS value, account_id, occurred_at, kind AS event FROM v
  UNION ALL SELECT 'device', device, account_id, occurred_at, kind FROM v
), wanted AS (
  SELECT kind, value, COUNT(DISTINCT account_id) FILTER (WHERE event NOT IN ({PASSIVE})) AS n,
         MIN(occurred_at) AS first_seen, MAX(occurred_at) AS last_seen
  FROM named GROUP BY kind, value
), made AS (
  INSERT INTO riskops_identifier AS i (kind, value, subnet, accounts, dealers, first_seen,
    last_seen, listing, is_shared, shared_reason, created_at, updated_at)
  SELECT kind, value, '', n, 0, first_seen, last_seen, '', false, '', %s, %s FROM wanted w
  WHERE NOT EXISTS (SELECT 1 FROM riskops_identifier i WHERE i.kind = w.kind AND i.value = w.value)
  ON CONFLICT (kind, value) DO NOTHING RETURNING id, kind, value
), known AS (
  SELECT i.id, i.kind, i.value FROM wanted w JOIN riskops_identifier i USING (kind, value)
), ids AS (SELECT * FROM made UNION ALL SELECT * FROM known
), ev AS (
  INSERT INTO riskops_accountevent (account_id, kind, occurred_at, received_at, source,
    external_id, ip_id, device_id, currency, country)
  SELECT v.account_id, v.kind, v.occurred_at, %s, %s, v.external_id, a.id, b.id, '', ''
  FROM v JOIN ids a ON a.kind = 'ip' AND a.value = v.ip
         JOIN ids b ON b.kind = 'device' AND b.value = v.device
  ON CONFLICT (source, external_id) DO NOTHING
  RETURNING account_id, kind, occurred_at, ip_id, device_id
), seen AS (
  SELECT identifier_id, account_id, MIN(occurred_at) AS first_seen, MAX(occurred_at) AS last_seen,
         COUNT(*) AS hits
  FROM (SELECT ip_id AS identifier_id, account_id, occurred_at FROM ev WHERE kind NOT IN ({PASSIVE})
        UNION ALL SELECT device_id, account_id, occurred_at FROM ev WHERE kind NOT IN ({PASSIVE})
       ) AS s GROUP BY identifier_id, account_id
), sighted AS (
  INSERT INTO riskops_sighting AS s (identifier_id, account_id, first_seen, last_seen, hits)
  SELECT * FROM seen
  ON CONFLICT (identifier_id, account_id) DO UPDATE SET
    first_seen = LEAST(s.first_seen, EXCLUDED.first_seen),
    last_seen = GREATEST(s.last_seen, EXCLUDED.last_seen), hits = s.hits + EXCLUDED.hits
  RETURNING s.identifier_id, s.account_id, s.hits
), counted AS (
  UPDATE riskops_identifier i SET accounts = i.accounts + c.fresh,
    first_seen = LEAST(i.first_seen, c.first_seen), last_seen = GREATEST(i.last_seen, c.last_seen)
  FROM (SELECT identifier_id, COUNT(*) FILTER (WHERE g.hits = n.hits) AS fresh,
               MIN(n.first_seen) AS first_seen, MAX(n.last_seen) AS last_seen
        FROM sighted g JOIN seen n USING (identifier_id, account_id) GROUP BY 1) AS c
  WHERE c.identifier_id = i.id RETURNING 1
), facts AS (
  INSERT INTO riskops_accountfacts AS f (account_id, {COLUMNS})
  SELECT account_id, {", ".join(map(_fact, FACTS))} FROM ev GROUP BY account_id
  ON CONFLICT (account_id) DO UPDATE SET {", ".join(map(_merge, FACTS))} RETURNING 1
), pending AS (
  INSERT INTO riskops_pendingscore AS p (account_id, touches)
  SELECT DISTINCT account_id, 1 FROM ev
  ON CONFLICT (account_id) DO UPDATE SET touches = p.touches + 1 RETURNING 1
), pending_links AS (
  INSERT INTO riskops_pendinglink AS p (account_id, touches)
  SELECT DISTINCT g.account_id, 1 FROM sighted g JOIN seen n USING (identifier_id, account_id)
  WHERE g.hits = n.hits ON CONFLICT (account_id) DO UPDATE SET touches = p.touches + 1 RETURNING 1
)
SELECT COUNT(*) FROM ev
"""


def record_in_one_statement(events, source):
    """Write a batch of events that have an IP and a device each."""
    now = timezone.now()
    kinds = [
        e.kind.value if isinstance(e.kind, EventKind) else KIND_BY_CODE[e.kind].value
        for e in events
    ]
    arrays = [
        [e.account_id for e in events],
        kinds,
        [e.occurred_at for e in events],
        [e.external_id for e in events],
        [e.ip for e in events],
        [e.device for e in events],
    ]
    with connection.cursor() as cursor:
        cursor.execute(SQL, [*arrays, now, now, now, source])
        return cursor.fetchone()[0]
