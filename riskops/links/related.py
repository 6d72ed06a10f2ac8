"""Related accounts as they are shown: evidence with identifiers, notes and crowds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from riskops.masking import shown
from riskops.models import Identifier, RelatedAccount, Sighting
from systemadmin.models import User

# Crowded identifiers shown with a pair; they say nothing, so a few are enough.
CROWDED_SHOWN = 5
CROWDED_READ = 50
NETWORKS = ("subnet", "home")
# A coincidence of so many bits is strong, of so many some, of so many little evidence. A wallet or
# device of two accounts alone has 7.5 bits, an address of theirs 4.8 (docs/related-accounts.md).
STRONG, SOME, LITTLE = 6, 1.5, 0.5


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One thing two accounts share, and what it is worth."""

    kind: str
    identifier: int
    value: str
    accounts: int
    bits: float
    note: str

    @property
    def title(self) -> str:
        """What kind of thing it is, in a word."""
        titles = {
            "ip": _("IP address"),
            "subnet": _("Subnet"),
            "home": _("Home network"),
            "device": _("Device"),
            "wallet": _("Wallet"),
            "transfer": _("Transfer"),
            "counterparty": _("Counterparty"),
        }
        return titles.get(self.kind, self.kind)

    @property
    def word(self) -> str:
        """How much the coincidence says, in a word."""
        if self.bits >= STRONG:
            return _("strong")
        if self.bits >= SOME:
            return _("some")
        return _("little") if self.bits >= LITTLE else _("none")


@dataclass(slots=True)
class ShownPair:
    """A pair with its evidence, seen from one of its accounts."""

    pair: RelatedAccount
    other: Any
    evidence: list[EvidenceLine] = field(default_factory=list)

    @property
    def percent(self) -> str:
        """How likely the two are one person, in percent."""
        return percent_of(self.pair.probability)


def show_pairs(
    pairs: Sequence[RelatedAccount], *, account_id: int | None, unmasked: bool
) -> list[ShownPair]:
    """Return evidence of a page of pairs, in a fixed number of queries.

    The same evidence is shown to everyone; without the right to personal data only the
    identifiers' values are masked.
    """
    told = {row[1] for pair in pairs for row in pair.evidence}
    known = {one.pk: one for one in Identifier.objects.filter(pk__in=told).as_evidence()}
    crowds = _crowds(pairs, account_id)
    _name_people(pairs)
    result = []
    for pair in pairs:
        other = pair.low if pair.high_id == account_id else pair.high
        lines = [_line(row, known, unmasked) for row in pair.evidence if row[1] in known]
        told = {line.identifier for line in lines}
        lines += [
            _crowded(identifier, unmasked)
            for identifier in crowds[other.pk][:CROWDED_SHOWN]
            if identifier.pk not in told
        ]
        result.append(ShownPair(pair, other, lines))
    return result


def same_person(pair: RelatedAccount) -> str:
    """Say how likely the two have one owner."""
    return _("%(percent)s %% the same person") % {"percent": percent_of(pair.probability)}


def percent_of(probability: float) -> str:
    """Write a probability in percent; what is suspected is never called certain."""
    percent = probability * 100
    if 0.5 <= percent < 99.5:
        return str(round(percent))
    return number_format(min(99.9, max(0.1, round(percent, 1))), 1, use_l10n=True)


def _name_people(pairs: Sequence[RelatedAccount]) -> None:
    """Give pairs their accounts and the authors of verdicts, with the columns shown here.

    Joined to the pairs they would take the planner longer than the rows take.
    """
    ids = {pk for pair in pairs for pk in (pair.low_id, pair.high_id, pair.decided_by_id)}
    chosen = User.objects.filter(pk__in=ids - {None}).only(
        "username", "external_id", "first_name", "last_name"
    )
    people = {user.pk: user for user in chosen}
    for pair in pairs:
        pair.low, pair.high = people[pair.low_id], people[pair.high_id]
        if pair.decided_by_id is not None:
            pair.decided_by = people[pair.decided_by_id]


def _line(row: list[Any], known: dict[int, Identifier], unmasked: bool) -> EvidenceLine:
    kind, pk, accounts, bits, gap, hits = row
    identifier = known[pk]
    value = shown(identifier.kind, identifier.value, pk, unmasked=unmasked)
    if kind in NETWORKS:
        value = identifier.subnet if unmasked else value
    return EvidenceLine(kind, pk, value, accounts, bits, _note(kind, accounts, gap, hits))


def _note(kind: str, accounts: int, gap: float, hits: int) -> str:
    if kind == "transfer" and hits == 1:
        return _("moved money once, a wallet of %(accounts)s dealers") % {"accounts": accounts}
    if kind == "transfer":
        return _("moved money %(hits)s times, a wallet of %(accounts)s dealers") % {
            "hits": hits,
            "accounts": accounts,
        }
    said = (
        _("behind %(accounts)s accounts, seen once")
        if hits == 1
        else _("behind %(accounts)s accounts, seen %(hits)s times")
    )
    text = said % {"accounts": accounts, "hits": hits}
    if gap > 0:
        text += _(", %(days)s days apart") % {"days": gap}
    return text


def _crowds(pairs: Sequence[RelatedAccount], account_id: int | None) -> dict[int, list[Identifier]]:
    """Return what the account and its partners share without its meaning anything, by partner."""
    found: dict[int, list[Identifier]] = defaultdict(list)
    if account_id is None or not pairs:
        return found
    mine = Identifier.objects.of_account(account_id).loud().order_by("accounts", "pk")
    loud = {identifier.pk: identifier for identifier in mine.as_evidence()[:CROWDED_READ]}
    if not loud:
        return found
    partners = {pair.low_id for pair in pairs} | {pair.high_id for pair in pairs}
    rows = Sighting.objects.filter(
        identifier_id__in=loud, account_id__in=partners - {account_id}
    ).values_list("account_id", "identifier_id")
    # By how crowded they are, as `loud` is.
    place = {pk: number for number, pk in enumerate(loud)}
    for account, identifier in sorted(rows, key=lambda row: place[row[1]]):
        found[account].append(loud[identifier])
    return found


def _crowded(identifier: Identifier, unmasked: bool) -> EvidenceLine:
    if identifier.is_shared:
        note = _("public place: %(reason)s") % {"reason": identifier.shared_reason}
    elif identifier.listing:
        note = _("on a list: %(listing)s") % {"listing": identifier.get_listing_display()}
    else:
        note = _("crowded, behind %(accounts)s accounts") % {"accounts": identifier.accounts}
    value = shown(identifier.kind, identifier.value, identifier.pk, unmasked=unmasked)
    return EvidenceLine(identifier.kind, identifier.pk, value, identifier.accounts, 0.0, note)
