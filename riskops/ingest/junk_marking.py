"""Mark the junk among identifiers that were stored before ingest recognised it."""

from __future__ import annotations

from riskops.ingest.junk import JUNK_REASON, junk_reason, own_proxies
from riskops.links.verdicts import mark_accounts_pending
from riskops.models import Identifier
from systemadmin import audit

CHUNK = 5_000


def mark_junk_identifiers() -> int:
    """Mark stored identifiers that are junk as public; return how many were marked now.

    Each is saved by itself, so that a killed run loses nothing. What staff marked stays theirs.
    """
    proxies, marked = own_proxies(), 0
    rows = Identifier.objects.filter(is_shared=False).order_by("pk")
    for identifier in rows.iterator(chunk_size=CHUNK):
        reason = junk_reason(identifier.kind, identifier.value, proxies)
        if not reason:
            continue
        changed = Identifier.objects.filter(pk=identifier.pk, is_shared=False).update(
            is_shared=True, shared_reason=JUNK_REASON + reason
        )
        if changed:
            mark_accounts_pending(identifier)
            marked += 1
    if marked:
        audit.record("riskops.identifiers.junk_marked", metadata={"identifiers": marked})
    return marked
