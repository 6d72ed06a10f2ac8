"""The head of the chain, kept where whoever can write the database cannot reach.

A head names the last position and its hash, signed. It goes into a file of its own in the
storage of backups, into every backup's manifest, into the log and, once a day, to the alert
channels. Comparing with heads outside is what finds a tail that was cut off, an emptied table
and an older copy of the database.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from systemadmin.audit import is_authentic
from systemadmin.audit_content import COLUMNS, canonical, microseconds
from systemadmin.backups.errors import BackupError
from systemadmin.backups.vault import open_vault
from systemadmin.foundation.configuration import setting
from systemadmin.models import Alert, AuditEntry, AuditStatement
from systemadmin.services.alerts import raise_alert, resolve_alert
from systemadmin.services.audit_chain import chain_end, links_at, seal_audit_trail
from systemadmin.services.audit_statements import (
    Kind,
    Statement,
    our_statements,
    parse_statement,
    sign_statement,
    state,
    store_statement,
)
from systemadmin.services.installation import CHANGED, current_installation

logger = logging.getLogger("atalaya.audit")

FOLDER: Final = "audit-heads"
SUFFIX: Final = ".json"
# Each holds the hash of all that came before it, so the newest ones prove the most.
MOST_FILES: Final = 500
MOST_MANIFESTS: Final = 50
LARGEST_FILE: Final = 64 * 1024


class HeadUnreadable(ValueError):
    """A head given by hand is neither a file of ours nor `position:hash`."""


def database_name() -> str:
    """Return the database's name: a storage may hold the heads of several installations."""
    return str(open_vault().engine.database)


def current_head() -> Statement | None:
    """Return the signed head of the chain, None while nothing is sealed.

    It names the installation, and those that this one was a copy of.
    """
    end = chain_end()
    if not end.position:
        return None
    body = {
        "chain": end.chain_hash,
        "entry": end.entry_id,
        "database": database_name(),
        "installation": current_installation(),
        "was": sorted(identities_left()),
    }
    return sign_statement(Kind.HEAD, end.position, body)


def head_for_manifest() -> dict[str, Any]:
    """Return the head as a backup's manifest holds it; empty while nothing is sealed."""
    head = current_head()
    return head.as_json() if head else {}


def identities_left() -> dict[str, datetime]:
    """Return the identities that this database had before, with the moments it left them.

    From the audit rows of those changes that carry our code: an identity that somebody wrote
    into the table must not make this installation's own heads look like another's.
    """
    changes = AuditEntry.objects.filter(action=CHANGED).order_by("id")
    left: dict[str, datetime] = {}
    for values in changes.values_list(*COLUMNS):
        row = dict(zip(COLUMNS, values, strict=True))
        if row["kid"] and is_authentic(values, canonical(values[:-1])):
            left[str(row["before"].get("uid"))] = row["occurred_at"]
    left.pop(current_installation(), None)
    return left


def text_of(head: Statement) -> str:
    """Return the short form that people keep and give back to `verify_audit --head`."""
    return f"{head.position}:{head.body['chain']}"


def publish_head(*, always: bool = False) -> Statement | None:
    """Seal, and put the head outside when it is due; return it, or None when it is not.

    The log always gets it. When the storage refuses the file an alert says so, and the next
    hour tries again.
    """
    seal_audit_trail()
    last = AuditStatement.objects.filter(kind=Kind.HEAD).order_by("-id").first()
    if not always and not _is_due(last):
        return None
    head = current_head()
    if head is None or not _write_file(head):
        return None
    store_statement(head)
    logger.info("audit head", extra={"position": head.position, "chain": head.body["chain"]})
    _send_to_channels(head)
    return head


def _is_due(last: AuditStatement | None) -> bool:
    if last is None:
        return True
    wait = timedelta(hours=setting("audit.head_hours"))
    return timezone.now() - last.made_at >= wait - timedelta(minutes=5)


def _write_file(head: Statement) -> bool:
    """Write a file that is never written again; its name is the position and the moment."""
    name = f"{FOLDER}/{head.position:020d}-{microseconds(head.made_at)}{SUFFIX}"
    data = json.dumps({"atalaya_audit_head": 1, **head.as_json()}, indent=1).encode()
    try:
        storages["backups"].save(name, ContentFile(data))
    except Exception as error:  # every storage has exceptions of its own
        logger.exception("audit head could not be stored")
        raise_alert(
            rule="audit.head_not_stored",
            severity="warning",
            summary=gettext_noop("The head of the audit trail could not be stored outside."),
            detail=type(error).__name__,
        )
        return False
    resolve_alert(rule="audit.head_not_stored")
    return True


