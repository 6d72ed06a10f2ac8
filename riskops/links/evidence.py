"""What the linker reads: who was seen with what, for everyone or around some accounts.

Both readings end in the same columns and go through the same arithmetic. The accounts asked
about come first in the dense numbering, so that their pairs are those with a low index.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from riskops import numbers
from riskops.account_sets import Accounts
from riskops.columns import Read, fetch, moment
from riskops.links import exclusive_use, linking, subnets
from riskops.links.linking import Identifiers, Sightings
from riskops.links.rules import COUNTERPARTY, KIND_CODES, TRANSFER, Bools, Floats, LinkRules
from riskops.links.subnets import PUBLIC_SQL
from riskops.models import AccountFacts, Dealing, Identifier, OutsideDealing, Sighting
from riskops.scores.scoring import DAY, Ints

SIGHTINGS = Sighting._meta.db_table
DEALINGS = Dealing._meta.db_table
IDENTIFIERS = Identifier._meta.db_table
OUTSIDE = OutsideDealing._meta.db_table
FACTS = AccountFacts._meta.db_table

IP = KIND_CODES["ip"]
DEVICE, WALLET = KIND_CODES["device"], KIND_CODES["wallet"]
KIND_SQL = f"CASE i.kind WHEN 'ip' THEN {IP} WHEN 'device' THEN {DEVICE} ELSE {WALLET} END"

# An identifier may play several roles, each with its own crowd: key = id * ROLES + role.
ROLES, OWN, MONEY, NET = 3, 0, 1, 2


@dataclass(frozen=True, slots=True)
class LinkInput:
    """Everything `riskops.linking` asks for, with the way back to database ids."""

    accounts: Ints  # account id by dense index
    keys: Ints  # identifier id * ROLES + role by dense index
    known: Identifiers
    quiet: Sightings  # sorted, without crowds and public places
    owners: Sightings  # whose wallet is whose
    dealings: Sightings  # who deals with which wallet, without hubs
    norms: Floats
    population: int
    asked: int  # the first so many accounts were asked about


def population() -> int:
    """Return how many accounts there is anything known of."""
    return max(int(AccountFacts.objects.count()), 2)


def neighbourhood(accounts: Accounts, rules: LinkRules) -> Ints:
    """Return the accounts that share a quiet identifier with the given ones, these included."""
    where, params = accounts.sql("s.account_id")
    cap = {kind: rule.crowd_cap for kind, rule in rules.kinds.items()}
    quiet = "NOT i.is_shared AND i.listing = ''"
    kinds = " OR ".join(
        f"(i.kind = '{kind}' AND i.accounts BETWEEN 2 AND {cap[kind]})" for kind in ("ip", "wallet")
    )
    # A ring's device is one behind a crowd too: whether it is shows when all are read.
    most = max(cap["device"], rules.ring_cap)
    kinds += f" OR (i.kind = 'device' AND i.accounts BETWEEN 2 AND {most})"
    mine = f"FROM {SIGHTINGS} AS s JOIN {IDENTIFIERS} AS i ON i.id = s.identifier_id "
    dealt = f"FROM {DEALINGS} AS s JOIN {IDENTIFIERS} AS i ON i.id = s.identifier_id "
    crowd = f"(SELECT COUNT(DISTINCT d.account_id) FROM {IDENTIFIERS} AS k "  # noqa: S608
    crowd += f"JOIN {SIGHTINGS} AS d ON d.identifier_id = k.id WHERE k.subnet = i.subnet)"
    parts = (
        # The same address, device or wallet.
        f"{mine} JOIN {SIGHTINGS} AS o ON o.identifier_id = i.id "
        f"WHERE {where} AND {quiet} AND ({kinds})",
        # Another address of the same subnet.
        f"{mine} JOIN {IDENTIFIERS} AS j ON j.subnet = i.subnet AND j.subnet <> '' "
        f"JOIN {SIGHTINGS} AS o ON o.identifier_id = j.id WHERE {where} AND i.subnet <> '' "
        f"AND {quiet} AND NOT j.is_shared AND j.listing = '' "
        f"AND {crowd} BETWEEN 2 AND {cap['subnet']}",
        # A wallet that both deal with.
        f"{dealt} JOIN {DEALINGS} AS o ON o.identifier_id = i.id "
        f"WHERE {where} AND {quiet} AND i.dealers BETWEEN 2 AND {cap['counterparty']}",
        # The owner of a wallet one of them deals with, and those who deal with theirs.
        f"{dealt} JOIN {SIGHTINGS} AS o ON o.identifier_id = i.id "
        f"WHERE {where} AND {quiet} AND i.dealers <= {cap['transfer']}",
        f"{mine} JOIN {DEALINGS} AS o ON o.identifier_id = i.id "
        f"WHERE {where} AND {quiet} AND i.dealers <= {cap['transfer']}",
    )
    union = " UNION ".join(f"SELECT o.account_id AS account {part}" for part in parts)
    own, own_params = accounts.sql("f.account_id")
    union += f" UNION SELECT f.account_id FROM {FACTS} AS f WHERE {own}"  # noqa: S608
    tail = f"FROM ({union}) AS found"
    found = fetch((Read("account", "found.account"),), tail, [*params * len(parts), *own_params])
    return found["account"]


def read_world(
    rules: LinkRules, around: Accounts | None = None, size: int | None = None
) -> LinkInput:
    """Return the sightings of everyone, or of some accounts and those they share something with."""
    if around is None:
        scope, asked = None, np.zeros(0, dtype=np.int64)
    else:
        near = neighbourhood(around, rules)
        asked = np.array(sorted(around.ids or near.tolist()), dtype=np.int64)
        scope = Accounts.listed([*near.tolist(), *asked.tolist()])
    seen, dealt = _read(SIGHTINGS, scope), _read(DEALINGS, scope)
    known = _Known.of(scope, np.concatenate([seen["identifier"], dealt["identifier"]]))
    seen, dealt = known.joined(seen, "accounts"), known.joined(dealt, "dealers")
    everyone = numbers.distinct(np.concatenate([seen["account"], dealt["account"], asked]))
    accounts = np.concatenate([asked, np.setdiff1d(everyone, asked, assume_unique=True)])
    place = np.argsort(accounts, kind="stable")
    number = place[np.searchsorted(accounts[place], everyone)]

    def dense(ids: Ints) -> Ints:
        return number[numbers.places(everyone, ids)]

    nets = subnets.of_sightings(seen, scope)
    seen["reach"] = nets.roamers
    outside = _Outside.read(np.concatenate([seen["identifier"], dealt["identifier"]]), scope)
    dealt["reach"] = dealt["crowd"] + outside.of(dealt["identifier"])
    net = _Part.of(nets.rows, dense, NET)
    parts = [
        _Part.of(seen, dense, OWN),
        net,
        _Part.of(dealt, dense, MONEY, COUNTERPARTY),
        _owners(seen, dense, outside),
    ]
    return _assemble(
        parts, nets.in_home, accounts, len(asked) or len(accounts), rules, size or population()
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """Sightings in one role, with what is known of each one's identifier."""

    account: Ints
    key: Ints
    kind: Ints
    crowd: Ints
    reach: Ints
    public: Ints
    first: Ints
    last: Ints
    hits: Ints

    @classmethod
    def of(cls, rows: dict[str, Ints], dense: object, role: int, kind: int | None = None) -> _Part:
        return cls(
            account=dense(rows["account"]),  # type: ignore[operator]
            key=rows["identifier"] * ROLES + role,
            kind=rows["kind"] if kind is None else np.full_like(rows["kind"], kind),
            crowd=rows["crowd"],
            reach=rows["reach"],
            public=rows["public"],
            first=rows["first"],
            last=rows["last"],
            hits=rows["hits"],
        )


