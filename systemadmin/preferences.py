"""What a person sets for this browser: time zone and single keys; language and theme are beside.

Cookies hold them: they say how pages look, not what one may do, and each machine has its own.
"""

import zoneinfo
from functools import lru_cache
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

ZONE_COOKIE = "atalaya_zone"
KEYS_COOKIE = "atalaya_keys"
YEAR = 365 * 24 * 3600
UTC = zoneinfo.ZoneInfo("UTC")


@lru_cache(maxsize=1)
def zone_names() -> tuple[str, ...]:
    """Return the time zones to choose from."""
    return tuple(sorted(zoneinfo.available_timezones()))


@lru_cache(maxsize=100)
def _zone(name: str) -> zoneinfo.ZoneInfo:
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def zone_of(request: HttpRequest) -> zoneinfo.ZoneInfo:
    """Return the time zone of the person's browser or choice; UTC when neither is known."""
    name = request.COOKIES.get(ZONE_COOKIE, "")
    return _zone(name) if 0 < len(name) < 64 else UTC


def has_single_keys(request: HttpRequest) -> bool:
    """Return whether single keys act; some people's keyboards or voices press them by chance."""
    return request.COOKIES.get(KEYS_COOKIE) != "off"


class PreferencesForm(forms.Form):
    """The choices."""

    zone = forms.ChoiceField(label=gettext_lazy("Time zone"))
    has_single_keys = forms.BooleanField(
        label=gettext_lazy("Single keys"),
        required=False,
        help_text=gettext_lazy(
            "Letters such as J, S or ? act where nobody types. Ctrl+K works in any case."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["zone"]
        field.choices = [(name, name.replace("_", " ")) for name in zone_names()]


def preferences_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Show the choices, or keep them in cookies."""
    initial = {"zone": zone_of(request).key, "has_single_keys": has_single_keys(request)}
    form = PreferencesForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        response = HttpResponseRedirect(request.path)
        chosen = form.cleaned_data
        keep(response, ZONE_COOKIE, chosen["zone"])
        keep(response, KEYS_COOKIE, "on" if chosen["has_single_keys"] else "off")
        messages.success(request, _("Saved."))
        return response
    context = {**site.each_context(request), "title": _("Preferences"), "form": form}
    return TemplateResponse(request, "admin/atalaya/preferences.html", context)


def keep(response: HttpResponse, name: str, value: str) -> None:
    """Keep one choice for a year."""
    response.set_cookie(
        name, value, max_age=YEAR, secure=settings.SESSION_COOKIE_SECURE, samesite="Lax"
    )
