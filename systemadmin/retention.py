"""What the base app and the libraries below it keep: of whom, why, how long."""

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, Q

from systemadmin.foundation.api.idempotency import KEEP
from systemadmin.foundation.retention import Elsewhere, Job, Rows, Span, Table
from systemadmin.models import Restore
from systemadmin.services.audit_retention import due_audit_entries, retire_audit_entries
from systemadmin.services.batch_failures import KEEP_GIVEN_UP, KEEP_WAITING
from systemadmin.services.personal_exports import due_exports, expire_exports

EXPIRED = Span(fixed=timedelta(0))
ALERTS = Span(setting="retention.alert_days")
EXPORTS = Span(setting="privacy.export_days")
SIGN_INS = Span(setting="sign_in.keep_failures_days")
WITH_ACCOUNT = "as long as the account"
WITH_ROLE = "as long as the role or permission that it belongs to"
DELIVERED = Q(status__in=["sent", "failed", "skipped"])

ACCOUNTS = [
    Table(
        model="systemadmin.User",
        holds="accounts: names, e-mail address, Telegram chat, country, password hash, suspension",
        purpose="signing in and writing to the person; every record of an act names an account",
        owners=["pk"],
        kept="until the account is erased",
    ),
    Table(
        model="systemadmin.User_groups",
        holds="roles of accounts",
        purpose="rights",
        owners=["user"],
        kept=WITH_ACCOUNT,
    ),
    Table(
        model="systemadmin.User_user_permissions",
        holds="permissions of service accounts",
        purpose="rights",
        owners=["user"],
        kept=WITH_ACCOUNT,
    ),
    Table(
        model="systemadmin.LegalHold",
        holds="reasons why the data of an account has to stay",
        purpose="proof that data was kept with a reason",
        owners=["account"],
        kept=WITH_ACCOUNT,
    ),
    Table(
        model="systemadmin.AccountExport",
        holds="exports of accounts: a ZIP file with everything about a person",
        purpose="handing people a copy of their data",
        owners=["account"],
        rules=[
            Job(
                name="exports",
                span=EXPORTS,
                run=lambda _seconds: expire_exports(),
                due=due_exports,
                says="the file is deleted; the row stays as long as the account",
            )
        ],
    ),
    Table(
        model="systemadmin.AccountErasure",
        holds="which account was erased when and by whom, with numbers of rows",
        purpose="proof that an erasure was done",
        owners=["account"],
        kept="for ever: it holds no name of the erased person",
    ),
    Table(
        model="systemadmin.EncryptedTotpDevice",
        holds="encrypted secrets of authenticator apps",
        purpose="second factor",
        owners=["user"],
        kept="until it is replaced or switched off",
    ),
    Table(
        model="systemadmin.RecoveryCode",
        holds="hashes of recovery codes",
        purpose="second factor",
        owners=["user"],
        kept="until new codes are made or the second factor is switched off",
    ),
    Table(
        model="systemadmin.AccessLink",
        holds="one-time links sent to staff: for what, until when, digest of the address",
        purpose="each link works once and for one address",
        owners=["user"],
        rules=[
            Rows(
                name="access_links",
                span=Span(fixed=timedelta(days=30)),
                moment="expires_at",
            )
        ],
    ),
    Table(
        model="systemadmin.ApiToken",
        holds="hashes of bearer tokens with device, address and user agent",
        purpose="signing in by the API; the owner's list of devices",
        owners=["user"],
        rules=[Rows(name="tokens", span=EXPIRED, moment="expiry")],
    ),
    Table(
        model="sessions.Session",
        holds="web sessions",
        purpose="signing in to the admin",
        rules=[Rows(name="sessions", span=EXPIRED, moment="expire_date")],
    ),
    Table(
        model="systemadmin.UserSession",
        holds="address and user agent of each web session",
        purpose="the owner's list of devices",
        owners=["user"],
        rules=[
            Rows(
                name="session_devices",
                # The session is written a moment after its description.
                span=Span(fixed=timedelta(minutes=5)),
                moment="created_at",
                where=Q(~Exists(Session.objects.filter(session_key=OuterRef("session_key")))),
            )
        ],
    ),
    Table(
        model="systemadmin.Demo2FASession",
        holds="sign-ins of demo staff with the demo code",
        purpose="second factor in demo mode",
        owners=["user"],
        rules=[Rows(name="demo_sessions", span=EXPIRED, moment="expires_at")],
    ),
    Table(
        model="systemadmin.IdempotencyKey",
        holds="answers to repeatable requests",
        purpose="the same request twice has one effect",
        owners=["user"],
        rules=[Rows(name="idempotency_keys", span=Span(fixed=KEEP), moment="created_at")],
    ),
    Table(
        model="axes.AccessAttempt",
        holds="failed sign-ins: hashed name, address, user agent",
        purpose="locking out whoever guesses passwords",
        rules=[Rows(name="failed_sign_ins", span=SIGN_INS, moment="attempt_time")],
    ),
    Table(
        model="axes.AccessAttemptExpiration",
        holds="ends of lockouts; not used here",
        purpose="django-axes",
        rules=[Rows(name="lockout_ends", span=SIGN_INS, moment="expires_at")],
    ),
    Table(
        model="axes.AccessFailureLog",
        holds="nothing: this log is switched off",
        purpose="django-axes",
        rules=[Rows(name="failed_sign_in_log", span=SIGN_INS, moment="attempt_time")],
    ),
    Table(
        model="axes.AccessLog",
        holds="nothing: this log is switched off",
        purpose="django-axes",
        rules=[Rows(name="sign_in_log", span=SIGN_INS, moment="attempt_time")],
    ),
]

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

