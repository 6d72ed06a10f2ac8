"""`manage.py setup`: roles, schedules and the cache table, brought up to date."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.core.management.base import BaseCommand

from systemadmin.foundation import plugins
from systemadmin.foundation.cache import make_cache_table_cheap
from systemadmin.foundation.scheduler import sync_schedules
from systemadmin.roles import ROLE_TITLES
from systemadmin.services.alert_rules import ship_default_rules
from systemadmin.services.roles import ship_roles


class Command(BaseCommand):
    """Idempotent; every migrate runs it."""

    help = "Create or update roles, schedules and the cache table."

    def handle(self, *args: Any, **options: Any) -> None:
        """Bring everything that follows from the code up to date."""
        call_command("createcachetable", verbosity=0)
        make_cache_table_cheap()
        set_up_roles()
        sync_schedules()
        ship_default_rules()
        if options["verbosity"] > 1:
            self.stdout.write("Roles and schedules are up to date.")


def set_up_roles() -> None:
    """Give each shipped role exactly the permissions that the apps declare for it."""
    declared = plugins.role_permissions()
    roles = {role: set(declared.get(role, set())) for role in ROLE_TITLES}
    roles["auditor"] |= _views()
    ship_roles(roles)


def _views() -> set[str]:
    """Return every permission to look at something of ours."""
    ours = settings.ATALAYA_APPS
    held = Permission.objects.filter(codename__startswith="view_", content_type__app_label__in=ours)
    return {
        f"{app}.{codename}"
        for app, codename in held.values_list("content_type__app_label", "codename")
    }
