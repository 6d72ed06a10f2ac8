"""How many other accounts used the devices, addresses and wallets of an account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from riskops import bulk
from riskops.account_sets import Accounts
from riskops.bulk import Column
from riskops.columns import Read, fetch, moment
from riskops.models.identifiers import Identifier, IdentifierKind, Sighting
from riskops.scores.scoring import Ints

Columns = dict[str, Ints]

IDENTIFIERS = Identifier._meta.db_table
SIGHTINGS = Sighting._meta.db_table
# More accounts than this are a crowd (a carrier, a café, a browser's common fingerprint): they
# say nothing about one another.
CROWDS: Mapping[str, int] = {
    IdentifierKind.DEVICE.value: 50,
    IdentifierKind.IP.value: 20,
    IdentifierKind.WALLET.value: 50,
}
NAMES = {
    IdentifierKind.DEVICE.value: "device",
    IdentifierKind.IP.value: "address",
    IdentifierKind.WALLET.value: "wallet",
}


def read_shared(accounts: Accounts, at: datetime | None) -> Columns:
    """Return for each kind the most other accounts on one identifier of an account.

    At a past moment (`at`) accounts are counted that had been seen by then. Identifiers marked as
    shared, listed addresses and crowds count for nothing.
    """
    where, params = accounts.sql("g.account_id")
    number, then = "i.accounts", ""
    before: list[Any] = []
    if at is not None:
        number = (
            f"(SELECT COUNT(*) FROM {SIGHTINGS} AS x "  # noqa: S608
            "WHERE x.identifier_id = i.id AND x.first_seen <= %s)"
        )
        then, before = " AND g.first_seen <= %s", [at]
    kinds = " ".join(f"WHEN '{kind}' THEN {most}" for kind, most in CROWDS.items())
    columns: list[Read] = [Read("account", "s.account")]
    for kind, name in NAMES.items():
        columns += [
            Read(f"{name}_accounts", f"MAX(CASE WHEN s.kind = '{kind}' THEN s.number - 1 END)"),
            moment(f"{name}_since", f"MIN(CASE WHEN s.kind = '{kind}' THEN s.since END)"),
        ]
    seen = (
        f"SELECT g.account_id AS account, i.kind, {number} AS number, g.first_seen AS since, "  # noqa: S608
        f"CASE i.kind {kinds} ELSE 0 END AS most "
        f"FROM {SIGHTINGS} AS g JOIN {IDENTIFIERS} AS i ON i.id = g.identifier_id "
        f"WHERE i.accounts > 1 AND NOT i.is_shared AND i.listing = '' AND {where}{then}"
    )
    tail = f"FROM ({seen}) AS s WHERE s.number > 1 AND s.number <= s.most GROUP BY s.account"
    return fetch(columns, tail, [*before, *params, *before])


def accounts_sharing(added: Mapping[int, int]) -> set[int]:
    """Return the accounts behind identifiers that gained accounts, crowds left out.

    `added` maps an identifier to the accounts it gained: one that only now became a crowd still
    changes the score of those who were there before.
    """
    if not added:
        return set()
    identifiers = sorted(added)
    rows = bulk.select(
        "g.account_id",
        [
            Column("id", "bigint", identifiers),
            Column("added", "integer", [added[pk] for pk in identifiers]),
        ],
        join=f"{IDENTIFIERS} AS i ON i.id = v.id "
        f"JOIN {SIGHTINGS} AS g ON g.identifier_id = i.id AND i.accounts > 1 "
        f"AND i.accounts - v.added <= {max(CROWDS.values())}",
    )
    return {account for (account,) in rows}
