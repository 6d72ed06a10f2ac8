"""What is kept as proof of what was done: audit trail, requests, maintenance, backups."""

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q

from systemadmin.foundation.retention import Job, Rows, Span, Table
from systemadmin.models import Restore
from systemadmin.services.audit_retention import due_audit_entries, retire_audit_entries

RECORDS = [
    Table(
        model="systemadmin.AuditEntry",
        holds="who changed what from where, with values before and after",
        purpose="proof of every change; it outlives accounts",
        owners=["actor"],
        rules=[
            Job(
                name="audit",
                span=Span(setting="audit.retention_days"),
                run=lambda _seconds: retire_audit_entries(),
                due=due_audit_entries,
                says="deleted from the oldest on, with a signed statement of the cut",
            )
        ],
    ),
    Table(
        model="systemadmin.AuditSeal",
        holds="the chain of hashes over the audit trail",
        purpose="finding forged or missing rows",
        kept="as long as the row of the audit trail; goes with it",
    ),
    Table(
        model="systemadmin.AuditStatement",
        holds="signed heads and cuts of the audit trail",
        purpose="proof that a cut was retention",
        kept="for ever: later verifications need them; a few rows per day",
    ),
    Table(
        model="systemadmin.AuditVerification",
        holds="runs that verified the audit trail",
        purpose="when the trail held last",
        rules=[
            Rows(
                name="audit_verifications",
                span=Span(setting="audit.retention_days"),
                moment="created_at",
                where=Q(unfinished=False),
            )
        ],
    ),
    Table(
        model="systemadmin.ApprovalRequest",
        holds="requests for a second person: what, why, by whom, decided by whom",
        purpose="proof that two people agreed",
        owners=["asked_by", "decided_by"],
        rules=[
            Rows(
                name="approval_requests",
                span=Span(setting="audit.retention_days"),
                moment="decided_at",
            )
        ],
        kept="while it waits",
    ),
    Table(
        model="systemadmin.AmountDoneAlone",
        holds="amounts that one person of staff moved alone",
        purpose="those of a day are added up, so that a large sum is not split",
        owners=["actor"],
        rules=[
            Rows(
                name="amounts_done_alone",
                span=Span(fixed=timedelta(days=2)),
                moment="done_at",
            )
        ],
    ),
    Table(
        model="systemadmin.ConfigurationChange",
        holds="changes of settings",
        purpose="who changed what, and taking it back",
        owners=["actor"],
        kept="for ever: it explains how older rows were handled; a few rows per month",
    ),
    Table(
        model="systemadmin.SystemConfig",
        holds="values of settings",
        purpose="the settings in force",
        kept="as long as the setting",
    ),
    Table(
        model="systemadmin.MaintenanceWindow",
        holds="maintenance with its texts",
        purpose="when the service was closed and by whom",
        owners=["created_by"],
        kept="for ever: the record of when the service was closed; a few rows per year",
    ),
    Table(
        model="systemadmin.Installation",
        holds="the id of this installation",
        purpose="whose backups are whose",
        kept="as long as the installation: one row",
    ),
    Table(
        model="systemadmin.Backup",
        holds="backups: name, size, check sums, tables",
        purpose="restoring",
        owners=["actor"],
        rules=[
            Rows(
                name="backup_records",
                span=Span(setting="retention.backup_record_days"),
                moment="created_at",
                where=Q(
                    status__in=["failed", "expired"],
                    unfinished=False,
                    is_pinned=False,
                    restores__isnull=True,
                )
                & ~Q(Exists(Restore.objects.filter(safety_backup=OuterRef("pk")))),
            )
        ],
        kept="while its files exist, and while a restore names it",
    ),
    Table(
        model="systemadmin.BackupVerification",
        holds="trial restores and what they found",
        purpose="trust in a backup",
        owners=["actor"],
        kept="as long as the backup",
    ),
    Table(
        model="systemadmin.Restore",
        holds="restores: who, when, from what",
        purpose="the history of the database itself",
        owners=["actor"],
        kept="for ever: it explains gaps in everything else; a few rows per year",
    ),
    Table(
        model="admin.LogEntry",
        holds="changes by pages of Django's admin; nothing here writes it",
        purpose="Django",
        owners=["user"],
        rules=[
            Rows(
                name="admin_log",
                span=Span(setting="audit.retention_days"),
                moment="action_time",
            )
        ],
    ),
]
