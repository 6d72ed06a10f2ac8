"""Backups, the proofs that they restore, and restores: records that outlive a restore."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.models import TimestampedModel
from systemadmin.querysets.backups import BackupQuerySet, RestoreQuerySet


def new_uid() -> str:
    """Return an identity that no other installation has."""
    return str(uuid.uuid4())


class Installation(TimestampedModel):
    """Which installation this database belongs to: one row, kept by every restore.

    Backups state it in their signed manifest, and only their maker retires them.
    """

    uid = models.CharField(_("identity"), max_length=36, default=new_uid, unique=True)

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installations")
        constraints = [
            models.CheckConstraint(
                condition=Q(id=1),
                name="systemadmin_installation_is_one",
                violation_error_message=_("There is one installation per database."),
            ),
        ]

    def __str__(self) -> str:
        return self.uid


class RecordedWork(TimestampedModel):
    """Long work of one process: who asked, when it ran, how it ended.

    The actor has no database constraint and its name is copied: these rows are carried into
    restored databases, where the account may not exist.
    """

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_constraint=False,
    )
    actor_name = models.CharField(_("actor name"), max_length=150, blank=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    error_code = models.CharField(_("error code"), max_length=50, blank=True)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        abstract = True

    @property
    def duration_seconds(self) -> float | None:
        """How long it ran, once it has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class Backup(RecordedWork):
    """One backup: database dump, uploaded files, and the signed manifest beside them."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        COMPLETE = "complete", _("Complete")
        FAILED = "failed", _("Failed")
        DAMAGED = "damaged", _("Damaged")
        MISSING = "missing", _("Files missing")
        EXPIRED = "expired", _("Deleted by retention")

    class Trigger(models.TextChoices):
        MANUAL = "manual", _("By hand")
        API = "api", _("API")
        COMMAND = "command", _("Command")
        SCHEDULE = "schedule", _("Schedule")
        SAFETY = "safety", _("Before a critical act")
        IMPORT = "import", _("Found in the storage")

    class Verification(models.TextChoices):
        NEVER = "never", _("Never verified")
        PASSED = "passed", _("Verified")
        FAILED = "failed", _("Verification failed")

    name = models.CharField(_("name"), max_length=120, unique=True)
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.QUEUED
    )
    trigger = models.CharField(_("trigger"), max_length=10, choices=Trigger.choices)
    note = models.CharField(_("note"), max_length=300, blank=True)
    taken_at = models.DateTimeField(
        _("taken at"), null=True, blank=True, help_text=_("The moment the backup shows.")
    )
    size = models.BigIntegerField(_("size"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    is_sealed = models.BooleanField(_("encrypted"), default=False)
    engine = models.CharField(_("database engine"), max_length=20, blank=True)
    engine_version = models.CharField(_("engine version"), max_length=50, blank=True)
    database = models.CharField(_("database"), max_length=100, blank=True)
    app_version = models.CharField(_("application version"), max_length=50, blank=True)
    migrations = models.JSONField(_("migrations"), default=list, blank=True)
    tables = models.JSONField(_("rows per table"), default=dict, blank=True)
    rows = models.BigIntegerField(_("rows"), default=0)
    media_files = models.PositiveIntegerField(_("uploaded files"), default=0)
    parts = models.JSONField(_("stored files"), default=list, blank=True)
    installation = models.CharField(
        _("made by the installation"), max_length=36, blank=True, editable=False
    )
    installation_name = models.CharField(
        _("address of its maker"), max_length=200, blank=True, editable=False
    )
    progress_bytes = models.BigIntegerField(_("bytes so far"), default=0)
    is_pinned = models.BooleanField(
        _("pinned"), default=False, help_text=_("Retention never deletes a pinned backup.")
    )
    verification = models.CharField(
        _("verification"),
        max_length=10,
        choices=Verification.choices,
        default=Verification.NEVER,
    )
    verified_at = models.DateTimeField(_("verified at"), null=True, blank=True)
    restore_seconds = models.FloatField(_("seconds a restore takes"), null=True, blank=True)
    # Null for finished rows, so that the unique index holds one unfinished row at most.
    unfinished = models.BooleanField(_("unfinished"), null=True, editable=False, unique=True)

    objects = BackupQuerySet.as_manager()

    class Meta:
        verbose_name = _("backup")
        verbose_name_plural = _("backups")
        ordering = ["-id"]
        permissions = [
            ("download_backup", _("Can download backups")),
            ("verify_backup", _("Can verify backups")),
            ("restore_backup", _("Can restore the database from a backup")),
            ("pin_backup", _("Can keep backups from being deleted")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="complete") | Q(taken_at__isnull=False, size__gt=0),
                name="systemadmin_backup_complete_has_content",
                violation_error_message=_("A complete backup has a moment and a size."),
            ),
        ]
        # The newest usable one, the list by status, and the retention's walk.
        indexes = [models.Index(fields=["status", "-taken_at"], name="backup_status_taken")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_restorable(self) -> bool:
        """True when its files are believed whole: only then may it be restored."""
        return self.status == self.Status.COMPLETE

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the marker of unfinished work in step with the status.

        A safety backup runs inside other work that holds the lock, beside whatever is queued.
        """
        unfinished = self.status in (self.Status.QUEUED, self.Status.RUNNING)
        self.unfinished = True if unfinished and self.trigger != self.Trigger.SAFETY else None
        super().save(*args, **kwargs)


class BackupVerification(RecordedWork):
    """One proof: the backup restored into a scratch database, checked, and dropped."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        PASSED = "passed", _("Passed")
        FAILED = "failed", _("Failed")

    backup = models.ForeignKey(
        Backup, verbose_name=_("backup"), on_delete=models.CASCADE, related_name="verifications"
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.QUEUED
    )
    restore_seconds = models.FloatField(_("seconds the restore took"), null=True, blank=True)
    problems = models.JSONField(_("problems"), default=list, blank=True)
    warnings = models.JSONField(_("warnings"), default=list, blank=True)

    class Meta:
        verbose_name = _("backup verification")
        verbose_name_plural = _("backup verifications")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.backup} {self.status}"


class Restore(RecordedWork):
    """One restore of the live database, from the request to its end."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed, the database is as it was")

    backup = models.ForeignKey(
        Backup, verbose_name=_("backup"), on_delete=models.PROTECT, related_name="restores"
    )
    status = models.CharField(
        _("status"), max_length=10, choices=Status.choices, default=Status.QUEUED
    )
    step = models.CharField(_("step"), max_length=40, blank=True)
    trigger = models.CharField(_("trigger"), max_length=10, choices=Backup.Trigger.choices)
    safety_backup = models.ForeignKey(
        Backup,
        verbose_name=_("safety backup"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    method = models.CharField(_("method"), max_length=20, blank=True)
    kept_as = models.CharField(_("previous database kept as"), max_length=100, blank=True)
    closed_seconds = models.FloatField(_("seconds the house was closed"), null=True, blank=True)
    media_written = models.PositiveIntegerField(_("files put back"), default=0)
    warnings = models.JSONField(_("warnings"), default=list, blank=True)
    unfinished = models.BooleanField(_("unfinished"), null=True, editable=False, unique=True)

    objects = RestoreQuerySet.as_manager()

    class Meta:
        verbose_name = _("restore")
        verbose_name_plural = _("restores")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.backup} → {self.status}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the marker of unfinished work in step with the status."""
        unfinished = self.status in (self.Status.QUEUED, self.Status.RUNNING)
        self.unfinished = True if unfinished else None
        super().save(*args, **kwargs)
