"""Receipts of entries by hand: stored once, also while an entry waits for a second person."""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from marketplace.models import JournalEntry
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.files import accept_upload, safe_name
from systemadmin.services.approval_arguments import storable

ATTACHMENT_TYPES = {"image/png", "image/jpeg", "application/pdf", "text/plain", "text/csv"}
ATTACHMENT_BYTES = 5 * 1024 * 1024


@storable
@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt that is in the storage already and belongs to a request, not to an entry yet."""

    path: str
    name: str
    type: str
    sha256: str


def attach(entry: JournalEntry, receipt: Any) -> None:
    """Give a new entry its receipt: an upload, which is checked, or one that is stored already."""
    if isinstance(receipt, StoredReceipt):
        if not entry.attachment.storage.exists(receipt.path):
            raise InvalidInput("attachment", _("The receipt is gone. Ask again, with the receipt."))
        entry.attachment = receipt.path
        entry.attachment_name, entry.attachment_type = receipt.name, receipt.type
        return
    upload, kind = accept_upload(
        receipt, max_bytes=ATTACHMENT_BYTES, allowed=ATTACHMENT_TYPES, field="attachment"
    )
    entry.attachment_type = kind
    entry.attachment_name = safe_name(upload.name or "", content_type=kind)
    entry.attachment.save(entry.attachment_name, upload, save=False)


def receipt_of(entry: JournalEntry) -> StoredReceipt | None:
    """Return the receipt that an entry was tried with; it stays when the entry is rolled back."""
    if not entry.attachment:
        return None
    with entry.attachment.storage.open(entry.attachment.name or "") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return StoredReceipt(
        path=entry.attachment.name or "",
        name=entry.attachment_name,
        type=entry.attachment_type,
        sha256=digest,
    )


def drop_receipt(*, attachment: StoredReceipt | None = None, **_rest: Any) -> None:
    """Delete the receipt of a request that came to nothing."""
    if attachment is not None:
        JournalEntry().attachment.storage.delete(attachment.path)
