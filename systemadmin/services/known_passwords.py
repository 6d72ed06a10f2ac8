"""Accounts whose password somebody else gave them: until the owner chooses one, both know it."""

from collections.abc import Iterable
from typing import Final

from systemadmin.models import AuditEntry

_GIVEN_OR_CHOSEN: Final = (
    "systemadmin.user.created",
    "systemadmin.password.set",
    "systemadmin.password.changed",
    "systemadmin.password.link_used",
)


def given_by_others(account_ids: Iterable[int]) -> dict[int, AuditEntry]:
    """Return, by account, the row of the audit trail by which somebody else gave its password.

    Accounts whose owner chose a password since are left out; one query.
    """
    rows = AuditEntry.objects.filter(
        target_type="systemadmin.user",
        target_id__in=[str(pk) for pk in account_ids],
        action__in=_GIVEN_OR_CHOSEN,
    )
    newest = {int(row.target_id): row for row in rows.order_by("id")}
    return {pk: row for pk, row in newest.items() if row.actor_id not in (None, pk)}
