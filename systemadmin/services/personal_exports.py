"""Exports of accounts: everything about a person that the person may have a copy of.

What each table gives stands in the apps' `personal_data.TABLES`. Other people appear as the owner
of the account sees them: by name where the two have met, else by number; staff as "staff". What
would harm others or show how fraud is found stays out (GDPR art. 15(4)).
"""

import logging
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.core.files.base import File
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.http import FileResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.errors import AccountIsErased, ExportNotReady, ExportRunning
from systemadmin.foundation import plugins
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.files import private_response
from systemadmin.foundation.locks import named_lock
from systemadmin.foundation.personal_data import PersonalTable
from systemadmin.foundation.personal_export import ExportFile, Row
from systemadmin.foundation.queue import LONG_CLUSTER, enqueue
from systemadmin.models import AccountExport, User
from systemadmin.services import rights
from systemadmin.services.duties import concerned_user, decides
from systemadmin.services.notifications import notify_user

logger = logging.getLogger("atalaya.privacy")

RUN_TASK: Final = "systemadmin.tasks.run_export"
UNFINISHED: Final = (AccountExport.Status.QUEUED, AccountExport.Status.RUNNING)
_CHUNK: Final = 1000


@decides(
    "systemadmin.request_export", permission="systemadmin.export_account", concerns=concerned_user
)
def request_export(*, actor: User | None, user: User, language: str = "") -> AccountExport:
    """Queue an export of an account for staff or the platform.

    Raises `OwnInterest`, `DemoActsOnReal`, `NotAllowed` (a superuser's, asked for by somebody
    lesser), `AccountIsErased` and `ExportRunning`.
    """
    rights.check_reach(actor, user)
    return _request(actor, user, language or user.language, is_own=False)


def request_own_export(*, actor: User) -> AccountExport:
    """Queue an export of the caller's own account, whatever staff export of it meanwhile.

    One that is being made, or that is ready and was asked for within the last day, is returned
    again: it costs much. Raises `AccountIsErased`.
    """
    try:
        return _own_recent(actor) or _request(actor, actor, actor.language, is_own=True)
    except ExportRunning:
        # Another call of theirs was faster.
        found = _own_recent(actor)
        if found is None:
            raise
        return found


def _own_recent(actor: User) -> AccountExport | None:
    own = AccountExport.objects.filter(account=actor, is_own=True)
    ready = Q(
        status=AccountExport.Status.DONE,
        expires_at__gt=timezone.now(),
        created_at__gt=timezone.now() - timedelta(days=1),
    )
    return own.filter(ready | Q(status__in=UNFINISHED)).order_by("-id").first()


@transaction.atomic
def _request(actor: User | None, user: User, language: str, *, is_own: bool) -> AccountExport:
    if user.erased_at is not None:
        raise AccountIsErased
    export = AccountExport(
        account=user,
        actor=actor,
        actor_name=actor.get_username() if actor else "",
        language=language,
        is_own=is_own,
    )
    try:
        with transaction.atomic():
            export.save()
    except IntegrityError as error:
        raise ExportRunning from error
    audit.record(
        "systemadmin.account.export_requested",
        actor=actor,
        target=export,
        metadata={"account": user.pk, "is_own": is_own},
    )
    enqueue(RUN_TASK, export.pk, cluster=LONG_CLUSTER)
    return export


def run_export(export_id: int) -> None:
    """Make a queued export; one whose process died is made anew, done ones are left alone."""
    with named_lock(f"systemadmin:export-{export_id}") as held:
        export = AccountExport.objects.filter(pk=export_id, status__in=UNFINISHED).first()
        if not held or export is None:
            return
        export.status, export.started_at = AccountExport.Status.RUNNING, timezone.now()
        export.save(update_fields=["status", "started_at", "updated_at"])
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "export.zip"
                digest = write_export(user=export.account, path=path, language=export.language)
                _store(export, path, digest)
        except Exception as error:
            logger.exception("export failed", extra={"export": export.pk})
            export.status, export.error_code = AccountExport.Status.FAILED, type(error).__name__
            export.finished_at = timezone.now()
            export.save()
            raise


def _store(export: AccountExport, path: Path, digest: str) -> None:
    with path.open("rb") as file, transaction.atomic():
        export.file.save("export.zip", File(file), save=False)
        export.status, export.sha256 = AccountExport.Status.DONE, digest
        export.size, export.finished_at = path.stat().st_size, timezone.now()
        days = timedelta(days=setting("privacy.export_days"))
        export.expires_at = export.finished_at + days
        export.save()
        audit.record(
            "systemadmin.account.exported",
            target=export,
            metadata={"account": export.account_id, "size": export.size},
        )
        if export.is_own:
            _notify_owner(export)


def _notify_owner(export: AccountExport) -> None:
    with translation.override(export.language):
        notify_user(
            user=export.account,
            kind="privacy.export_ready",
            subject=_("Your data is ready"),
            body=_(
                "The copy of your data that you asked for is ready. It can be downloaded until"
                " %(until)s.\n\nIf you did not ask for it, change your password at once."
            )
            % {"until": export.expires_at.strftime("%Y-%m-%d") if export.expires_at else ""},
            key=f"export-{export.pk}",
        )


