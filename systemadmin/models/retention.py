"""What pruning did last, how much each table holds, and files whose rows are gone."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class PruningState(models.Model):
    """The last run of one rule, and how far it has come."""

    rule = models.CharField(_("rule"), max_length=100, primary_key=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    removed = models.PositiveBigIntegerField(_("removed by the last run"), default=0)
    removed_total = models.PositiveBigIntegerField(_("removed altogether"), default=0)
    # False when its time was over before its rows were.
    is_complete = models.BooleanField(_("complete"), default=True)
    error = models.TextField(_("error"), blank=True)
    # Everything before it was handled; for work that would otherwise look at every row each night.
    done_until = models.DateTimeField(_("done until"), null=True, blank=True)

    class Meta:
        verbose_name = _("state of a retention rule")
        verbose_name_plural = _("states of retention rules")
        permissions = [("view_retention", _("Can see what is kept and pruned"))]

    def __str__(self) -> str:
        return self.rule


class TableSample(models.Model):
    """How much a table held on one day: estimated where counting would read it whole."""

    table = models.CharField(_("table"), max_length=100)
    day = models.DateField(_("day"))
    rows = models.PositiveBigIntegerField(_("rows"))
    size = models.PositiveBigIntegerField(_("bytes"), null=True, blank=True)

    class Meta:
        verbose_name = _("size of a table")
        verbose_name_plural = _("sizes of tables")
        constraints = [
            models.UniqueConstraint(
                fields=["table", "day"],
                name="systemadmin_tablesample_once_a_day",
                violation_error_message=_("This table was measured on that day."),
            )
        ]
        # The growth of all tables since a day; the retention of samples.
        indexes = [models.Index(fields=["day"], name="tablesample_day")]

    def __str__(self) -> str:
        return f"{self.table} {self.day}"


class PrunedFile(models.Model):
    """A stored file whose row was deleted: written with the deletion, gone when the file is.

    A process killed between the two leaves a row here, and the next run deletes the file.
    """

    field = models.CharField(_("field"), max_length=150)
    name = models.CharField(_("name"), max_length=300)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("file to delete")
        verbose_name_plural = _("files to delete")

    def __str__(self) -> str:
        return self.name
