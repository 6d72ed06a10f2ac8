"""Backups, their proofs and restores in the admin."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.admin import (
    AtalayaModelAdmin,
    ReadOnlyInline,
    form_action,
    service_action,
)
from systemadmin.foundation.caller import caller
from systemadmin.foundation.display import display_moment
from systemadmin.foundation.errors import DomainError
from systemadmin.models import Backup, BackupVerification, Restore
from systemadmin.services import backups
from systemadmin.services.installation import current_installation
from systemadmin.templatetags.atalaya import duration_text

CHART_POINTS = 60
CHART_WIDTH, CHART_HEIGHT = 900, 160
FEWEST_BARS = 14


STATE_TONES = {"queued": "wait", "running": "info", "complete": "good"}
PROOF_TONES = {"never": "warn", "passed": "good", "failed": "bad"}


def _badge(tone: str, text: Any, title: str = "") -> SafeString:
    return format_html('<span class="at-badge at-badge-{}" title="{}">{}</span>', tone, title, text)


@dataclass(frozen=True)
class Bar:
    """One backup in the chart of sizes."""

    x: float
    y: float
    width: float
    height: float
    title: str
    state: str


def chart(rows: list[Backup]) -> list[Bar]:
    """Bars of the sizes over time, oldest first, scaled to the largest."""
    largest = max((row.size for row in rows), default=0) or 1
    # The first backups of an installation are bars too, not a wall.
    step = CHART_WIDTH / max(len(rows), FEWEST_BARS)
    return [
        Bar(
            x=round(index * step, 1),
            y=round(CHART_HEIGHT * (1 - row.size / largest), 1),
            width=round(max(step - 2, 1), 1),
            height=round(CHART_HEIGHT * row.size / largest, 1),
            title=f"{row.taken_at:%Y-%m-%d %H:%M} · {filesizeformat(row.size)}",
            state=row.verification,
        )
        for index, row in enumerate(rows)
    ]


class UnpinForm(forms.Form):
    """Why; needed where a colleague pinned it."""

    reason = forms.CharField(label=_("Reason"), max_length=500, required=False)


class NoteForm(forms.Form):
    """Why the backup is made."""

    note = forms.CharField(label=_("Note"), max_length=300, required=False)


class ConfirmForm(forms.Form):
    """The database's name, typed: nobody types it by accident."""

    confirm = forms.CharField(
        label=_("Name of the database"),
        max_length=200,
        help_text=_(
            "Everything written since this backup will be lost from the live database; a safety "
            "backup is made first. Type the exact name of the database that will be replaced."
        ),
    )
    confirm_installation = forms.CharField(
        label=_("Identity of its maker"),
        max_length=36,
        required=False,
        help_text=_("Only for a backup that another installation made: type that identity."),
    )


class VerificationInline(ReadOnlyInline):
    """List the verifications of a backup."""

    model = BackupVerification
    readonly_fields: Any = ["created_at", "status", "restore_seconds", "actor_name", "error"]
    fields: Any = readonly_fields


