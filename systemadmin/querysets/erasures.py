"""Which external ids belonged to accounts that are erased: recognised, not readable."""

from datetime import datetime
from typing import Final

from systemadmin.foundation.crypto import keyed_hash, keyed_hashes
from systemadmin.models import AccountErasure

_PURPOSE: Final = "erased-external-id"


def digest_of(external_id: str | None) -> str:
    """Return what is stored of the external id of an erased account; empty without one."""
    return keyed_hash(external_id, purpose=_PURPOSE) if external_id else ""


def is_erased_since(external_id: str, moment: datetime) -> bool:
    """Return whether the erasure of the account with this external id began after a moment."""
    digests = keyed_hashes(external_id, purpose=_PURPOSE)
    return AccountErasure.objects.filter(
        external_id_digest__in=digests, created_at__gte=moment
    ).exists()
