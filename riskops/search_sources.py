"""What staff search at the risk desk: addresses, devices and wallets, by their beginning."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from riskops.models import Identifier
from riskops.models.identifiers import IdentifierKind
from systemadmin.foundation.personal_data import sees_personal_data
from systemadmin.foundation.plugins import Hit, SearchSource
from systemadmin.foundation.waiting import change_page

PERSON_PAGES = [("admin:riskops_account_change", "riskops.view_account")]
# Shorter beginnings would find half the internet.
SHORTEST = 3
ICONS = {
    IdentifierKind.IP: "globe",
    IdentifierKind.DEVICE: "smartphone",
    IdentifierKind.WALLET: "wallet",
}


def find_identifiers(user: Any, text: str, limit: int) -> list[Hit]:
    """Return identifiers whose value begins with the text; none for whoever sees them masked."""
    if len(text) < SHORTEST or not sees_personal_data(user):
        return []
    found: list[Identifier] = []
    # One short read for each kind: its index begins with the kind.
    for kind in IdentifierKind.values:
        rows = Identifier.objects.filter(kind=kind).beginning_with(text)
        found += rows.order_by("value")[:limit]
    found.sort(key=lambda row: (row.value != text, -row.pk))
    return [_hit(row) for row in found[:limit]]


def _hit(row: Identifier) -> Hit:
    people = ngettext("%(n)s account", "%(n)s accounts", row.accounts) % {"n": row.accounts}
    return Hit(
        title=row.value,
        url=change_page(row),
        text=f"{row.get_kind_display()} · {people}",
        icon=ICONS[IdentifierKind(row.kind)],
    )


SOURCES = [
    SearchSource(
        code="identifiers",
        title=_("Addresses, devices and wallets"),
        permission="riskops.view_identifier",
        icon="fingerprint",
        find=find_identifiers,
        order=40,
    ),
]
