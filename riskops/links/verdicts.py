"""What staff decide about pairs of accounts, and which identifiers are public places."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from riskops import concerned
from riskops.announcements import announce_link
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
from systemadmin.services.second_person import needs_second_person

# Behind more accounts than this an identifier was never evidence.
LARGEST_CROWD = 1000
# Whoever decides about a public place reads so many names.
NAMED = 20


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
    """Confirm that two accounts have one owner; raises `AlreadyJudged`."""
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
    """Record that two accounts have two owners; only a new identifier brings the pair back."""
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
    announce_link(row)
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
    """Take a verdict back; raises `NotJudged`."""
    row = lock_row(RelatedAccount.objects.all(), expected_version=expected_version, pk=pair.pk)
    if row.status == LinkStatus.SUSPECTED:
        raise NotJudged
    reopen_rows(
        [row], action="riskops.related_account.reopened", metadata={}, actor=actor, reason=note
    )
    PendingLink.objects.get_or_create(account_id=row.low_id)
    return row


def shared_keys(low: int, high: int) -> list[int]:
    """Return everything two accounts share now, crowded or not, as the linker's keys."""
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


def _shown_place(*, identifier: Identifier, reason: str) -> list[tuple[Any, Any]]:
    behind = [*_behind(identifier)][:LARGEST_CROWD]
    pairs = RelatedAccount.objects.filter(low__in=behind, high__in=behind)
    names = User.objects.filter(pk__in=behind).order_by("-pk").values_list("username", flat=True)
    return [
        (gettext_lazy("identifier"), str(identifier)),
        (gettext_lazy("place"), reason),
        (gettext_lazy("accounts behind it"), identifier.accounts + identifier.dealers),
        (gettext_lazy("newest accounts"), ", ".join(names[:NAMED])),
        (
            gettext_lazy("confirmed pairs among them"),
            pairs.filter(status=LinkStatus.CONFIRMED).count(),
        ),
        (
            gettext_lazy("suspected pairs among them"),
            pairs.filter(status=LinkStatus.SUSPECTED).count(),
        ),
    ]


@decides(
    "riskops.share_identifier", permission="riskops.share_identifier", concerns=concerned.own_behind
)
@needs_second_person(
    "riskops.share_identifier",
    kind="switch_off",
    title=gettext_lazy("Mark a public place, which links nobody"),
    permission="riskops.share_identifier",
    rule=gettext_lazy("always: whoever marks it may come to use it later"),
    needs=lambda _attempt: True,
    subject=lambda attempt: attempt.arguments["identifier"],
    # Its counts and moments change with every visit.
    state=lambda *, identifier, **_rest: [identifier.pk, identifier.is_shared],
    shown=_shown_place,
)
@transaction.atomic
def share_identifier(*, actor: User, identifier: Identifier, reason: str) -> Identifier:
    """Mark an identifier as a public place that links nobody; raises `AlreadyShared`."""
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
    """Let an identifier link accounts again; raises `NotShared`."""
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


def _behind(identifier: Identifier) -> set[int]:
    """Return some of the accounts behind an identifier: all but of a crowd."""
    seen = Sighting.objects.filter(identifier=identifier).order_by("-pk")
    dealt = Dealing.objects.filter(identifier=identifier).order_by("-pk")
    return {
        *seen.values_list("account_id", flat=True)[:LARGEST_CROWD],
        *dealt.values_list("account_id", flat=True)[:LARGEST_CROWD],
    }


def mark_accounts_pending(identifier: Identifier) -> None:
    """Have the links and scores of everyone behind an identifier looked at anew."""
    if max(identifier.accounts, identifier.dealers) > LARGEST_CROWD:
        return
    behind = _behind(identifier)
    mark_pending(behind, PendingLink._meta.db_table)
    mark_pending(behind)