MESSAGES = [
    Table(
        model="systemadmin.Notification",
        holds="notices to accounts by e-mail and Telegram",
        purpose="sending once, and proof that it was sent",
        owners=["user"],
        rules=[
            Rows(
                name="notice_texts",
                span=Span(setting="retention.notice_text_days"),
                moment="created_at",
                # What was given up can still be sent again by staff.
                where=Q(status__in=["sent", "skipped"]),
                blank={"subject": "", "body": "", "address": ""},
            ),
            Rows(
                name="notices",
                span=Span(setting="retention.notice_days"),
                moment="created_at",
                where=DELIVERED,
            ),
        ],
    ),
    Table(
        model="systemadmin.Alert",
        holds="alerts to staff",
        purpose="what went wrong and who looked at it",
        rules=[Rows(name="alerts", span=ALERTS, moment="resolved_at", where=Q(status="resolved"))],
        kept="while it is open",
    ),
    Table(
        model="systemadmin.AlertNotice",
        holds="messages to the alert channels",
        purpose="sending once",
        rules=[
            Rows(
                name="alert_notices",
                span=Span(setting="retention.alert_notice_days"),
                moment="created_at",
                where=DELIVERED,
            )
        ],
    ),
    Table(
        model="systemadmin.AlertNotice_alerts",
        holds="which alerts a message names",
        purpose="sending once",
        kept="as long as the message and the alert",
    ),
    Table(
        model="systemadmin.AlertRule",
        holds="thresholds of alerts",
        purpose="configuration",
        kept="until staff delete it",
    ),
    Table(
        model="systemadmin.AlertSilence",
        holds="silences with reasons",
        purpose="which alerts are not sent",
        owners=["created_by"],
        rules=[Rows(name="alert_silences", span=ALERTS, moment="until")],
    ),
    Table(
        model="systemadmin.BlockedNetwork",
        holds="blocked networks with reasons",
        purpose="keeping out whoever floods the service",
        rules=[Rows(name="lifted_blocks", span=ALERTS, moment="lifted_at")],
        kept="while the block is in force",
    ),
]

