"""Files with replies: checked by content, named safely, stored privately."""

import hashlib
from collections.abc import Sequence

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from support.mail_parsing import MailAttachment
from support.models import Attachment, Reply
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.files import EXTENSIONS, accept_upload, safe_name, sniff
from systemadmin.foundation.pictures import (
    UnreadablePicture,
    is_picture,
    seconds_to_strip,
    strip_metadata,
)

MEGABYTE = 1024 * 1024
# A sender cannot be told to choose fewer files, and people send photos of all that is broken.
MOST_MAILED = 50
# Processor time that the pictures of one mail may take while other mail waits.
MAX_PICTURE_SECONDS = 2.0


def attach_uploads(reply: Reply, uploads: Sequence[UploadedFile]) -> list[Attachment]:
    """Store uploaded files with a reply; refuses what is too many, too large or not allowed."""
    most = setting("support.max_attachments")
    if len(uploads) > most:
        raise InvalidInput(
            "attachments", _("At most %(most)d files.") % {"most": most}, code="too_many_files"
        )
    limit = setting("support.max_attachment_mb") * MEGABYTE
    checked = [
        accept_upload(upload, max_bytes=limit, allowed=EXTENSIONS, field="attachments")
        for upload in uploads
    ]
    return [_store(reply, f.read(), f.name or "file", kind) for f, kind in checked]


def attach_mailed(reply: Reply, files: Sequence[MailAttachment], *, stored: int = 0) -> list[str]:
    """Store what came with a mail; returns the names of what was left in the raw mail.

    `stored` is how many of its files the reply has already.

    A sender cannot be told to choose another file, so what the rules refuse stays where it
    is: in the stored bytes, out of reach of a careless click. Pictures are stored without their
    metadata; the picture as it came stays in the raw mail too.
    """
    most = setting("support.max_attachments") and MOST_MAILED
    limit = setting("support.max_attachment_mb") * MEGABYTE
    left: list[str] = []
    for item in files:
        kind = sniff(ContentFile(item.content, name=item.name))
        is_refused = kind is None or len(item.content) > limit or stored >= most
        shown = None if is_refused or not item.content else _shown(item.content, str(kind))
        if shown is None:
            left.append(safe_name(item.name))
            continue
        _store(reply, shown[0], item.name, shown[1], content_id=item.content_id)
        stored += 1
    return left


def slow_pictures(files: Sequence[MailAttachment]) -> list[int]:
    """Return the places of those pictures that take too long to read while other mail waits."""
    seconds = MAX_PICTURE_SECONDS
    slow = []
    for at, item in enumerate(files):
        kind = sniff(ContentFile(item.content, name=item.name)) if item.content else None
        cost = seconds_to_strip(item.content, kind) if kind and is_picture(kind) else 0.0
        if cost > seconds:
            slow.append(at)
        else:
            seconds -= cost
    return slow


def _shown(content: bytes, kind: str) -> tuple[bytes, str] | None:
    """Return what staff see of a mailed file, and its type; None for an unreadable picture."""
    if not is_picture(kind):
        return content, kind
    try:
        return strip_metadata(content, kind)
    except UnreadablePicture:
        # Telephones write more kinds of HEIC than our decoder knows: those are files to download.
        return (content, kind) if kind == "image/heic" else None


def _store(
    reply: Reply, content: bytes, name: str, kind: str, *, content_id: str = ""
) -> Attachment:
    shown = safe_name(name, content_type=kind)
    attachment = Attachment(
        reply=reply,
        name=shown,
        content_type=kind,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content_id=content_id,
    )
    attachment.file.save(shown, ContentFile(content), save=False)
    attachment.save()
    return attachment
