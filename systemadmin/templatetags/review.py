"""Template filters of the review desk: `{% load review %}`."""

from datetime import datetime

from django import template
from django.utils import timezone

from systemadmin.templatetags.atalaya import duration_text

register = template.Library()


@register.filter
def age(moment: datetime | None) -> str:
    """Return how long ago a moment was, in its largest unit: "26 h", "3 d"."""
    if moment is None:
        return ""
    return duration_text((timezone.now() - moment).total_seconds())
