"""Template tags of the admin's pages: `{% load atalaya %}`."""

from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from systemadmin.foundation.display import display_moment, display_name

register = template.Library()
register.filter("display_name", display_name)
HUES = 6


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """Return an icon of the sprite: `{% icon "house" %}`; sizes are `s` and `l`."""
    return format_html(
        '<svg class="at-i{}" aria-hidden="true"><use href="{}#{}"/></svg>',
        f" at-i-{size}" if size else "",
        static("systemadmin/icons.svg"),
        name,
    )


@register.simple_tag
def avatar(user: Any, size: str = "") -> SafeString:
    """Return the initials of an account in a circle; its name belongs beside it."""
    return initials_of(display_name(user), user.pk or 0, size)


def initials_of(name: str, hue: int, size: str = "") -> SafeString:
    """Return the initials of a name in a circle; the same hue for the same number."""
    words = name.split()
    initials = "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()
    return format_html(
        '<span class="at-av{} at-av-{}" aria-hidden="true">{}</span>',
        f" at-av-{size}" if size else "",
        hue % HUES + 1,
        initials,
    )


MINUTE, HOUR, DAY = 60, 3600, 86400


def duration_text(seconds: float) -> str:
    """Return a length of time in its largest unit: "38 min", "9 h", "3 d"."""
    seconds = abs(seconds)
    if seconds < HOUR:
        return _("%(n)s min") % {"n": max(1, round(seconds / MINUTE))}
    if seconds < 2 * DAY:
        return _("%(n)s h") % {"n": round(seconds / HOUR)}
    return _("%(n)s d") % {"n": round(seconds / DAY)}


@register.simple_tag(takes_context=True)
def ago(context: Any, moment: datetime) -> SafeString:
    """Return how long ago a moment was; the exact one on hover."""
    return _time(context, moment, duration_text((timezone.now() - moment).total_seconds()))


@register.simple_tag(takes_context=True)
def due(context: Any, moment: datetime) -> SafeString:
    """Return when something is due: red once it is late, amber within the hour."""
    left = (moment - timezone.now()).total_seconds()
    text = _("%(time)s over") if left < 0 else _("in %(time)s")
    state = "over" if left < 0 else "soon" if left < HOUR else "ok"
    return format_html(
        '<span class="at-sla at-sla-{}">{}{}</span>',
        state,
        icon("timer", "s"),
        _time(context, moment, text % {"time": duration_text(left)}),
    )


def _time(context: Any, moment: datetime, words: str) -> SafeString:
    # The exact one in the zone of whoever reads, by which it is named.
    zone = getattr(context.get("shell"), "zone", None)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        f"{display_moment(moment, zone)} {timezone.localtime(moment, zone):%Z}",
        words,
    )


BARS = (("low", 1), ("medium", 2), ("high", 3), ("critical", 4))
_BAR = '<rect x="{}" y="{}" width="3" height="{}" rx="1"{}/>'
_SHAPES = ((0, 8, 4), (4, 6, 6), (8, 3, 9), (12, 0, 12))


@register.simple_tag
def level(code: str, words: Any) -> SafeString:
    """Return how bad something is as bars and words; `code` is low, medium, high or critical."""
    lit = dict(BARS).get(code, 0)
    bars = format_html_join(
        "",
        _BAR,
        (
            (x, y, height, mark_safe(' class="on"') if number < lit else "")
            for number, (x, y, height) in enumerate(_SHAPES)
        ),
    )
    return format_html(
        '<span class="at-lvl at-lvl-{}"><svg viewBox="0 0 15 12" aria-hidden="true">{}</svg>'
        "{}</span>",
        code,
        bars,
        words,
    )