def _send_to_channels(head: Statement) -> None:
    """Send the head once a day; the alert's key is the day, so only the first one is sent."""
    day = f"{head.made_at:%Y-%m-%d}"
    if not setting("audit.head_to_channels"):
        return
    if Alert.objects.filter(rule="audit.head", key=day).exists():
        return
    raise_alert(
        rule="audit.head",
        severity="info",
        summary=gettext_noop("Head of the audit trail: keep this message."),
        detail=text_of(head),
        key=day,
    )
    # Nobody has to act: it must not stay on the list of open alerts.
    resolve_alert(rule="audit.head", key=day)


# -- reading them again ----------------------------------------------------------------


def outside_heads() -> tuple[list[Statement], list[str]]:
    """Return the heads of this database that lie outside of it, and what could not be read.

    Only what one of our keys signed counts: others are of other installations, or forged.
    """
    heads: list[Statement] = []
    notes: list[str] = []
    for read in (_from_files, _from_manifests):
        try:
            heads += read()
        except Exception as error:  # the storage may be away: verify what can be verified
            logger.warning("outside heads could not be read", exc_info=True)
            notes.append(_("Heads in the storage could not be read: %s") % type(error).__name__)
    left = identities_left()
    ours = [
        head
        for head in heads
        if head.is_ours and head.kind == Kind.HEAD and _is_of_this_database(head, left)
    ]
    return ours, notes


def _is_of_this_database(head: Statement, left: Mapping[str, datetime]) -> bool:
    """Return whether the head is of this installation, or of the one that it was at that moment.

    Heads from before they named an installation, and heads of one that we cannot be shown to
    differ from, are told apart by the database's name.
    """
    maker, own = head.body.get("installation"), current_installation()
    if maker == own:
        return True
    if head.body.get("database") != database_name():
        return False
    if not maker:
        return True
    if settings.INSTALLATION_ID or own in head.body.get("was", ()):
        return False
    return maker not in left or head.made_at < left[maker]


def _from_files() -> list[Statement]:
    storage = storages["backups"]
    try:
        names = sorted(storage.listdir(FOLDER)[1])
    except FileNotFoundError:
        return []
    # By moment and by position: a forger's many new files must not crowd out the highest one.
    by_moment = sorted(names, key=lambda name: name.partition("-")[2])
    chosen = {*names[-MOST_FILES:], *by_moment[-MOST_FILES:]}
    return list(_parsed(storage, sorted(chosen)))


def _parsed(storage: Any, names: list[str]) -> Iterator[Statement]:
    for name in names:
        with storage.open(f"{FOLDER}/{name}", "rb") as file:
            data = file.read(LARGEST_FILE)
        try:
            yield parse_statement(json.loads(data), f"{FOLDER}/{name}")
        except ValueError:
            continue


def _from_manifests() -> list[Statement]:
    vault, heads = open_vault(), []
    for name in vault.store.names()[-MOST_MANIFESTS:]:
        try:
            manifest = vault.manifest(name)
            if manifest.audit_head:
                heads.append(parse_statement(manifest.audit_head, name))
        except (BackupError, ValueError):
            continue  # damaged or another installation's: the backups' own checks say so
    return heads


def given_head(text: str) -> Statement:
    """Return a head that a person kept: the content of a file, or `position:hash`.

    Raises `HeadUnreadable`. The short form has no signature: the person vouches for it.
    """
    position, _colon, chain = text.strip().partition(":")
    if position.isascii() and position.isdigit() and len(chain) == 64:
        body = {"chain": chain, "database": ""}
        return Statement(Kind.HEAD, int(position), body, timezone.now(), "", "", "given")
    try:
        found = parse_statement(json.loads(text), "given")
    except ValueError as error:
        raise HeadUnreadable(text[:80]) from error
    if not found.is_ours:
        raise HeadUnreadable(_("The head is not signed with a key of this installation."))
    return found


def note_restore(backup: str) -> Statement | None:
    """State which sealed rows a restore lost, as far as heads outside tell; None when none did.

    A restore carries the trail over; only one without a live database, or over another history,
    loses rows. Without this statement verification would have to call them cut off.
    """
    heads, _notes = outside_heads()
    heads += our_statements(Kind.HEAD, Kind.VERIFIED)
    end = chain_end()
    links = links_at({head.position for head in heads})
    lost = [
        head.position
        for head in heads
        if head.position > end.position
        or links.get(head.position, head.body["chain"]) != head.body["chain"]
    ]
    if not lost:
        return None
    body = {"lost_until": max(lost), "backup": backup}
    logger.warning("audit rows were lost with a restore", extra={"until": max(lost)})
    return state(Kind.RESTORED, end.position, body)