def _read(table: str, scope: Accounts | None) -> dict[str, Ints]:
    where, params = ("true", []) if scope is None else scope.sql("s.account_id")
    columns = (
        Read("account", "s.account_id"),
        Read("identifier", "s.identifier_id"),
        moment("first", "s.first_seen"),
        moment("last", "s.last_seen"),
        Read("hits", "s.hits"),
    )
    return fetch(columns, f"FROM {table} AS s WHERE {where}", params)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of identifiers, by ascending id.

    Read by itself and joined here: in SQL each of millions of sightings would carry it along.
    """

    columns: dict[str, Ints]

    @classmethod
    def of(cls, scope: Accounts | None, ids: Ints) -> _Known:
        where, params = "true", []
        if scope is not None:
            # A list of ids is a list, whatever they are ids of.
            where, params = Accounts.listed(ids.tolist()).sql("i.id")
        columns = (
            Read("id", "i.id"),
            Read("kind", KIND_SQL),
            Read("accounts", "i.accounts"),
            Read("dealers", "i.dealers"),
            Read("public", PUBLIC_SQL),
        )
        found = fetch(columns, f"FROM {IDENTIFIERS} AS i WHERE {where}", params)
        order = np.argsort(found["id"])
        return cls({name: values[order] for name, values in found.items()})

    def joined(self, rows: dict[str, Ints], counter: str) -> dict[str, Ints]:
        """Return the rows with facts about their identifiers, the crowd by one of the counters."""
        place = numbers.places(self.columns["id"], rows["identifier"])
        # One that was deleted between the two readings took its sightings along.
        there = place >= 0
        if not there.all():
            rows, place = {name: values[there] for name, values in rows.items()}, place[there]
        return {
            **rows,
            "kind": self.columns["kind"][place],
            "crowd": self.columns[counter][place],
            "dealers": self.columns["dealers"][place],
            "public": self.columns["public"][place],
        }


@dataclass(frozen=True, slots=True)
class _Outside:
    """How many wallets without an account dealt with each wallet, by ascending identifier."""

    identifier: Ints
    number: Ints

    @classmethod
    def read(cls, ids: Ints, scope: Accounts | None) -> _Outside:
        where, params = (
            ("true", []) if scope is None else Accounts.listed(ids.tolist()).sql("o.identifier_id")
        )
        columns = (Read("identifier", "o.identifier_id"), Read("number", "COUNT(*)"))
        tail = f"FROM {OUTSIDE} AS o WHERE {where} GROUP BY o.identifier_id ORDER BY 1"
        return cls(**fetch(columns, tail, params))

    def of(self, ids: Ints) -> Ints:
        place = numbers.places(self.identifier, ids)
        if not len(self.number):
            return np.zeros(len(ids), dtype=np.int64)
        return np.where(place >= 0, self.number[place], 0)


def _owners(seen: dict[str, Ints], dense: object, outside: _Outside) -> _Part:
    """Return wallets in the money's role: their owners deal with them, of course."""
    wallets = {name: values[seen["kind"] == WALLET] for name, values in seen.items()}
    wallets["crowd"] = wallets["dealers"]
    wallets["reach"] = wallets["dealers"] + outside.of(wallets["identifier"])
    return _Part.of(wallets, dense, MONEY, WALLET)


