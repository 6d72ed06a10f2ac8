"""Erasure of accounts: over all desks, chunk by chunk, going on where a dead process stopped.

Every app says in `personal_data.TABLES` what happens to its rows. Before anything is erased, a
tombstone is set beside the backups, so that a restore erases again. No backup is made: it would
hold what is erased.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.backups import tombstones
from systemadmin.backups.tombstones import Tombstone
from systemadmin.backups.vault import open_vault
from systemadmin.errors import (
    AccountIsErased,
    AccountIsHeld,
    BusinessIsOpen,
    ErasureNotConfirmed,
    StaffNotErased,
)
from systemadmin.foundation import plugins
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import DomainError, InvalidInput
from systemadmin.foundation.locks import named_lock
from systemadmin.foundation.personal_data import OnErasure, PersonalTable
from systemadmin.foundation.queue import LONG_CLUSTER, enqueue
from systemadmin.foundation.readable_text import visible_text
from systemadmin.models import AccountErasure, User
from systemadmin.querysets.erasures import digest_of
from systemadmin.querysets.legal_holds import is_held
from systemadmin.services import rights, sessions
from systemadmin.services.duties import decides, user_or_other_party
from systemadmin.services.installation import current_installation

logger = logging.getLogger("atalaya.privacy")

RUN_TASK: Final = "systemadmin.tasks.run_erasure"
UNFINISHED: Final = (AccountErasure.Status.QUEUED, AccountErasure.Status.RUNNING)
_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Something that has to be settled before an account is erased, and how much of it there is."""

    code: str
    title: Any
    count: int


def tables() -> list[PersonalTable]:
    """Return every table in the order of erasure: the desks first, the account itself last."""
    found = [module.TABLES for module in plugins.modules("personal_data")]
    return [table for listed in reversed(found) for table in listed]


def open_business(user: User) -> list[Obstacle]:
    """Return what is open, in all desks; empty when the account can be erased."""
    asked = plugins.collect("personal_data", "OPEN_BUSINESS")
    counted = [Obstacle(one.code, one.title, one.count(user)) for one in asked]
    return [one for one in counted if one.count]


def state_of(user: User) -> dict[str, Any]:
    """Return what stands against an erasure, and the last one that was asked for."""
    return {
        "is_held": is_held(user.pk),
        "is_staff": user.holds_rights,
        "is_erased": user.erased_at is not None,
        "open_business": [] if user.erased_at else open_business(user),
        "last": AccountErasure.objects.filter(account=user).first(),
    }


# -- asking ----------------------------------------------------------------------------


@decides(
    "systemadmin.request_erasure",
    permission="systemadmin.erase_account",
    concerns=user_or_other_party,
)
@transaction.atomic
def request_erasure(
    *,
    actor: User | None,
    user: User,
    reason: str,
    confirm: str,
    despite_open_business: bool = False,
) -> AccountErasure:
    """Queue the erasure of an account; `confirm` repeats its user name.

    Raises `OwnInterest`, `DemoActsOnReal`, `ErasureNotConfirmed`, `StaffNotErased`,
    `AccountIsErased`, `AccountIsHeld`, `BusinessIsOpen` and `InvalidInput` (no reason).
    """
    if confirm != user.get_username():
        raise ErasureNotConfirmed
    erasure = _new_row(actor, user, reason, despite_open_business)
    enqueue(RUN_TASK, erasure.pk, cluster=LONG_CLUSTER)
    return erasure


@decides(
    "systemadmin.erase_account",
    permission="systemadmin.erase_account",
    concerns=user_or_other_party,
)
def erase_account(
    *, actor: User | None, user: User, reason: str, despite_open_business: bool = False
) -> AccountErasure:
    """Erase an account now, in this process; raises as `request_erasure`, and `BackupError`.

    An erasure that was interrupted goes on.
    """
    unfinished = AccountErasure.objects.filter(account=user, status__in=UNFINISHED).first()
    erasure = unfinished or _new_row(actor, user, reason, despite_open_business)
    run_erasure(erasure.pk)
    erasure.refresh_from_db()
    return erasure