# -- the contents ----------------------------------------------------------------------


def write_export(*, user: User, path: Path, language: str = "") -> str:
    """Write the export of an account as a ZIP file and return its SHA-256."""
    language = language or user.language
    with translation.override(language):
        title = _("Data of the account %(name)s") % {"name": user.get_username()}
        file = ExportFile(path, title=title, language=language)
        people = _People(user)
        for module in plugins.modules("personal_data"):
            for table in module.TABLES:
                if table.columns:
                    _add_table(file, table, user, people)
        return file.close()


def _add_table(file: ExportFile, table: PersonalTable, user: User, people: "_People") -> None:
    condition = (table.exported or table.rows)(user)
    rows = table.model._base_manager.filter(condition).order_by("pk").distinct()
    meta = table.model._meta
    heading = str(meta.verbose_name_plural).capitalize()
    listed = people.shown(table, rows.values(*table.columns).iterator(chunk_size=_CHUNK))
    file.add_table(meta.app_label, str(meta.model_name), heading, listed)
    for stored in table.files:
        for row in rows.exclude(**{stored.file: ""}).iterator(chunk_size=_CHUNK):
            _add_file(file, table, getattr(row, stored.file), row)


def _add_file(file: ExportFile, table: PersonalTable, stored: Any, row: Any) -> None:
    if isinstance(row, AccountExport):
        return
    name = getattr(row, "name", "") or getattr(row, "evidence_name", "") or stored.name
    try:
        with stored.open("rb") as opened:
            file.add_file(str(table.model._meta.model_name), row.pk, name, opened)
    except OSError:
        logger.warning("a file of an export is missing", extra={"row": row.pk})


class _People:
    """Other accounts as the owner of an export sees them."""

    def __init__(self, owner: User) -> None:
        self.owner = owner
        self._known: dict[int, dict[str, Any]] = {}

    def shown(self, table: PersonalTable, rows: Iterator[Row]) -> Iterator[Row]:
        """Yield rows with every account in them replaced by what may be said of it."""
        accounts = [name for name in table.columns if _is_account(table.model, name)]
        chunk: list[Row] = []
        for row in rows:
            chunk.append(row)
            if len(chunk) == _CHUNK:
                yield from self._replaced(chunk, accounts)
                chunk = []
        yield from self._replaced(chunk, accounts)

    def _replaced(self, rows: list[Row], accounts: list[str]) -> list[Row]:
        keys = {row[name] for row in rows for name in accounts if row[name] is not None}
        self._look_up(keys - self._known.keys())
        for row in rows:
            for name in accounts:
                row[name] = None if row[name] is None else self._known[row[name]]
        return rows

    def _look_up(self, keys: set[int]) -> None:
        if not keys:
            return
        named: set[int] = set()
        for met in plugins.collect("acquaintances", "MET"):
            named |= met(self.owner.pk, keys)
        for public in plugins.collect("acquaintances", "PUBLIC"):
            named |= public(keys)
        for user in User.objects.filter(pk__in=keys):
            self._known[user.pk] = self._say(user, user.pk in named)

    def _say(self, user: User, is_named: bool) -> dict[str, Any]:
        if user.pk == self.owner.pk:
            return {"account": user.pk, "name": _("you")}
        if user.is_staff:
            return {"account": None, "name": _("staff")}
        return {"account": user.pk, "name": user.get_username() if is_named else ""}


def _is_account(model: type[models.Model], name: str) -> bool:
    if "__" in name:
        return False
    field: Any = model._meta.get_field(name)
    return bool(field.is_relation and field.related_model is User)


# -- handing over ----------------------------------------------------------------------


def download_export(*, actor: User | None, export: AccountExport) -> FileResponse:
    """Return the file of an export and note who took it; raises `ExportNotReady`, `NotAllowed`."""
    rights.check_reach(actor, export.account)
    is_over = export.expires_at is None or export.expires_at <= timezone.now()
    if export.status != AccountExport.Status.DONE or is_over:
        raise ExportNotReady
    try:
        file = export.file.open("rb")
    except FileNotFoundError as error:  # a restore brings back the row, not the file
        raise ExportNotReady from error
    audit.record(
        "systemadmin.account.export_downloaded",
        actor=actor,
        target=export,
        metadata={"account": export.account_id},
    )
    name = f"account-{export.account_id}.zip"
    return private_response(file, name=name, content_type="application/zip")


def due_exports() -> int:
    """Return how many exports have a file whose time is over."""
    return _over().count()


def expire_exports() -> int:
    """Delete the files of exports whose time is over; return how many those were."""
    expired = 0
    for export in _over().order_by("pk")[:_CHUNK]:
        export.file.storage.delete(str(export.file.name))
        AccountExport.objects.filter(pk=export.pk).update(
            status=AccountExport.Status.EXPIRED, file=""
        )
        expired += 1
    return expired


def _over() -> models.QuerySet[AccountExport]:
    return AccountExport.objects.filter(
        status=AccountExport.Status.DONE, expires_at__lte=timezone.now()
    )
