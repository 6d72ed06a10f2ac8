"""Seal and verify an audit trail of millions of rows, on PostgreSQL.

    python bench/audit_trail.py postgres://postgres@127.0.0.1:5432/postgres [rows]

The rows are written by COPY with codes made by the application's own functions; sealing and
verification are the application's.
"""

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from databases import empty_database

COPY = (
    "COPY systemadmin_auditentry (id, occurred_at, action, actor_id, actor_ref, actor_name,"
    " actor_role, source, target_type, target_id, target_name, before, after, reason, metadata,"
    " ip, request_id, kid, mac) FROM STDIN"
)


def write_rows(count):
    """Write that many authentic rows."""
    from django.db import connection
    from django.utils import timezone

    from systemadmin.audit_content import canonical
    from systemadmin.audit_keys import ROW, current_key

    key, moment = current_key(), timezone.now() - timedelta(days=300)
    connection.ensure_connection()
    with connection.connection.cursor() as cursor, cursor.copy(COPY) as copy:
        for number in range(1, count + 1):
            moment += timedelta(seconds=1)
            before = {"status": "pending", "version": number % 7}
            after = {"status": "approved", "version": number % 7 + 1}
            head = [number, moment, "marketplace.product.approved", number % 900, str(number % 900)]
            middle = [
                "an.operator",
                "operator",
                "api",
                "marketplace.product",
                str(number),
                "A lamp",
            ]
            content = [*head, *middle, before, after, "as described", {}, "203.0.113.9"]
            content += [f"{number:032x}", key.kid]
            mac = key.sign(ROW, canonical(content))
            content[11:15] = [
                f'{{"status": "pending", "version": {number % 7}}}',
                f'{{"status": "approved", "version": {number % 7 + 1}}}',
                "as described",
                "{}",
            ]
            copy.write_row([*content, mac])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval(pg_get_serial_sequence('systemadmin_auditentry', 'id'), %s)", [count]
        )
        cursor.execute("ANALYZE systemadmin_auditentry")


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

        from systemadmin.services.audit_chain import seal_audit_trail
        from systemadmin.services.audit_verification import (
            state_verified,
            verify_audit_trail,
            verify_since_checkpoint,
        )

        call_command("migrate", verbosity=0)
        measured(f"write {count:,} rows", lambda: write_rows(count))
        measured("seal them", seal_audit_trail)
        report = measured("verify everything", verify_audit_trail)
        print(f"holds: {report.holds}, {report.checked:,} rows, {report.fault_count} faults")
        state_verified(report)
        measured("verify inside a restore", verify_since_checkpoint)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5_000_000)