@transaction.atomic
def _new_row(
    actor: User | None, user: User, reason: str, despite_open_business: bool
) -> AccountErasure:
    reason = visible_text(reason)[:500]
    if not reason:
        raise InvalidInput("reason", _("Say why the account is erased."), code="required")
    locked = lock_row(User.objects.all(), pk=user.pk)
    rights.check_demo(actor, locked)
    check_erasable(locked, despite_open_business=despite_open_business)
    name = actor.get_username() if actor else ""
    erasure = AccountErasure(
        account=locked,
        actor=actor,
        actor_name=name,
        reason=reason,
        despite_open_business=despite_open_business,
        external_id_digest=digest_of(locked.external_id),
    )
    try:
        with transaction.atomic():
            erasure.save()
    except IntegrityError as error:
        raise AccountIsErased from error
    # Without the name: the trail stays, and must not say who the erased account was.
    audit.record(
        "systemadmin.account.erasure_requested",
        actor=actor,
        target=erasure,
        reason=reason,
        metadata={"account": locked.pk, "despite_open_business": despite_open_business},
    )
    return erasure


def check_erasable(user: User, *, despite_open_business: bool = False) -> None:
    """Raise what stands against the erasure of an account."""
    if user.erased_at is not None:
        raise AccountIsErased
    if user.holds_rights:
        raise StaffNotErased
    if is_held(user.pk):
        raise AccountIsHeld
    found = [] if despite_open_business else open_business(user)
    if found:
        listed = ", ".join(f"{one.title}: {one.count}" for one in found)
        raise BusinessIsOpen(
            _(
                "The account has open business (%(list)s)."
                " Settle it first, or say to go on despite it."
            )
            % {"list": listed},
            extra={"open_business": [{"code": one.code, "count": one.count} for one in found]},
        )


# -- doing -----------------------------------------------------------------------------


def run_erasure(erasure_id: int) -> None:
    """Run a queued erasure, or go on with one whose process died; done ones are left alone."""
    with named_lock(f"systemadmin:erasure-{erasure_id}") as held:
        erasure = AccountErasure.objects.filter(pk=erasure_id, status__in=UNFINISHED).first()
        if not held or erasure is None:
            return
        try:
            _begin(erasure)
        except DomainError as refusal:
            _fail(erasure, refusal)
            raise
        _erase(erasure)
        _finish(erasure)


def _begin(erasure: AccountErasure) -> None:
    """Close the account and set the tombstone; a hold that came meanwhile still counts."""
    with transaction.atomic():
        user = lock_row(User.objects.all(), pk=erasure.account_id)
        if erasure.status == AccountErasure.Status.QUEUED:
            check_erasable(user, despite_open_business=erasure.despite_open_business)
        user.is_active = False
        user.set_unusable_password()
        user.save(update_fields=["is_active", "password"])
        sessions.end_all(actor=None, user=user, reason="erased")
        erasure.status = AccountErasure.Status.RUNNING
        erasure.started_at = erasure.started_at or timezone.now()
        erasure.save(update_fields=["status", "started_at", "updated_at"])
    set_tombstone(user)


def set_tombstone(user: User) -> None:
    """Note beside the backups that an account is erased; raises `BackupError`."""
    vault = open_vault()
    tombstones.write(
        vault.store,
        vault.signer,
        vault.signing_salt(),
        account=user.pk,
        installation=current_installation(),
        registered_at=user.registered_at,
        now=timezone.now(),
    )


def set_tombstone_of(*, user: User, part: str) -> None:
    """Note beside the backups that a part of an account is erased; raises `BackupError`.

    Apps list the parts that they can erase again in `personal_data.ERASED_PARTS`.
    """
    vault = open_vault()
    stone = tombstones.Tombstone(
        account=user.pk,
        registered_at=user.registered_at.isoformat(),
        erased_at=timezone.now().isoformat(),
        installation=current_installation(),
        part=part,
    )
    tombstones.write_part(vault.store, vault.signer, vault.signing_salt(), stone=stone)


