"""What the marketplace's tests share."""

import pytest
from django.core.management import call_command
from django.db import connection

from marketplace import services
from systemadmin.tests.factories import StaffFactory


@pytest.fixture
def shipped(db):
    """Make the roles and settings of a new installation."""
    call_command("setup", verbosity=0)


@pytest.fixture
def operator():
    """Return somebody who runs the place."""
    return StaffFactory(role="operator")


@pytest.fixture
def second():
    """Return the colleague who decides what an operator asks for."""
    return StaffFactory(role="operator")


@pytest.fixture
def books():
    """Assert at the end of a test that the ledger adds up."""
    yield
    assert services.check_ledger() == []


@pytest.fixture
def ledger_db(transactional_db):
    """A real database without a surrounding transaction, emptied although append-only."""
    yield
    tables = ("marketplace_ledgertransaction", "marketplace_ledgerentry")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            return
        names = ("mp_ledger_tx_delete", "mp_ledger_entry_delete")
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        saved = [sql for name, sql in cursor.fetchall() if name in names]
        for name in names:
            cursor.execute(f"DROP TRIGGER {name}")
        cursor.execute("PRAGMA foreign_keys = OFF")
        for table in ("marketplace_payoutitem", *reversed(tables)):
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("PRAGMA foreign_keys = ON")
        for sql in saved:
            cursor.execute(sql)