WORK = [
    Table(
        model="systemadmin.BatchFailure",
        holds="rows that a batch could not handle, with the error",
        purpose="trying again, by itself or by hand",
        rules=[
            Rows(
                name="failed_rows_waiting",
                span=Span(fixed=KEEP_WAITING),
                moment="last_failed_at",
                where=Q(given_up_at__isnull=True),
            ),
            Rows(
                name="failed_rows_given_up",
                span=Span(fixed=KEEP_GIVEN_UP),
                moment="given_up_at",
            ),
        ],
    ),
    Table(
        model="systemadmin.Heartbeat",
        holds="signs of life of processes",
        purpose="alerting when workers stand still",
        rules=[
            Elsewhere(
                name="heartbeats",
                span=Span(fixed=timedelta(days=1)),
                schedule="systemadmin.heartbeat",
                says="deleted every minute",
            )
        ],
    ),
    Table(
        model="systemadmin.RequestMinute",
        holds="numbers of requests per minute and process",
        purpose="response times on the status page",
        rules=[
            Elsewhere(
                name="request_minutes",
                span=Span(fixed=timedelta(days=1)),
                schedule="systemadmin.heartbeat",
                says="deleted every minute",
            )
        ],
    ),
    Table(
        model="systemadmin.TaskAttempt",
        holds="tasks that keep killing their worker",
        purpose="setting them aside",
        rules=[
            Rows(name="task_attempts", span=Span(fixed=timedelta(days=90)), moment="started_at")
        ],
    ),
    Table(
        model="systemadmin.TaskLease",
        holds="which worker holds which task",
        purpose="a dead worker's tasks come back",
        kept="while the task is in the queue",
    ),
    Table(
        model="django_q.OrmQ",
        holds="tasks that wait, signed",
        purpose="the queue",
        kept="until the task is done",
    ),
    Table(
        model="django_q.Schedule",
        holds="when each schedule runs next",
        purpose="work by the clock",
        kept="as long as the schedule is declared",
    ),
    Table(
        model="django_q.Task",
        holds="records of finished tasks with their arguments",
        purpose="finding out why a task failed",
        rules=[
            Rows(
                name="finished_tasks",
                span=Span(setting="retention.finished_task_days"),
                moment="stopped",
                where=Q(success=True),
            ),
            Rows(
                name="failed_tasks",
                span=Span(setting="retention.failed_task_days"),
                moment="stopped",
                where=Q(success=False),
            ),
        ],
    ),
    Table(
        model="systemadmin.PruningState",
        holds="the last run of each retention rule",
        purpose="the retention page",
        kept="as long as the rule: one row each",
    ),
    Table(
        model="systemadmin.TableSample",
        holds="how many rows each table held on a day",
        purpose="growth on the retention page",
        rules=[
            Rows(
                name="table_sizes",
                span=Span(setting="retention.table_size_days"),
                moment="day",
            )
        ],
    ),
    Table(
        model="systemadmin.PrunedFile",
        holds="names of files whose rows are gone",
        purpose="deleting the file after its row, even when the process is killed between",
        kept="until the file is deleted: the same night",
    ),
    Table(
        table="cache_entries",
        holds="cached figures and counters of rate limits",
        purpose="speed; with Redis it is empty",
        kept="until it expires: each write removes what has expired",
    ),
    Table(
        table="django_migrations",
        holds="applied changes of the schema",
        purpose="Django",
        kept="as long as the schema",
    ),
    Table(
        model="contenttypes.ContentType",
        holds="names of the models",
        purpose="Django's permissions",
        kept="as long as the model",
    ),
    Table(model="auth.Permission", holds="permissions", purpose="rights", kept=WITH_ROLE),
    Table(model="auth.Group", holds="roles", purpose="rights", kept="until staff delete it"),
    Table(
        model="auth.Group_permissions",
        holds="permissions of roles",
        purpose="rights",
        kept=WITH_ROLE,
    ),
]

TABLES = [*ACCOUNTS, *RECORDS, *MESSAGES, *WORK]
