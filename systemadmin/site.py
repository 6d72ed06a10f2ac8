"""The admin site: desks in order, staff with their second factor."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

DESK_ORDER = ["support", "marketplace", "riskops", "messaging", "systemadmin"]


class AtalayaAdminSite(AdminSite):
    """Our own site, the default one for `@admin.register`."""

    site_header = "Atalaya"
    site_title = "Atalaya"
    index_title = _("What needs you now")
    enable_nav_sidebar = True

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the desks in the order of the day's work, not of the alphabet."""
        apps = super().get_app_list(request, app_label)
        order = {label: position for position, label in enumerate(DESK_ORDER)}
        return sorted(apps, key=lambda app: order.get(app["app_label"], len(order)))