def _fail(erasure: AccountErasure, error: DomainError) -> None:
    erasure.status = AccountErasure.Status.FAILED
    erasure.finished_at = timezone.now()
    erasure.error, erasure.error_code = str(error), error.code
    erasure.save()


def _erase(erasure: AccountErasure) -> None:
    order = tables()
    while erasure.tables_done < len(order):
        _erase_chunk(erasure, order[erasure.tables_done])


@transaction.atomic
def _erase_chunk(erasure: AccountErasure, table: PersonalTable) -> None:
    """Treat one chunk of a table and note how far that is, in one transaction."""
    # Read anew each time: the conditions use the address and the name, which go last.
    account = User.objects.get(pk=erasure.account_id)
    treated = _treat(erasure, table, account)
    if treated:
        erasure.counts[table.name] = erasure.counts.get(table.name, 0) + treated
    else:
        erasure.tables_done, erasure.last_row = erasure.tables_done + 1, 0
    erasure.save(update_fields=["tables_done", "last_row", "counts", "updated_at"])


def _treat(erasure: AccountErasure, table: PersonalTable, account: User) -> int:
    if table.erase is not None and (erased := table.erase(account)):
        return erased
    if table.on_erasure is OnErasure.KEEP:
        return 0
    rows = table.model._base_manager.filter(table.rows(account)).order_by("pk")
    # What is deleted is gone; what is made anonymous would be found again without the last key.
    anonymises = table.on_erasure is OnErasure.ANONYMISE
    if anonymises and erasure.last_row:
        rows = rows.filter(pk__gt=erasure.last_row)
    keys = list(dict.fromkeys(rows.values_list("pk", flat=True)[:_CHUNK]))
    if not keys:
        return 0
    chunk = table.model._base_manager.filter(pk__in=keys)
    _delete_files(table, chunk)
    if anonymises:
        erasure.last_row = keys[-1]
        chunk.update(**table.emptied)
    else:
        chunk.delete()
    return len(keys)


def _delete_files(table: PersonalTable, rows: Any) -> None:
    """Delete files before their rows: the other way round a dead process would leave them."""
    for stored in table.files:
        for row in rows.exclude(**{stored.file: ""}).only("pk", stored.file):
            file = getattr(row, stored.file)
            file.storage.delete(file.name)


@transaction.atomic
def _finish(erasure: AccountErasure) -> None:
    erasure.status = AccountErasure.Status.DONE
    erasure.finished_at = timezone.now()
    erasure.save()
    audit.record(
        "systemadmin.account.erased",
        actor=erasure.actor,
        target=erasure,
        metadata={"account": erasure.account_id, "counts": erasure.counts},
    )
    logger.info("account erased", extra={"account": erasure.account_id})


# -- after a restore -------------------------------------------------------------------


def erase_again(stones: Iterable[Tombstone]) -> int:
    """Erase in a restored database what was erased since; return how many accounts those were.

    Writes nothing to the audit trail: the live trail, which the restore carries over, says it.
    """
    done = 0
    for stone in stones:
        user = User.objects.filter(pk=stone.account, erased_at__isnull=True).first()
        if user is None or not stone.is_of(user):
            continue
        if stone.part:
            done += _erase_part(user, stone.part)
            continue
        AccountErasure.objects.filter(account=user, status__in=UNFINISHED).delete()
        erasure = AccountErasure.objects.create(
            account=user,
            status=AccountErasure.Status.RUNNING,
            reason="erased before, restored from a backup",
            started_at=timezone.now(),
            external_id_digest=digest_of(user.external_id),
        )
        User.objects.filter(pk=user.pk).update(is_active=False)
        _erase(erasure)
        erasure.status, erasure.finished_at = AccountErasure.Status.DONE, timezone.now()
        erasure.save(update_fields=["status", "finished_at", "updated_at"])
        done += 1
    return done


def _erase_part(user: User, part: str) -> int:
    """Erase a part of an account again; raises `KeyError` for one that no app knows."""
    known = {one.code: one for one in plugins.collect("personal_data", "ERASED_PARTS")}
    known[part].erase(user)
    return 1
