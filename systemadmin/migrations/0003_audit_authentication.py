"""Key ids, signed statements and runs of the verification, and triggers that keep the trail.

Triggers refuse UPDATE, DELETE and TRUNCATE on both databases. Retention passes because it first
writes its signed statement: only rows up to the position of such a statement may go.
Whoever alters one of these tables on SQLite later has to create the triggers again: Django
copies the table, and triggers do not come along.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

KEEP_BODY = """
DECLARE retired bigint;
BEGIN
    IF TG_OP = 'DELETE' THEN
        SELECT max(position) INTO retired FROM systemadmin_auditstatement WHERE kind = 'retired';
        IF TG_TABLE_NAME = 'systemadmin_auditseal' THEN
            IF OLD.position <= retired THEN
                RETURN OLD;
            END IF;
        ELSIF TG_TABLE_NAME = 'systemadmin_auditentry' THEN
            IF EXISTS (SELECT 1 FROM systemadmin_auditseal
                       WHERE entry_id = OLD.id AND position <= retired) THEN
                RETURN OLD;
            END IF;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit trail is append-only'
        USING ERRCODE = 'integrity_constraint_violation';
END """
TABLES = {
    "audit_entry": "systemadmin_auditentry",
    "audit_seal": "systemadmin_auditseal",
    "audit_statement": "systemadmin_auditstatement",
}
FUNCTION = "systemadmin_audit_keep"
POSTGRES = f"""
CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS trigger AS $${KEEP_BODY}$$ LANGUAGE plpgsql;
""" + "".join(
    f"""
CREATE TRIGGER {stem}_keep BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION {FUNCTION}();
CREATE TRIGGER {stem}_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {FUNCTION}();
"""
    for stem, table in TABLES.items()
)
POSTGRES_BACK = "".join(
    f"DROP TRIGGER IF EXISTS {stem}_{what} ON {table};\n"
    for stem, table in TABLES.items()
    for what in ("keep", "truncate")
) + f"DROP FUNCTION IF EXISTS {FUNCTION}();"

RAISE = "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
RETIRED = "coalesce((SELECT max(position) FROM systemadmin_auditstatement WHERE kind = 'retired'), 0)"
_LINKED = f"SELECT 1 FROM systemadmin_auditseal WHERE entry_id = OLD.id AND position <= {RETIRED}"  # noqa: S608
SQLITE_WHEN = {
    "audit_entry": f"WHEN NOT EXISTS ({_LINKED}) ",
    "audit_seal": f"WHEN OLD.position > {RETIRED} ",
    "audit_statement": "",
}
# INSERT OR REPLACE removes the old row without its DELETE trigger.
SQLITE_KEY = {"audit_entry": "id", "audit_seal": "position", "audit_statement": "id"}
SQLITE = {}
for _stem, _table in TABLES.items():
    _key = SQLITE_KEY[_stem]
    _there = f"WHEN EXISTS (SELECT 1 FROM {_table} WHERE {_key} = NEW.{_key})"  # noqa: S608
    for _name, _when in (
        ("update", f"BEFORE UPDATE ON {_table} "),
        ("delete", f"BEFORE DELETE ON {_table} {SQLITE_WHEN[_stem]}"),
        ("replace", f"BEFORE INSERT ON {_table} {_there} "),
    ):
        SQLITE[f"{_stem}_{_name}"] = f"CREATE TRIGGER {_stem}_{_name} {_when}{RAISE}"


def create(apps, schema_editor):
    """Create the triggers of this database."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRES, params=None)
    elif schema_editor.connection.vendor == "sqlite":
        for statement in SQLITE.values():
            schema_editor.execute(statement)


def drop(apps, schema_editor):
    """Drop them again."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRES_BACK, params=None)
    elif schema_editor.connection.vendor == "sqlite":
        for name in SQLITE:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")


class Migration(migrations.Migration):

    dependencies = [
        ('systemadmin', '0002_one_outbox_base'),
    ]

    operations = [
        migrations.AddField(
            model_name='auditentry',
            name='kid',
            field=models.CharField(blank=True, default='', help_text='The key of the code; empty for rows from before every field was covered.', max_length=16, verbose_name='key id'),
        ),
        migrations.AddField(
            model_name='auditseal',
            name='kid',
            field=models.CharField(blank=True, default='', help_text='The key of the link; empty for links from before they were signed.', max_length=16, verbose_name='key id'),
        ),
        migrations.AlterField(
            model_name='auditentry',
            name='actor',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='actor'),
        ),
        migrations.AlterField(
            model_name='auditseal',
            name='sealed_at',
            field=models.DateTimeField(verbose_name='sealed at'),
        ),
        migrations.CreateModel(
            name='AuditStatement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('adopted', 'Where signed links begin'), ('head', 'Head of the chain'), ('retired', 'Rows removed by retention'), ('restored', 'Rows lost with a restore'), ('verified', 'Verified up to here'), ('explained', 'A fault that was explained')], max_length=10, verbose_name='kind')),
                ('position', models.BigIntegerField(verbose_name='position')),
                ('body', models.JSONField(blank=True, default=dict, verbose_name='details')),
                ('made_at', models.DateTimeField(verbose_name='made at')),
                ('kid', models.CharField(max_length=16, verbose_name='key id')),
                ('signature', models.CharField(max_length=64, verbose_name='signature')),
            ],
            options={
                'verbose_name': 'audit statement',
                'verbose_name_plural': 'audit statements',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['kind', 'position'], name='audit_statement_kind')],
            },
        ),
        migrations.CreateModel(
            name='AuditVerification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('actor_name', models.CharField(blank=True, max_length=150, verbose_name='actor name')),
                ('started_at', models.DateTimeField(blank=True, null=True, verbose_name='started at')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='finished at')),
                ('error_code', models.CharField(blank=True, max_length=50, verbose_name='error code')),
                ('error', models.TextField(blank=True, verbose_name='error')),
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Did not run to its end')], default='queued', max_length=10, verbose_name='status')),
                ('checked', models.BigIntegerField(default=0, verbose_name='rows checked')),
                ('total', models.BigIntegerField(default=0, verbose_name='rows to check')),
                ('holds', models.BooleanField(null=True, verbose_name='holds')),
                ('head', models.CharField(blank=True, max_length=90, verbose_name='head of the chain')),
                ('fault_count', models.BigIntegerField(default=0, verbose_name='faults')),
                ('first_fault', models.JSONField(blank=True, null=True, verbose_name='first fault')),
                ('faults', models.JSONField(blank=True, default=list, verbose_name='list of faults')),
                ('notes', models.JSONField(blank=True, default=list, verbose_name='notes')),
                ('heads_compared', models.PositiveIntegerField(default=0, verbose_name='outside heads compared')),
                ('resume', models.JSONField(blank=True, default=dict, verbose_name='state to go on from')),
                ('unfinished', models.BooleanField(editable=False, null=True, unique=True)),
                ('actor', models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='actor')),
            ],
            options={
                'verbose_name': 'audit verification',
                'verbose_name_plural': 'audit verifications',
                'ordering': ['-id'],
            },
        ),
        migrations.RunPython(create, drop, elidable=False),
    ]