def _assemble(
    parts: list[_Part], in_home: Bools, accounts: Ints, asked: int, rules: LinkRules, size: int
) -> LinkInput:
    def joined(name: str, chosen: list[_Part]) -> Ints:
        return np.concatenate([getattr(part, name) for part in chosen])

    keys, first_at, identifier = numbers.numbered(joined("key", parts))
    crowd = joined("crowd", parts)[first_at]
    everything = Sightings(
        account=joined("account", parts),
        identifier=identifier,
        kind=joined("kind", parts),
        first=joined("first", parts) / DAY,
        last=joined("last", parts) / DAY,
        hits=joined("hits", parts),
    )
    bounds = np.cumsum([0, *(len(part.account) for part in parts)])
    own, net, dealings, owners = (
        everything.only(slice(bounds[i], bounds[i + 1])) for i in range(len(parts))
    )
    settled, equipped = exclusive_use.of_identifiers(own, in_home, net, crowd, len(accounts))
    known = Identifiers.of(
        crowd,
        joined("public", parts)[first_at].astype(np.bool_),
        joined("reach", parts)[first_at],
        settled,
        equipped,
    )
    money = linking.money_profile(owners, dealings)
    norms = linking.profile_norms(money, known, size, len(accounts), rules)
    # Own ones, subnets and dealings lie one after another.
    candidates = everything.only(slice(bounds[0], bounds[3]))
    loud = linking.crowded(candidates.identifier, candidates.kind, known, rules)
    loud |= known.accounts[candidates.identifier] < 2
    transfer = np.full(len(dealings.identifier), TRANSFER, dtype=np.int64)
    hub = linking.crowded(dealings.identifier, transfer, known, rules)
    return LinkInput(
        accounts=accounts,
        keys=keys,
        known=known,
        quiet=linking.sort_sightings(candidates.only(~loud)),
        owners=owners,
        dealings=dealings.only(~hub),
        norms=norms,
        population=size,
        asked=asked,
    )
