"""Parts of the network (/24, /64), made of the sightings of the addresses in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from django.db import connection

from riskops import numbers
from riskops.account_sets import Accounts
from riskops.columns import Read, fetch
from riskops.links.rules import HOME, IP, KIND_CODES, Bools, Ints
from riskops.models import Identifier, Sighting

SIGHTINGS = Sighting._meta.db_table
IDENTIFIERS = Identifier._meta.db_table
# A listed address is used by strangers, as a shared one is.
PUBLIC_SQL = "CASE WHEN i.is_shared OR i.listing <> '' THEN 1 ELSE 0 END"
SUBNET = KIND_CODES["subnet"]


@dataclass(frozen=True, slots=True)
class Subnets:
    """Sightings of subnets, and for each sighting given how many roam in its address's subnet."""

    rows: dict[str, Ints]
    # Accounts seen with two addresses of the subnet or more: those of a pool, whose addresses say
    # no more than the pool.
    roamers: Ints
    in_home: Bools  # whether the address lies in a /64, which counts instead of it


def of_sightings(seen: dict[str, Ints], scope: Accounts | None) -> Subnets:
    """Return the subnets behind sightings of addresses: of everyone, or read for some accounts."""
    of_ip = _read(scope)
    where = numbers.places(of_ip["ip"], seen["identifier"])
    found = np.flatnonzero((where >= 0) & (seen["kind"] == IP))
    where = where[found]
    subnet = of_ip["subnet"][where]
    account = seen["account"][found]
    order = np.lexsort((subnet, account))
    changed = np.diff(account[order], prepend=-1) != 0
    changed |= np.diff(subnet[order], prepend=-1) != 0
    starts = np.flatnonzero(changed)

    def reduced(call: np.ufunc, name: str) -> Ints:
        values = seen[name][found][order]
        return call.reduceat(values, starts) if len(starts) else values

    first = order[starts]
    number = np.diff(np.append(starts, len(order)))
    nets, crowd, roaming = _crowds(subnet[first], number, scope)
    roamers = np.zeros(len(seen["identifier"]), dtype=np.int64)
    is_home = of_ip["is_home"][where] > 0
    # A /64 counts as one place whatever addresses are used in it.
    roamers[found] = np.where(is_home, 0, roaming[numbers.places(nets, subnet)])
    rows = {
        "account": account[first],
        "identifier": subnet[first],
        "kind": np.where(is_home[first], HOME, SUBNET),
        "crowd": crowd[numbers.places(nets, subnet[first])],
        "reach": np.zeros(len(first), dtype=np.int64),
        "public": of_ip["public"][where[first]],
        "first": reduced(np.minimum, "first"),
        "last": reduced(np.maximum, "last"),
        "hits": reduced(np.add, "hits"),
    }
    in_home = np.zeros(len(roamers), dtype=np.bool_)
    in_home[found] = is_home
    return Subnets(rows, roamers, in_home)


def _crowds(subnet: Ints, addresses: Ints, scope: Accounts | None) -> tuple[Ints, Ints, Ints]:
    """Return each subnet, its accounts, and those of them with two addresses in it or more.

    `subnet` and `addresses` have one row for each account of each subnet, of everyone.
    """
    if scope is not None:
        return _read_crowds(scope)
    nets = numbers.distinct(subnet)
    place = numbers.places(nets, subnet)
    return (
        nets,
        np.bincount(place, minlength=len(nets)),
        np.bincount(place[addresses >= 2], minlength=len(nets)),
    )


def _chosen(scope: Accounts | None) -> tuple[str, list[object]]:
    """Return the condition on `i.subnet` that picks the subnets of some accounts; empty for all.

    PostgreSQL reads them first, as one array. A join with them took minutes right after a load: its
    statistics still called the tables empty, so it compared every address with every subnet.
    """
    if scope is None:
        return "", []
    where, params = scope.sql("s.account_id")
    sql = (
        f"SELECT DISTINCT j.subnet FROM {SIGHTINGS} AS s "  # noqa: S608
        f"JOIN {IDENTIFIERS} AS j ON j.id = s.identifier_id WHERE j.subnet <> '' AND {where}"
    )
    is_postgres = connection.vendor == "postgresql"
    return f" AND i.subnet {f'= ANY(ARRAY({sql}))' if is_postgres else f'IN ({sql})'}", params


def _read(scope: Accounts | None) -> dict[str, Ints]:
    """For each address, its subnet by the lowest id of an address in it."""
    chosen, params = _chosen(scope)
    columns = (
        Read("ip", "i.id"),
        Read("subnet", "MIN(i.id) OVER net"),
        Read("is_home", "CASE WHEN i.subnet LIKE '%%:%%' THEN 1 ELSE 0 END"),
        Read("public", f"MAX({PUBLIC_SQL}) OVER net"),
    )
    tail = f"FROM {IDENTIFIERS} AS i WHERE i.subnet <> ''{chosen}"
    found = fetch(columns, f"{tail} WINDOW net AS (PARTITION BY i.subnet)", params)
    order = np.argsort(found["ip"], kind="stable")
    return {name: values[order] for name, values in found.items()}


def _read_crowds(scope: Accounts) -> tuple[Ints, Ints, Ints]:
    chosen, params = _chosen(scope)
    columns = (
        Read("net", "g.net"),
        Read("crowd", "COUNT(*)"),
        Read("roamers", "SUM(CASE WHEN g.addresses >= 2 THEN 1 ELSE 0 END)"),
    )
    tail = (
        "FROM (SELECT k.net, s.account_id, COUNT(*) AS addresses FROM "  # noqa: S608
        f"(SELECT i.id, MIN(i.id) OVER (PARTITION BY i.subnet) AS net FROM {IDENTIFIERS} AS i "
        f"WHERE i.subnet <> ''{chosen}) AS k "
        f"JOIN {SIGHTINGS} AS s ON s.identifier_id = k.id GROUP BY k.net, s.account_id) AS g "
        "GROUP BY g.net ORDER BY g.net"
    )
    found = fetch(columns, tail, params)
    return found["net"], found["crowd"], found["roamers"]
