"""Which installation this is: backups state it, and only their maker retires them."""

from pathlib import Path

from django.conf import settings
from django.db import transaction

from systemadmin import audit
from systemadmin.models import Backup, Installation, User
from systemadmin.models.backups import new_uid

MARKER = "installation"
CHANGED = "systemadmin.installation.changed"


def current_installation() -> str:
    """Return the identity in force: INSTALLATION_ID where it is set, else the database's own."""
    if settings.INSTALLATION_ID:
        return str(settings.INSTALLATION_ID)
    return Installation.objects.get_or_create(pk=1)[0].uid


def installation_name() -> str:
    """Return what people call it: its public address."""
    return str(settings.PUBLIC_URL)[:200]


@transaction.atomic
def change_installation(*, actor: User | None = None, uid: str = "") -> str:
    """Become another installation, or the one of that identity; return the identity.

    A new one leaves all stored backups alone. The one of a given identity retires its backups,
    which a copy of it elsewhere must not do.
    """
    row = Installation.objects.get_or_create(pk=1)[0]
    before, row.uid = row.uid, uid or new_uid()
    row.save()
    audit.record(
        CHANGED,
        actor=actor,
        target=row,
        before={"uid": before},
        after={"uid": row.uid},
    )
    return row.uid


def is_own(backup: Backup) -> bool:
    """Return whether this installation made the backup."""
    return backup.installation == current_installation()


def remember_installation(uid: str) -> None:
    """Note beside the database which installation lives on this machine."""
    marker = _marker()
    if known_here() != uid:
        marker.write_text(uid)


def known_here() -> str:
    """Return the identity that this machine has made backups for; empty on a new machine."""
    if settings.INSTALLATION_ID:
        return str(settings.INSTALLATION_ID)
    try:
        return _marker().read_text().strip()
    except OSError:
        return ""


def _marker() -> Path:
    return Path(settings.VAR_DIR) / MARKER
