"""Lists of addresses: proxies, VPNs, Tor exits, hosting, campuses; kept until they expire."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from riskops.links.verdicts import mark_accounts_pending
from riskops.models import Identifier, IpCategory, IpRange
from riskops.models.identifiers import IdentifierKind
from systemadmin import audit
from systemadmin.foundation.parsing import parse_network
from systemadmin.foundation.text_files import TextTooLarge
from systemadmin.models import User

T = TypeVar("T")

BATCH = 1000
REFUSALS_KEPT = 100
# They are compared in memory; the largest public lists have some hundred thousand.
MAX_RANGES = 500_000
# Longer than the schedule's step, so that none is missed.
RECENT = timedelta(hours=1)
# The gravest wins where several lists name an address.
RANK = (IpCategory.TOR, IpCategory.PROXY, IpCategory.VPN, IpCategory.HOSTING)
CAMPUS_REASON = "IP list: "


@dataclass(slots=True)
class ImportSummary:
    """What became of a list."""

    read: int = 0
    added: int = 0
    renewed: int = 0
    removed: int = 0
    relabelled: int = 0
    refusals: int = 0
    # The first of them, with line and reason.
    refused: list[tuple[int, str]] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return how many ranges of the list were added, renewed, removed and refused."""
        return {
            "added": self.added,
            "renewed": self.renewed,
            "removed": self.removed,
            "refused": self.refusals,
        }


def ends(cidr: str) -> tuple[str, str, str]:
    """Return the range in its usual spelling and both its ends as comparable text.

    Raises `ValueError` for what is no address or range.
    """
    network = parse_network(cidr.strip())
    first, last = network.network_address, network.broadcast_address
    return str(network), comparable(first), comparable(last)


def comparable(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Return an address as 32 hexadecimal digits, IPv4 mapped into IPv6."""
    number = int(address)
    if isinstance(address, ipaddress.IPv4Address):
        number |= 0xFFFF << 32
    return f"{number:032x}"


@transaction.atomic
def import_ranges(
    lines: Iterable[str],
    *,
    category: str,
    source: str,
    actor: User | None = None,
    expires_at: datetime | None = None,
    replace: bool = False,
) -> ImportSummary:
    """Add a list of ranges, one a line (`#` begins a comment), or put it in place of the old.

    Bad lines are counted and skipped. Known addresses are labelled anew at once. Raises
    `TextTooLarge` for a list of more than `MAX_RANGES`.
    """
    summary = ImportSummary()
    found = _parse(lines, summary)
    rows = IpRange.objects.filter(source=source, category=category)
    old = dict(rows.values_list("cidr", "pk"))
    fresh = (
        IpRange(
            cidr=cidr,
            first=first,
            last=last,
            category=category,
            source=source,
            expires_at=expires_at,
        )
        for cidr, (first, last) in found.items()
        if cidr not in old
    )
    for chunk in batched(fresh, BATCH):
        summary.added += len(IpRange.objects.bulk_create(chunk))
    for pks in batched((old[cidr] for cidr in found if cidr in old), BATCH):
        summary.renewed += rows.filter(pk__in=pks).update(expires_at=expires_at)
    if replace:
        for pks in batched((pk for cidr, pk in old.items() if cidr not in found), BATCH):
            summary.removed += rows.filter(pk__in=pks).delete()[0]
    summary.relabelled = relabel()
    about = {"source": source, "category": category, **summary.counts()}
    audit.record("riskops.ip_list.imported", actor=actor, metadata=about)
    return summary


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most `size` items."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _parse(lines: Iterable[str], summary: ImportSummary) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for number, line in enumerate(lines, 1):
        text = line.split("#", 1)[0].split(";", 1)[0].strip()
        if not text:
            continue
        summary.read += 1
        try:
            cidr, first, last = ends(text.split(",")[0])
        except ValueError as fault:
            summary.refusals += 1
            if len(summary.refused) < REFUSALS_KEPT:
                summary.refused.append((number, str(fault)[:200]))
        else:
            found[cidr] = (first, last)
        if len(found) > MAX_RANGES:
            raise TextTooLarge(_("The list has more than %(most)d ranges.") % {"most": MAX_RANGES})
    return found


def label_new_addresses() -> int:
    """Delete entries whose time is over and label the addresses seen for the first time."""
    deleted, _rows = IpRange.objects.filter(expires_at__lte=timezone.now()).delete()
    if deleted:
        return relabel()
    recent = Identifier.objects.filter(
        kind=IdentifierKind.IP, created_at__gt=timezone.now() - RECENT
    )
    return relabel(recent.values_list("pk", flat=True)) if IpRange.objects.exists() else 0


@transaction.atomic
def relabel(only: Any = None) -> int:
    """Give every known address the label its lists give it; return how many changed."""
    table = _Lookup(IpRange.objects.in_force(timezone.now()))
    rows = Identifier.objects.filter(kind=IdentifierKind.IP)
    if only is not None:
        rows = rows.filter(pk__in=only)
    elif not table:
        # Without lists only what carries an old label can change.
        rows = rows.filter(~Q(listing="") | Q(shared_reason__startswith=CAMPUS_REASON))
    changed = 0
    for identifier in rows.iterator(chunk_size=5000):
        changed += _label(identifier, table.find(identifier.value))
    return changed


def _label(identifier: Identifier, found: dict[str, str]) -> int:
    listing = next((category.value for category in RANK if category in found), "")
    campus = found.get(IpCategory.CAMPUS, "")
    by_list = identifier.shared_reason.startswith(CAMPUS_REASON)
    shared, reason = identifier.is_shared, identifier.shared_reason
    # A place that staff marked by hand stays theirs.
    if campus and not identifier.is_shared:
        shared, reason = True, f"{CAMPUS_REASON}{campus}"
    elif not campus and by_list:
        shared, reason = False, ""
    if (listing, shared, reason) == (
        identifier.listing,
        identifier.is_shared,
        identifier.shared_reason,
    ):
        return 0
    identifier.listing, identifier.is_shared, identifier.shared_reason = listing, shared, reason
    identifier.save(update_fields=["listing", "is_shared", "shared_reason", "updated_at"])
    mark_accounts_pending(identifier)
    return 1


class _Lookup:
    """Which ranges hold an address; ranges are few enough to keep in memory."""

    def __init__(self, ranges: Iterable[IpRange]) -> None:
        # By length of the prefix: an address is looked up once for each length in use.
        self.tables: dict[tuple[int, int], dict[int, dict[str, str]]] = {}
        for row in ranges:
            network = ipaddress.ip_network(row.cidr)
            table = self.tables.setdefault((network.version, network.prefixlen), {})
            shift = network.max_prefixlen - network.prefixlen
            key = int(network.network_address) >> shift
            table.setdefault(key, {})[row.category] = row.source

    def __bool__(self) -> bool:
        return bool(self.tables)

    def find(self, value: str) -> dict[str, str]:
        """Category and list of every range that holds the address."""
        try:
            address = ipaddress.ip_address(value)
        except ValueError:
            return {}
        found: dict[str, str] = {}
        for (version, length), table in self.tables.items():
            if version == address.version:
                found |= table.get(int(address) >> (address.max_prefixlen - length), {})
        return found
