"""After a restore nobody has more rights than just before it.

A backup brings back roles, keys and passwords that were taken away since, and forgets suspensions
and holds. The live database says what was in force just before. What it took away is taken away in
the restored one too; what it gave since is not given. Plain SQL, as in `preserved_rows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from systemadmin.backups.restore.preserved_rows import BATCH, DatabaseEndpoint
from systemadmin.backups.restore.preserved_tables import USERS
from systemadmin.backups.restore.restrictions import carry_over, restricted_tables, sql_moment

FLAGS: Final = ("is_active", "is_staff", "is_superuser")
SUSPENSION: Final = ("suspended_at", "suspended_until", "suspension_reason")
ACCOUNT: Final = ("id", "username", "registered_at", "password", *FLAGS, *SUSPENSION)
# What each holds: its table, and the query of its rows with who holds what.
GRANTS: Final = (
    (
        "systemadmin_user_groups",
        "SELECT m.id, m.user_id, g.name FROM {systemadmin_user_groups} m"
        " JOIN {auth_group} g ON g.id = m.group_id",
    ),
    (
        "systemadmin_user_user_permissions",
        "SELECT m.id, m.user_id, t.app_label || '.' || p.codename"
        " FROM {systemadmin_user_user_permissions} m"
        " JOIN {auth_permission} p ON p.id = m.permission_id"
        " JOIN {django_content_type} t ON t.id = p.content_type_id",
    ),
    (
        "auth_group_permissions",
        "SELECT m.id, g.name, t.app_label || '.' || p.codename FROM {auth_group_permissions} m"
        " JOIN {auth_group} g ON g.id = m.group_id"
        " JOIN {auth_permission} p ON p.id = m.permission_id"
        " JOIN {django_content_type} t ON t.id = p.content_type_id",
    ),
    (
        "systemadmin_servicekeysecret",
        "SELECT id, key_id, digest FROM {systemadmin_servicekeysecret}",
    ),
)
# A second factor, a recovery code or an identity that was taken off does not come back, and one
# that was set since is not lost: without it a password alone would do.
CREDENTIALS: Final = (
    "systemadmin_encryptedtotpdevice",
    "systemadmin_recoverycode",
    "systemadmin_staffidentity",
)
KEYS: Final = "systemadmin_servicekey"
KEY: Final = ("owner_id", "networks", "member_scopes", "rate", "expires_at", "revoked_at")
NOT_JUDGED: Final = (
    "rights, passwords, keys, suspensions and holds are those of the backup: the replaced database"
    " had no superuser who could sign in, so it does not say what was taken away since"
)
_SHOWN: Final = 50


def read_tables() -> list[str]:
    """Return the tables of the live database that `narrow` reads."""
    held = [table for table, _query in GRANTS]
    named = ["auth_group", "auth_permission", "django_content_type"]
    return [USERS, KEYS, *CREDENTIALS, *held, *named, *restricted_tables()]


def narrow_in_transaction(live: DatabaseEndpoint, restored: DatabaseEndpoint) -> list[str]:
    """Narrow the restored database, all or nothing; gives back warnings."""
    restored.connection.execute("BEGIN")
    try:
        warnings = narrow(live, restored)
    except BaseException:
        restored.connection.execute("ROLLBACK")
        raise
    restored.connection.execute("COMMIT")
    return warnings


def narrow(live: DatabaseEndpoint, restored: DatabaseEndpoint) -> list[str]:
    """Take away what was taken away since the backup; return what was done, and what was not."""
    if not _can_judge(live):
        return [NOT_JUDGED]
    unknown, narrowed = _narrow_accounts(live, restored)
    taken = {table: _take_grants(live, restored, table, unknown) for table, _query in GRANTS}
    closed = _close_unknown(restored, unknown, taken["systemadmin_user_groups"])
    for table in CREDENTIALS:
        _take_live_credentials(live, restored, table, unknown)
    revoked = _narrow_keys(live, restored)
    changed = carry_over(live, restored, unknown.keys())
    counts = sum(len(rows) for rows in taken.values())
    said = []
    if narrowed or counts or changed:
        said.append(
            f"what was taken away since the backup was taken away again: {narrowed} accounts,"
            f" {counts} roles, permissions and secrets, {changed} blocks, holds and exemptions"
        )
    if closed:
        said.append(f"closed, for the replaced database did not know them: {_listed(closed)}")
    if revoked:
        said.append(f"service keys revoked that the replaced database lacked: {_listed(revoked)}")
    return said


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _can_judge(live: DatabaseEndpoint) -> bool:
    """Return whether a superuser was left. The product never takes the last one away.

    Where none is, the rows were damaged, and the backup is to bring them back.
    """
    if not set(ACCOUNT) <= live.columns(USERS).keys():
        return False
    query = (
        f"SELECT 1 FROM {live.table(USERS)} WHERE is_active AND is_staff AND is_superuser"  # noqa: S608
        f" AND (suspended_at IS NULL OR suspended_until <= {live.mark}) LIMIT 1"
    )
    return bool(live.rows(query, [sql_moment(live)]))


# -- accounts --------------------------------------------------------------------------


def _narrow_accounts(
    live: DatabaseEndpoint, restored: DatabaseEndpoint
) -> tuple[dict[int, dict[str, Any]], int]:
    """Narrow each account; return those that the live database lacks, and how many it changed."""
    unknown: dict[int, dict[str, Any]] = {}
    narrowed, now = 0, sql_moment(live)
    for rows in _accounts(restored):
        known = {one["id"]: one for one in _accounts_of(live, [row["id"] for row in rows])}
        for row in rows:
            before = known.get(row["id"])
            if before is None or before["registered_at"] != row["registered_at"]:
                unknown[row["id"]] = row
            elif changes := _changes(before, row, now):
                _update(restored, USERS, row["id"], changes)
                narrowed += 1
    return unknown, narrowed


def _changes(before: dict[str, Any], row: dict[str, Any], now: Any) -> dict[str, Any]:
    changes = {flag: False for flag in FLAGS if row[flag] and not before[flag]}
    if before["password"] != row["password"]:
        changes["password"] = before["password"]
    if _is_suspended(before, now) and not _is_suspended(row, now, before["suspended_until"]):
        changes.update({name: before[name] for name in SUSPENSION})
    return changes


def _is_suspended(account: dict[str, Any], now: Any, until: Any = "") -> bool:
    """Return whether a suspension is in force, with `until` for at least as long as that."""
    if account["suspended_at"] is None:
        return False
    ends = account["suspended_until"]
    if ends is None:
        return True
    return bool(until is not None and ends > now and (until == "" or ends >= until))


def _accounts(side: DatabaseEndpoint) -> Iterator[list[dict[str, Any]]]:
    last = 0
    while True:
        rows = _account_rows(side, f"id > {side.mark} ORDER BY id LIMIT {BATCH}", [last])
        if not rows:
            return
        yield rows
        last = rows[-1]["id"]


def _accounts_of(side: DatabaseEndpoint, ids: Sequence[int]) -> list[dict[str, Any]]:
    return _account_rows(side, f"id IN ({', '.join([side.mark] * len(ids))})", ids)


def _account_rows(
    side: DatabaseEndpoint, where: str, values: Sequence[Any]
) -> list[dict[str, Any]]:
    query = f"SELECT {', '.join(ACCOUNT)} FROM {side.table(USERS)} WHERE {where}"  # noqa: S608
    return [dict(zip(ACCOUNT, row, strict=True)) for row in side.rows(query, values)]


def _close_unknown(
    restored: DatabaseEndpoint, unknown: dict[int, dict[str, Any]], lost_roles: list[Any]
) -> list[str]:
    """Close accounts with rights that the live database did not have; return their names."""
    had_role = {who for who, _what in lost_roles}
    closed = []
    for key, row in unknown.items():
        if row["is_staff"] or row["is_superuser"] or key in had_role:
            _update(restored, USERS, key, dict.fromkeys(FLAGS, False))
            closed.append(row["username"])
    return closed


# -- what accounts and keys hold -------------------------------------------------------


def _take_grants(
    live: DatabaseEndpoint, restored: DatabaseEndpoint, table: str, unknown: Iterable[int]
) -> list[tuple[Any, Any]]:
    """Delete what nobody held just before; return who lost what."""
    strangers = set(unknown) if table.startswith(USERS) else set()
    held = {(who, what) for _id, who, what in _grants(live, table)}
    lost = [
        (key, (who, what))
        for key, who, what in _grants(restored, table)
        if (who, what) not in held or who in strangers
    ]
    _delete(restored, table, [key for key, _grant in lost])
    return [grant for _key, grant in lost]


def _grants(side: DatabaseEndpoint, table: str) -> list[tuple[Any, ...]]:
    query = dict(GRANTS)[table]
    return side.rows(query.format(**{name: side.table(name) for name in read_tables()}))


def _take_live_credentials(
    live: DatabaseEndpoint, restored: DatabaseEndpoint, table: str, unknown: Iterable[int]
) -> None:
    """Replace the second factors and codes of accounts by the live ones."""
    strangers = set(unknown)
    rows = restored.rows(f"SELECT id, user_id FROM {restored.table(table)}")  # noqa: S608
    # An identity of a stranger could be somebody else's by now; staff whom nobody knows are closed.
    all_go = table == "systemadmin_staffidentity"
    _delete(restored, table, [key for key, user in rows if all_go or user not in strangers])
    types = restored.columns(table)
    names = sorted(types.keys() & live.columns(table).keys() - {"id", "user_id"})
    people = {key for (key,) in restored.rows(f"SELECT id FROM {restored.table(USERS)}")}  # noqa: S608
    found = live.rows(f"SELECT user_id, {live.select(names)} FROM {live.table(table)}")  # noqa: S608
    kept = [row for row in found if row[0] in people and row[0] not in strangers]
    if kept:
        restored.insert(table, {name: types[name] for name in ["user_id", *names]}, kept)


def _narrow_keys(live: DatabaseEndpoint, restored: DatabaseEndpoint) -> list[str]:
    """Give service keys their state from just before; revoke and name those that were not there."""
    types = restored.columns(KEYS)
    owners = {key for (key,) in restored.rows(f"SELECT id FROM {restored.table(USERS)}")}  # noqa: S608
    before, revoked = _keys(live), []
    for one, now in _keys(restored).items():
        was = before.get(one)
        if was is not None:
            was["owner_id"] = was["owner_id"] if int(was["owner_id"] or 0) in owners else None
            was["revoked_at"] = was["revoked_at"] or now["revoked_at"]
            if was != now:
                _update(restored, KEYS, one[0], was, types)
        elif now["revoked_at"] is None:
            _update(restored, KEYS, one[0], {"revoked_at": sql_moment(restored)})
            revoked.append(f"#{one[0]}")
    return revoked


def _keys(side: DatabaseEndpoint) -> dict[tuple[int, int], dict[str, Any]]:
    """Return what may be narrowed of each key, by its number and its account."""
    query = f"SELECT id, account_id, {side.select(KEY)} FROM {side.table(KEYS)} ORDER BY id"  # noqa: S608
    return {row[:2]: dict(zip(KEY, row[2:], strict=True)) for row in side.rows(query)}


# -- writing ---------------------------------------------------------------------------


def _update(
    side: DatabaseEndpoint,
    table: str,
    key: int,
    values: dict[str, Any],
    types: dict[str, str] | None = None,
) -> None:
    """Set columns of a row; with `types` the values are text that was read as such."""
    cast = {name: f"::{types[name]}" for name in values} if types and side.is_postgres else {}
    pairs = ", ".join(f'"{name}" = {side.mark}{cast.get(name, "")}' for name in values)
    query = f'UPDATE {side.table(table)} SET {pairs} WHERE "id" = {side.mark}'  # noqa: S608
    side.connection.execute(query, [*values.values(), key])


def _delete(side: DatabaseEndpoint, table: str, keys: Sequence[int]) -> None:
    query = f'DELETE FROM {side.table(table)} WHERE "id" = {side.mark}'  # noqa: S608
    side.connection.cursor().executemany(query, [[key] for key in keys])
