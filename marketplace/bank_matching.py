"""Which ledger entry a bank line is: by its reference and amount, or by amount and day alone."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

NEAR_DAYS = 5
_PLAIN = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ledger entry that no line is yet, with the references that a bank may repeat."""

    pk: int
    amount: int
    day: date
    references: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A bank line that is no entry yet."""

    pk: int
    amount: int
    day: date
    text: str


def plain(text: str) -> str:
    """Return letters and digits only: banks change case, spaces and signs."""
    return _PLAIN.sub("", text.lower())


def match(lines: Iterable[Line], candidates: Iterable[Candidate]) -> dict[int, int]:
    """Return {line: entry} for what is certain; each entry is given once.

    A reference decides first. Without one, amount and day decide only where exactly one entry and
    one line have that amount within `NEAR_DAYS`: of two equal ones nobody can say which is which.
    """
    entries: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        entries[candidate.amount].append(candidate)
    same: dict[int, list[Line]] = defaultdict(list)
    for line in lines:
        same[line.amount].append(line)
    found: dict[int, int] = {}
    for amount, waiting in same.items():
        if amount in entries:
            found |= _match_amount(waiting, entries[amount])
    return found


def _match_amount(lines: Sequence[Line], candidates: Sequence[Candidate]) -> dict[int, int]:
    """Match lines with entries of the same amount."""
    found = _match_references(lines, candidates)
    taken = set(found.values())
    rest = [line for line in lines if line.pk not in found]
    return found | _match_days(rest, [one for one in candidates if one.pk not in taken])


def _match_references(lines: Sequence[Line], candidates: Sequence[Candidate]) -> dict[int, int]:
    """Match each line with the only entry whose reference it names."""
    found: dict[int, int] = {}
    taken: set[int] = set()
    for line in lines:
        text = plain(line.text)
        named = [
            one.pk
            for one in candidates
            if one.pk not in taken and any(_names(text, ref) for ref in one.references)
        ]
        if len(named) == 1:
            found[line.pk] = named[0]
            taken.add(named[0])
    return found


def _match_days(lines: Sequence[Line], candidates: Sequence[Candidate]) -> dict[int, int]:
    """Match each line with the only entry of its days, where that entry has no other line."""
    found: dict[int, int] = {}
    for line in lines:
        near = [one for one in candidates if _is_near(one.day, line.day)]
        if len(near) != 1:
            continue
        rivals = [one for one in lines if _is_near(one.day, near[0].day)]
        if len(rivals) == 1:
            found[line.pk] = near[0].pk
    return found


def _names(text: str, reference: str) -> bool:
    wanted = plain(reference)
    return len(wanted) >= 4 and wanted in text


def _is_near(one: date, other: date) -> bool:
    return abs((one - other).days) <= NEAR_DAYS
