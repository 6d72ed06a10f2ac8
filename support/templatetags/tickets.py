"""Template tags of the ticket workspace: `{% load tickets %}`."""

import re
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from systemadmin.templatetags.atalaya import avatar, icon, initials_of

register = template.Library()
TONES = {
    "new": "",
    "in_progress": " at-badge-info",
    "waiting_customer": " at-badge-wait",
    "resolved": " at-badge-good",
    "closed": "",
}
# A text cut in the middle may have lost the second mark.
# Icons of files by what they hold; anything else is a text.
_ICONS = {
    "image": "image",
    "audio": "play",
    "video": "play",
    "message": "mail",
    "calendar": "calendar",
    "zip": "package",
    "x-7z-compressed": "package",
    "gzip": "package",
    "x-tar": "package",
    "vnd.rar": "package",
}
_ENDING = re.compile(r"\.([A-Za-z0-9]{1,5})\Z", re.ASCII)
EMPHASIS = re.compile(r"\*\*(?=\S)([^*\n]{1,200})(\*\*|\Z)")


@register.filter
def without_emphasis(text: str | None) -> str:
    """Return the beginning of a reply, if there is one, without the marks of bold words."""
    return EMPHASIS.sub(r"\1", text or "")


@register.simple_tag
def person_avatar(ticket: Any, size: str = "") -> SafeString:
    """Return the circle of whoever asked, with or without an account."""
    if ticket.requester is not None:
        return avatar(ticket.requester, size)
    return initials_of(ticket.customer_name, len(ticket.customer_name), size)


@register.simple_tag
def author_avatar(reply: Any) -> SafeString:
    """Return the circle of whoever wrote a reply."""
    if reply.author is not None:
        return avatar(reply.author)
    return initials_of(reply.author_name, len(reply.author_name))


@register.simple_tag
def status_badge(ticket: Any) -> SafeString:
    """Return where a ticket stands as a coloured word."""
    return format_html(
        '<span class="at-badge{}">{}</span>', TONES[ticket.status], ticket.get_status_display()
    )


@register.simple_tag
def file_sign(file: Any) -> SafeString:
    """Return the sign of a file that is no picture: an icon and its type, as in "PDF"."""
    kind, _slash, part = file.content_type.partition("/")
    return format_html(
        '<span class="at-file-i">{}{}</span>',
        icon(_ICONS.get(kind) or _ICONS.get(part, "file-text"), "s"),
        file_type(file),
    )


def file_type(file: Any) -> str:
    """Return the ending of a file's name in capitals, or what its content type names."""
    found = _ENDING.search(file.name)
    if found:
        return found[1].upper()
    part = file.content_type.rpartition("/")[2]
    return part.upper() if len(part) <= 5 else ""
