"""`manage.py setup`: roles, schedules and the cache table, brought up to date."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.core.management.base import BaseCommand

from systemadmin.foundation import sockets
from systemadmin.foundation.cache import make_cache_table_cheap
from systemadmin.foundation.scheduler import sync_schedules
from systemadmin.services.alert_rules import ship_default_rules

SHIPPED_ROLES = (
    "support_agent",
    "marketplace_moderator",
    "risk_analyst",
    "operator",
    "auditor",
)


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
    """Give each shipped role exactly the permissions that the apps declare for it.

    Permissions that staff granted to a role by hand are taken away again: a role means
    the same on every installation. Roles that staff made themselves are left alone.
    """
    by_name = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    declared = sockets.role_permissions()
    ours = set(sockets.settings.ATALAYA_APPS)
    views = {
        name
        for name in by_name
        if name.split(".")[0] in ours and name.split(".")[1].startswith("view_")
    }
    for role in SHIPPED_ROLES:
        wanted = set(declared.get(role, set()))
        if role == "auditor":
            wanted |= views
        group, _created = Group.objects.get_or_create(name=role)
        group.permissions.set([by_name[name] for name in wanted if name in by_name])
