"""Template tags of the ticket workspace: `{% load tickets %}`."""

import re
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from systemadmin.templatetags.atalaya import avatar, initials_of

register = template.Library()
TONES = {
    "new": "",
    "in_progress": " at-badge-info",
    "waiting_customer": " at-badge-wait",
    "resolved": " at-badge-good",
    "closed": "",
}
# A text cut in the middle may have lost the second mark.
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
