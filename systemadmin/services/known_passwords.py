"""Accounts whose password somebody else gave them: until the owner chooses one, both know it."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from systemadmin.foundation.configuration import setting
from systemadmin.models import AuditEntry

_CHANGED: Final = "systemadmin.password.changed"
_GIVEN_OR_CHOSEN: Final = (
    "systemadmin.user.created",
    "systemadmin.password.set",
    _CHANGED,
    "systemadmin.password.link_used",
)


def given_by_others(account_ids: Iterable[int]) -> dict[int, AuditEntry]:
    """Return, by account, the row of the audit trail by which somebody else gave its password.

    Accounts whose owner chose a password since are left out; one query. Whoever knows a password
    can change it as the owner does, so a change says nothing about the owner before
    `duties.new_address_days` have passed. A one-time link reaches the owner alone.
    """
    rows = AuditEntry.objects.filter(
        target_type="systemadmin.user",
        target_id__in=[str(pk) for pk in account_ids],
        action__in=_GIVEN_OR_CHOSEN,
    )
    doubtful = timedelta(days=setting("duties.new_address_days"))
    given: dict[int, AuditEntry] = {}
    for row in rows.order_by("id"):
        pk = int(row.target_id)
        if row.actor_id not in (None, pk):
            given[pk] = row
        elif pk in given and not _is_doubtful(row, given[pk], doubtful):
            del given[pk]
    return given


def _is_doubtful(row: AuditEntry, given: AuditEntry, doubtful: timedelta) -> bool:
    return row.action == _CHANGED and row.occurred_at - given.occurred_at < doubtful
