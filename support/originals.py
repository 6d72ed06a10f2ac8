"""A mail as it looked: its HTML with the pictures that came with it in their places."""

from collections.abc import Callable, Iterable
from typing import Any

from django.http import FileResponse

from support.mail_safe_html import placed_html
from support.models import Attachment, Reply
from support.querysets.replies import SHOWN_IN_PLACE
from systemadmin.foundation.errors import NotFound
from systemadmin.foundation.files import inline_image_response

# Characters of HTML that one page of a conversation shows; the API has every mail's.
MAX_ON_A_PAGE = 600_000


def original_html(
    html: str, files: Iterable[Attachment], address_of: Callable[[Attachment], str]
) -> str:
    """Return the safe HTML of a mail with those of its files in place that are its pictures.

    `address_of` gives the address of a picture, which only whoever may read the reply can fetch.
    """
    pictures = {
        file.content_id: address_of(file)
        for file in files
        if file.content_id and file.content_type in SHOWN_IN_PLACE
    }
    return placed_html(html, pictures) if html else ""


def originals_of_page(
    replies: list[Reply], address_of: Callable[[Attachment], str]
) -> dict[int, str]:
    """Return the HTML of the mails of a page's replies, the latest first, up to MAX_ON_A_PAGE."""
    left, files = MAX_ON_A_PAGE, {}
    for reply in reversed([reply for reply in replies if getattr(reply, "html_length", 0)]):
        left -= reply.html_length  # type: ignore[attr-defined]
        if left < 0:
            break
        files[reply.pk] = reply.attachments.all()
    texts = Reply.objects.filter(pk__in=files).values_list("pk", "original_html")
    return {pk: original_html(html, files[pk], address_of) for pk, html in texts if html}


def picture_response(files: Any, pk: int) -> FileResponse:
    """Return one of these files, if it is a picture that a mail shows; raises `NotFound`."""
    found = files.shown_in_place().filter(pk=pk).first()
    if found is None or not found.file.storage.exists(found.file.name):
        raise NotFound
    return inline_image_response(found.file.open("rb"), content_type=found.content_type)
