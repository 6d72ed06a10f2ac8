"""Seal and verify an audit trail of millions of rows, on PostgreSQL.

    python bench/audit_trail.py postgres://postgres@127.0.0.1:5432/postgres [rows]

Rows and links are written by COPY, with codes made by the application's own key; the sealing of
the first rows and the verification of all are the application's.
"""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from databases import empty_database

COPY = (
    "COPY systemadmin_auditentry (id, occurred_at, action, actor_id, actor_ref, actor_name,"
    " actor_role, source, target_type, target_id, target_name, before, after, reason, metadata,"
    " ip, request_id, kid, mac) FROM STDIN"
)
LINKS = (
    "COPY systemadmin_auditseal (position, entry_id, row_hash, chain_hash, sealed_at, kid)"
    " FROM STDIN"
)
BLOCK = 50_000
# The application seals so many; the links of the others are made as it makes them.
SEALED = 20_000
# The bytes that are signed are made from a pattern; every so many rows they are compared with
# those of the application's own function.
COMPARED = 9_973


def write_trail(count):
    """Write that many authentic rows with their links."""
    from django.db import connection

    from systemadmin.audit_keys import current_key
    from systemadmin.services.audit_chain import chain_end, seal_audit_trail

    key, few = current_key(), min(SEALED, count)
    connection.ensure_connection()
    with connection.connection.cursor() as cursor:
        copy_block(cursor, key, 1, few, None)
    measured(f"seal {few:,} of them", seal_audit_trail)
    chain = chain_end().chain_hash
    with connection.connection.cursor() as cursor:
        for first in range(few + 1, count + 1, BLOCK):
            chain = copy_block(cursor, key, first, min(first + BLOCK - 1, count), chain)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('systemadmin_auditentry', 'id'), %s)", [count]
        )
        cursor.execute("ANALYZE systemadmin_auditentry, systemadmin_auditseal")


def copy_block(cursor, key, first, last, chain):
    """Write rows and, after a link, the links that follow it; return the last of them."""
    from systemadmin.audit_content import row_hash
    from systemadmin.audit_keys import LINK
    from systemadmin.services.audit_chain import link_message

    rows, links, moment = [], [], datetime.now(UTC)
    for number in range(first, last + 1):
        content = signed_bytes(number, key.kid)
        text, mac = row_text(number, key, content)
        rows.append(text)
        if chain is None:
            continue
        hashed = row_hash(content, mac)
        message = link_message(number, number, hashed, moment, key.kid, chain)
        chain = key.sign(LINK, message)
        links.append(f"{number}\t{number}\t{hashed}\t{chain}\t{moment.isoformat()}\t{key.kid}\n")
    with cursor.copy(COPY) as copy:
        copy.write("".join(rows))
    if links:
        with cursor.copy(LINKS) as copy:
            copy.write("".join(links))
    return chain


BEGAN = datetime.now(UTC).replace(microsecond=0) - timedelta(days=300)
BEGAN_AT = int(BEGAN.timestamp())


def signed_bytes(number, kid):
    """Return the bytes of a row that its code is made over."""
    from systemadmin.audit_content import canonical

    actor, version, request = number % 900, number % 7, f"{number:032x}"
    head = f'[{number},{(BEGAN_AT + number) * 1_000_000},"marketplace.product.approved",{actor}'
    who = f'"{actor}","an.operator","operator","api","marketplace.product","{number}","A lamp"'
    before = f'{{"status":"pending","version":{version}}}'
    after = f'{{"status":"approved","version":{version + 1}}}'
    tail = f'"as described",{{}},"203.0.113.9","{request}","{kid}"]'
    content = f"{head},{who},{before},{after},{tail}".encode()
    if number % COMPARED == 1:
        assert content == canonical(columns(number, kid))
    return content


def row_text(number, key, content):
    """Return a row as COPY reads it, and its code."""
    from systemadmin.audit_keys import ROW

    actor, version = number % 900, number % 7
    moment, mac = BEGAN + timedelta(seconds=number), key.sign(ROW, content)
    text = (
        f"{number}\t{moment.isoformat()}\tmarketplace.product.approved\t{actor}\t{actor}"
        f"\tan.operator\toperator\tapi\tmarketplace.product\t{number}\tA lamp"
        f'\t{{"status":"pending","version":{version}}}'
        f'\t{{"status":"approved","version":{version + 1}}}'
        f"\tas described\t{{}}\t203.0.113.9\t{number:032x}\t{key.kid}\t{mac}\n"
    )
    return text, mac


def columns(number, kid):
    """Return what the row of a number says, as the application signs it."""
    actor, version = number % 900, number % 7
    before = {"status": "pending", "version": version}
    after = {"status": "approved", "version": version + 1}
    head = [number, BEGAN + timedelta(seconds=number), "marketplace.product.approved", actor]
    who = [str(actor), "an.operator", "operator", "api"]
    target = ["marketplace.product", str(number), "A lamp"]
    tail = ["as described", {}, "203.0.113.9", f"{number:032x}", kid]
    return [*head, *who, *target, before, after, *tail]


def measured(title, call):
    """Run it and print its seconds, on the clock and of this process alone."""
    began, own = time.perf_counter(), time.process_time()
    result = call()
    seconds, own = time.perf_counter() - began, time.process_time() - own
    print(f"{title}: {seconds:.1f} s, of them {own:.1f} s in this process", flush=True)
    return result


def main(server, count):
    with empty_database(server, "h_audit_measured") as url:
        os.environ["DATABASE_URL"] = url
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        os.environ.setdefault("DJANGO_SECRET_KEY", "k" * 50)
        os.environ.setdefault("DATABASE_PERSISTENT", "1")
        import django

        django.setup()
        from django.core.management import call_command

        from systemadmin.services.audit_verification import (
            state_verified,
            verify_audit_trail,
            verify_since_checkpoint,
        )

        call_command("migrate", verbosity=0)
        measured(f"write {count:,} rows and their links", lambda: write_trail(count))
        report = measured("verify everything", verify_audit_trail)
        print(f"holds: {report.holds}, {report.checked:,} rows, {report.fault_count} faults")
        state_verified(report)
        measured("verify inside a restore", verify_since_checkpoint)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5_000_000)
