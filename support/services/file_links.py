"""Links to files of an answer that are too large for its mail.

The row holds no secret: the address is signed when the mail is composed, and is good for that one
file until the row expires or is revoked. Whoever holds the mail opens it without signing in.
"""

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from support.errors import FileLinkExpired
from support.file_safety import is_safe_to_hand_out
from support.models import Attachment, FileLink, OutboundMessage, Reply, Ticket
from support.services.history import note
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import NotFound
from systemadmin.models import User

_SALT: Final = "support.file-link"
MEGABYTE: Final = 1024 * 1024


def too_large_for_mail(reply: Reply) -> list[Attachment]:
    """Return the files of an answer that its mail has no room for, smallest kept first."""
    room = setting("support.mail_attachment_mb") * MEGABYTE
    left = []
    for attachment in reply.attachments.order_by("size", "pk"):
        room -= attachment.size
        if room < 0:
            left.append(attachment)
    return sorted(left, key=lambda attachment: attachment.pk)


def make_links(message: OutboundMessage, attachments: list[Attachment]) -> list[FileLink]:
    """Write the links of one mail; a file that may be unsafe is named there and not handed out."""
    expires_at = timezone.now() + timedelta(days=setting("support.file_link_days"))
    safe, _unsafe = split_by_safety(attachments)
    return FileLink.objects.bulk_create(
        [
            FileLink(
                attachment=attachment,
                message=message,
                expires_at=expires_at,
                is_withheld=attachment not in safe,
            )
            for attachment in attachments
        ]
    )


def split_by_safety(attachments: list[Attachment]) -> tuple[list[Attachment], list[Attachment]]:
    """Return those that may be handed out to whoever holds a link, and those that may not."""
    safe = [attachment for attachment in attachments if is_safe_to_hand_out(attachment)]
    return safe, [attachment for attachment in attachments if attachment not in safe]


def url_of(link: FileLink) -> str:
    """Return the address of a link's page."""
    content = [link.pk, link.attachment_id, int(link.expires_at.timestamp())]
    token = signing.dumps(content, salt=_SALT)
    return settings.PUBLIC_URL.rstrip("/") + reverse("support_file_link", args=[token])


def find_link(token: str) -> FileLink:
    """Return the link of an address.

    Raises `NotFound` for an address we never gave out, `FileLinkExpired` for one that is over or
    was revoked.
    """
    try:
        content: Any = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        raise NotFound from None
    pk, attachment, moment = content
    rows = FileLink.objects.select_related("attachment__reply__ticket", "message")
    link = rows.filter(pk=pk, attachment=attachment).first()
    if link is None or link.is_withheld or int(link.expires_at.timestamp()) != moment:
        raise FileLinkExpired
    if link.revoked_at is not None or link.expires_at <= timezone.now():
        raise FileLinkExpired
    if link.attachment.reply.is_internal:  # made a note after it was sent
        raise FileLinkExpired
    return link


@transaction.atomic
def open_link(*, token: str) -> FileLink:
    """Return a link whose file is fetched now; each time is counted and audited."""
    link = find_link(token)
    FileLink.objects.filter(pk=link.pk).update(
        downloads=F("downloads") + 1, last_download_at=timezone.now()
    )
    audit.record(
        "support.file_link.opened",
        actor=None,
        target=link.attachment.reply.ticket,
        metadata={"link": link.pk, "file": link.attachment_id},
    )
    return link


@transaction.atomic
def revoke_link(*, actor: User, link: FileLink) -> FileLink:
    """End a link at once; one that has ended stays as it is."""
    locked = lock_row(FileLink.objects.select_related("attachment"), pk=link.pk)
    if locked.revoked_at is not None:
        return locked
    locked.revoked_at, locked.revoked_by = timezone.now(), actor
    locked.save(update_fields=["revoked_at", "revoked_by"])
    ticket = Ticket.objects.get(replies=locked.attachment.reply_id)
    note(ticket, "mail", actor=actor, at=locked.revoked_at, revoked_link=locked.attachment.name)
    audit.record(
        "support.file_link.revoked",
        actor=actor,
        target=ticket,
        metadata={"link": locked.pk, "file": locked.attachment_id},
    )
    return locked
