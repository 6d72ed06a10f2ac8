"""What staff decide about pairs of accounts, and which identifiers are public places."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from riskops import concerned
from riskops.errors import AlreadyJudged, AlreadyShared, EndsInThePast, NotJudged, NotShared
from riskops.ingest.store import mark_pending
from riskops.links.detect import reopen_rows
from riskops.links.evidence import MONEY, OWN, ROLES
from riskops.models import Dealing, Identifier, LinkStatus, PendingLink, RelatedAccount, Sighting
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import visible_text
from systemadmin.models import User
from systemadmin.services.duties import decides

# Behind more accounts than this an identifier never said anything.
LARGEST_CROWD = 1000


@decides(
    "riskops.confirm_related",
    permission="riskops.judge_relatedaccount",
    concerns=concerned.both_accounts,
)
def confirm_related(
    *,
    actor: User,
    pair: RelatedAccount,
    note: str = "",
    expires_at: datetime | None = None,
    expected_version: int | None = None,
) -> RelatedAccount:
    """Says that two accounts have one owner; raises `AlreadyJudged`."""
    return _judge(actor, pair, LinkStatus.CONFIRMED, note, expires_at, expected_version)


@decides(
    "riskops.dismiss_related",
    permission="riskops.judge_relatedaccount",
    concerns=concerned.both_accounts,
)
def dismiss_related(
    *,
    actor: User,
    pair: RelatedAccount,
    note: str = "",
    expires_at: datetime | None = None,
    expected_version: int | None = None,
) -> RelatedAccount:
    """Says that two accounts have two owners; only a new identifier brings the pair back."""
    return _judge(actor, pair, LinkStatus.DISMISSED, note, expires_at, expected_version)


@transaction.atomic
def _judge(
    actor: User,
    pair: RelatedAccount,
    status: LinkStatus,
    note: str,
    expires_at: datetime | None,
    expected_version: int | None,
) -> RelatedAccount:
    if expires_at is not None and expires_at <= timezone.now():
        raise EndsInThePast
    row = lock_row(RelatedAccount.objects.all(), expected_version=expected_version, pk=pair.pk)
    if row.status == status:
        raise AlreadyJudged
    before = {"status": row.status, "note": row.note, "expires_at": row.expires_at}
    row.status, row.note, row.expires_at = status, note.strip(), expires_at
    row.decided_by, row.decided_at = actor, timezone.now()
    dismissed = status == LinkStatus.DISMISSED
    row.dismissed_with = shared_keys(row.low_id, row.high_id) if dismissed else []
    row.bump()
    row.full_clean(exclude=["low", "high", "decided_by"])
    row.save()
    audit.record(
        f"riskops.related_account.{status}",
        actor=actor,
        target=row,
        before=before,
        after={"status": row.status, "expires_at": expires_at},
        reason=row.note,
    )
    mark_pending((row.low_id, row.high_id))
    return row


@decides(
    "riskops.reopen_related",
    permission="riskops.judge_relatedaccount",
    concerns=concerned.both_accounts,
)
@transaction.atomic
def reopen_related(
    *, actor: User, pair: RelatedAccount, note: str = "", expected_version: int | None = None
) -> RelatedAccount:
    """Takes a verdict back; raises `NotJudged`."""
    row = lock_row(RelatedAccount.objects.all(), expected_version=expected_version, pk=pair.pk)
    if row.status == LinkStatus.SUSPECTED:
        raise NotJudged
    reopen_rows(
        [row], action="riskops.related_account.reopened", metadata={}, actor=actor, reason=note
    )
    PendingLink.objects.get_or_create(account_id=row.low_id)
    return row


def shared_keys(low: int, high: int) -> list[int]:
    """Everything two accounts share now, crowded or not, as the linker's keys."""
    return sorted(
        {pk * ROLES + OWN for pk in _seen(low) & _seen(high)}
        | {pk * ROLES + MONEY for pk in _money(low) & _money(high)}
    )


def _seen(account: int) -> set[int]:
    return set(Sighting.objects.filter(account_id=account).values_list("identifier_id", flat=True))


def _money(account: int) -> set[int]:
    wallets = Sighting.objects.filter(account_id=account, identifier__kind="wallet")
    dealings = Dealing.objects.filter(account_id=account)
    return {
        *wallets.values_list("identifier_id", flat=True),
        *dealings.values_list("identifier_id", flat=True),
    }


# -- public places -------------------------------------------------------------


@decides(
    "riskops.share_identifier", permission="riskops.share_identifier", concerns=concerned.own_behind
)
@transaction.atomic
def share_identifier(*, actor: User, identifier: Identifier, reason: str) -> Identifier:
    """Marks an identifier as a public place that links nobody; raises `AlreadyShared`."""
    reason = visible_text(reason)
    if not reason:
        raise InvalidInput("reason", _("Say what place this is."), code="required")
    row = lock_row(Identifier.objects.all(), pk=identifier.pk)
    if row.is_shared:
        raise AlreadyShared
    row.is_shared, row.shared_reason, row.shared_by = True, reason, actor
    _save_shared(row)
    audit.record("riskops.identifier.shared", actor=actor, target=row, reason=reason)
    return row


@decides(
    "riskops.unshare_identifier",
    permission="riskops.share_identifier",
    concerns=concerned.own_behind,
)
@transaction.atomic
def unshare_identifier(*, actor: User, identifier: Identifier, reason: str = "") -> Identifier:
    """Lets an identifier link accounts again; raises `NotShared`."""
    row = lock_row(Identifier.objects.all(), pk=identifier.pk)
    if not row.is_shared:
        raise NotShared
    before = {"shared_reason": row.shared_reason}
    row.is_shared, row.shared_reason, row.shared_by = False, "", None
    _save_shared(row)
    audit.record(
        "riskops.identifier.unshared", actor=actor, target=row, before=before, reason=reason
    )
    return row


def _save_shared(row: Identifier) -> None:
    row.full_clean(exclude=["shared_by"])
    row.save(update_fields=["is_shared", "shared_reason", "shared_by", "updated_at"])
    mark_accounts_pending(row)


def mark_accounts_pending(identifier: Identifier) -> None:
    """Have the links and scores of everyone behind an identifier looked at anew."""
    if max(identifier.accounts, identifier.dealers) > LARGEST_CROWD:
        return
    behind = {
        *Sighting.objects.filter(identifier=identifier).values_list("account_id", flat=True),
        *Dealing.objects.filter(identifier=identifier).values_list("account_id", flat=True),
    }
    mark_pending(behind, PendingLink._meta.db_table)
    mark_pending(behind)
