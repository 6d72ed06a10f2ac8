"""`manage.py setup`: roles, schedules and the cache table, brought up to date."""

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django_q.models import Schedule

from systemadmin.foundation import sockets
from systemadmin.foundation.cache import make_cache_table_cheap
from systemadmin.foundation.queue import RUNNER
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
        set_up_schedules()
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


def set_up_schedules() -> None:
    """Make the queue's schedules equal to what the apps declare."""
    declared = sockets.collect("schedules", "SCHEDULES")
    for item in declared:
        timing: dict[str, Any] = (
            {"schedule_type": Schedule.CRON, "cron": item.cron, "minutes": None}
            if item.cron
            else {"schedule_type": Schedule.MINUTES, "minutes": item.minutes, "cron": None}
        )
        Schedule.objects.update_or_create(
            name=item.name,
            defaults={
                # Through the runner, so that what the clock starts carries an id too.
                "func": RUNNER,
                "args": repr((item.task, "", "")),
                "cluster": None if item.cluster == "default" else item.cluster,
                "repeats": -1,
                **timing,
            },
        )
    Schedule.objects.exclude(name__in=[item.name for item in declared]).filter(
        name__regex=rf"^({'|'.join(sockets.settings.ATALAYA_APPS)})\."
    ).delete()