@admin.register(Backup)
class BackupAdmin(AtalayaModelAdmin):
    """Last and next, the sizes over time, and what to do about them."""

    list_display = [
        "taken",
        "state",
        "proof",
        "readable_size",
        "rows",
        "trigger",
        "maker",
        "actor_name",
    ]
    list_filter = ["status", "verification", "trigger", "is_pinned"]
    search_fields = ["name", "note"]
    inlines = [VerificationInline]
    actions = ["verify", "restore", "pin", "unpin"]
    change_list_template = "admin/systemadmin/backup_list.html"
    change_form_template = "admin/systemadmin/backup_detail.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        """Leave the long lists in the database until one backup is opened."""
        rows = super().get_queryset(request).with_maker(current_installation())
        return rows.defer("tables", "migrations", "parts")

    @admin.display(description=_("taken"), ordering="taken_at")
    def taken(self, backup: Backup) -> str:
        """Return how long ago it was taken or begun, the moment on hover, and its name."""
        moment = backup.taken_at or backup.created_at
        return format_html(
            '<time title="{}">{}</time><small class="backup-name">{}</small>',
            display_moment(moment),
            duration_text((timezone.now() - moment).total_seconds()),
            backup.name,
        )

    @admin.display(description=_("made by"), ordering="installation")
    def maker(self, backup: Backup) -> str:
        """Return another installation by its address; nothing for our own."""
        if backup.is_own:
            return "-"
        return backup.installation_name or backup.installation or str(_("unknown"))

    @admin.display(description=_("status"), ordering="status")
    def state(self, backup: Backup) -> str:
        """Return the status, with how far a running one is."""
        text = backup.get_status_display()
        if backup.status == Backup.Status.RUNNING:
            text = f"{text} · {filesizeformat(backup.progress_bytes)}"
        badge = _badge(STATE_TONES.get(backup.status, "bad"), text)
        pin = _badge("info", _("pinned")) if backup.is_pinned else ""
        return format_html("{} {}", badge, pin)

    @admin.display(description=_("verified"), ordering="verified_at")
    def proof(self, backup: Backup) -> str:
        """Return the verification with its moment, marked where a backup was never restored."""
        moment = display_moment(backup.verified_at) if backup.verified_at else ""
        text = backup.get_verification_display()
        return _badge(PROOF_TONES[backup.verification], text, moment)

    @admin.display(description=_("size"), ordering="size")
    def readable_size(self, backup: Backup) -> str:
        """Return the size in units people read."""
        return filesizeformat(backup.size) if backup.size else "-"

    # -- pages -----------------------------------------------------------------

    def get_urls(self) -> list[Any]:
        """Add the button and the download."""
        wrap = self.admin_site.admin_view
        own = [
            path("now/", wrap(self.backup_now), name="systemadmin_backup_now"),
            path("<int:pk>/download/", wrap(self.download), name="systemadmin_backup_download"),
        ]
        return own + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return the list under the outlook and the chart."""
        newest = Backup.objects.complete().newest_first().defer("tables", "migrations", "parts")
        rows = list(newest[:CHART_POINTS])[::-1]
        context = {
            "outlook": backups.outlook(),
            "bars": chart(rows),
            "chart_width": CHART_WIDTH,
            "chart_height": CHART_HEIGHT,
            "running_restore": Restore.objects.unfinished_ones().first(),
            "may_backup": request.user.has_perm("systemadmin.add_backup"),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Return one backup with its buttons."""
        may = {
            "may_download": request.user.has_perms(backups.MAY_DOWNLOAD),
            "may_verify": request.user.has_perm("systemadmin.verify_backup"),
            "may_restore": request.user.has_perm("systemadmin.restore_backup"),
        }
        return super().change_view(request, object_id, form_url, {**may, **(extra_context or {})})

    def backup_now(self, request: HttpRequest) -> HttpResponse:
        """Ask once more, then queue a backup."""
        if not request.user.has_perm("systemadmin.add_backup"):
            raise PermissionDenied
        form = NoteForm(request.POST) if request.method == "POST" else NoteForm()
        if request.method == "POST" and form.is_valid():
            try:
                backup = backups.request_backup(
                    actor=caller(request),
                    note=form.cleaned_data["note"],
                    trigger=Backup.Trigger.MANUAL,
                )
            except DomainError as refusal:
                return self._back(request, str(refusal), messages.ERROR)
            return self._back(request, _("Backup %s is queued.") % backup, messages.SUCCESS)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Back up now"),
            "opts": self.model._meta,
            "form": form,
        }
        return TemplateResponse(request, "admin/systemadmin/backup_now.html", context)

    def download(self, request: HttpRequest, pk: int) -> Any:
        """Return the stored file, for who may have it."""
        if not request.user.has_perms(backups.MAY_DOWNLOAD):
            raise PermissionDenied
        try:
            return backups.download(actor=caller(request), backup=backups.get_backup(pk))
        except DomainError as refusal:
            return self._back(request, str(refusal), messages.ERROR)

    def _back(self, request: HttpRequest, text: Any, level: int) -> HttpResponse:
        messages.add_message(request, level, text)
        return HttpResponseRedirect(reverse("admin:systemadmin_backup_changelist"))

    # -- actions ---------------------------------------------------------------

    @service_action(description=_("Verify by a trial restore"), perm="systemadmin.verify_backup")
    def verify(self, request: HttpRequest, obj: Backup) -> None:
        """Queue a verification of the backup."""
        backups.request_verification(actor=caller(request), backup=obj)

    @form_action(
        description=_("Restore the database from this backup"),
        perm="systemadmin.restore_backup",
        form=ConfirmForm,
    )
    def restore(self, request: HttpRequest, obj: Backup, data: dict[str, Any]) -> None:
        """Queue the replacement of the live database."""
        backups.request_restore(
            actor=caller(request),
            backup=obj,
            confirm=data["confirm"],
            confirm_installation=data["confirm_installation"],
            passed_second_factor=caller(request).is_verified(),
        )

    @service_action(description=_("Keep for good"), perm="systemadmin.pin_backup")
    def pin(self, request: HttpRequest, obj: Backup) -> None:
        """Pin the backup, so that retention never deletes it."""
        backups.set_pinned(actor=caller(request), backup=obj, pinned=True)

    @form_action(
        description=_("Let retention decide"), perm="systemadmin.pin_backup", form=UnpinForm
    )
    def unpin(self, request: HttpRequest, obj: Backup, data: dict[str, Any]) -> None:
        """Remove the pin, so that retention may delete the backup."""
        backups.set_pinned(actor=caller(request), backup=obj, pinned=False, **data)


@admin.register(Restore)
class RestoreAdmin(AtalayaModelAdmin):
    """What was restored, by whom, and how it ended."""

    list_display = ["backup", "status", "step", "created_at", "closed_seconds", "actor_name"]
    list_filter = ["status", "trigger"]
    list_select_related = ["backup"]
