"""Make the ledger append-only and balanced, by triggers with the same effect on both databases.

Entries come first, their transaction last. The transaction's own trigger adds its entries up and
refuses it when they do not cancel out; once it exists no entry can join it. Rows are never
changed, and never removed unless they are the demo's.
"""

from django.db import migrations

POSTGRES = """
CREATE OR REPLACE FUNCTION marketplace_ledger_keep() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.is_demo THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$ LANGUAGE plpgsql;

CREATE OR REPLACE FUNCTION marketplace_ledger_keep_all() RETURNS trigger AS $$
DECLARE found boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE NOT is_demo)', TG_TABLE_NAME) INTO found;
    IF found THEN
        RAISE EXCEPTION 'the ledger is append-only'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$ LANGUAGE plpgsql;

CREATE OR REPLACE FUNCTION marketplace_ledger_open() RETURNS trigger AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM marketplace_ledgertransaction WHERE id = NEW.transaction_id) THEN
        RAISE EXCEPTION 'the ledger transaction is closed'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$ LANGUAGE plpgsql;

CREATE OR REPLACE FUNCTION marketplace_ledger_balanced() RETURNS trigger AS $$
BEGIN
    IF (SELECT count(*) FROM marketplace_ledgerentry WHERE transaction_id = NEW.id) < 2
       OR EXISTS (SELECT 1 FROM marketplace_ledgerentry WHERE transaction_id = NEW.id
                  GROUP BY currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'the ledger transaction does not balance'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$ LANGUAGE plpgsql;

CREATE TRIGGER mp_ledger_tx_keep BEFORE UPDATE OR DELETE ON marketplace_ledgertransaction
    FOR EACH ROW EXECUTE FUNCTION marketplace_ledger_keep();
CREATE TRIGGER mp_ledger_entry_keep BEFORE UPDATE OR DELETE ON marketplace_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION marketplace_ledger_keep();
CREATE TRIGGER mp_ledger_tx_truncate BEFORE TRUNCATE ON marketplace_ledgertransaction
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_ledger_keep_all();
CREATE TRIGGER mp_ledger_entry_truncate BEFORE TRUNCATE ON marketplace_ledgerentry
    FOR EACH STATEMENT EXECUTE FUNCTION marketplace_ledger_keep_all();
CREATE TRIGGER mp_ledger_entry_open BEFORE INSERT ON marketplace_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION marketplace_ledger_open();
CREATE TRIGGER mp_ledger_tx_balanced BEFORE INSERT ON marketplace_ledgertransaction
    FOR EACH ROW EXECUTE FUNCTION marketplace_ledger_balanced();
"""

POSTGRES_BACK = """
DROP TRIGGER IF EXISTS mp_ledger_tx_keep ON marketplace_ledgertransaction;
DROP TRIGGER IF EXISTS mp_ledger_entry_keep ON marketplace_ledgerentry;
DROP TRIGGER IF EXISTS mp_ledger_tx_truncate ON marketplace_ledgertransaction;
DROP TRIGGER IF EXISTS mp_ledger_entry_truncate ON marketplace_ledgerentry;
DROP TRIGGER IF EXISTS mp_ledger_entry_open ON marketplace_ledgerentry;
DROP TRIGGER IF EXISTS mp_ledger_tx_balanced ON marketplace_ledgertransaction;
DROP FUNCTION IF EXISTS marketplace_ledger_keep();
DROP FUNCTION IF EXISTS marketplace_ledger_keep_all();
DROP FUNCTION IF EXISTS marketplace_ledger_open();
DROP FUNCTION IF EXISTS marketplace_ledger_balanced();
"""

KEEP = "SELECT RAISE(ABORT, 'the ledger is append-only');"
SQLITE = [
    f"CREATE TRIGGER mp_ledger_tx_update BEFORE UPDATE ON marketplace_ledgertransaction BEGIN {KEEP} END",
    f"CREATE TRIGGER mp_ledger_entry_update BEFORE UPDATE ON marketplace_ledgerentry BEGIN {KEEP} END",
    "CREATE TRIGGER mp_ledger_tx_delete BEFORE DELETE ON marketplace_ledgertransaction "
    f"WHEN NOT OLD.is_demo BEGIN {KEEP} END",
    "CREATE TRIGGER mp_ledger_entry_delete BEFORE DELETE ON marketplace_ledgerentry "
    f"WHEN NOT OLD.is_demo BEGIN {KEEP} END",
    "CREATE TRIGGER mp_ledger_entry_open BEFORE INSERT ON marketplace_ledgerentry "
    "WHEN EXISTS (SELECT 1 FROM marketplace_ledgertransaction WHERE id = NEW.transaction_id) "
    "BEGIN SELECT RAISE(ABORT, 'the ledger transaction is closed'); END",
    "CREATE TRIGGER mp_ledger_tx_balanced BEFORE INSERT ON marketplace_ledgertransaction "
    "WHEN (SELECT count(*) FROM marketplace_ledgerentry WHERE transaction_id = NEW.id) < 2 "
    "OR EXISTS (SELECT 1 FROM marketplace_ledgerentry WHERE transaction_id = NEW.id "
    "GROUP BY currency HAVING sum(amount) <> 0) "
    "BEGIN SELECT RAISE(ABORT, 'the ledger transaction does not balance'); END",
]
SQLITE_NAMES = [
    "mp_ledger_tx_update",
    "mp_ledger_entry_update",
    "mp_ledger_tx_delete",
    "mp_ledger_entry_delete",
    "mp_ledger_entry_open",
    "mp_ledger_tx_balanced",
]


def create(apps, schema_editor):
    """Create the triggers of this database."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRES, params=None)
    elif schema_editor.connection.vendor == "sqlite":
        for statement in SQLITE:
            schema_editor.execute(statement)


def drop(apps, schema_editor):
    """Drop them again."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRES_BACK, params=None)
    elif schema_editor.connection.vendor == "sqlite":
        for name in SQLITE_NAMES:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0001_initial")]

    operations = [migrations.RunPython(create, drop, elidable=False)]
