"""The composition: an app without tables that knows every desk."""

from typing import Any

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.core.management import call_command
from django.db.models.signals import post_migrate


class AtalayaAdminConfig(AdminConfig):
    """Django admin with our own site as the default one."""

    default_site = "systemadmin.site.AtalayaAdminSite"


class AccountCommandsConfig(AppConfig):
    """Before Django's own apps: of two commands of one name, the earlier application's is taken.

    Django's `changepassword` and `createsuperuser` write no audit row, end no session and tell
    nobody.
    """

    name = "config.account_commands"
    label = "account_commands"
    verbose_name = "Atalaya accounts"


class ProjectConfig(AppConfig):
    """Last of the installed apps: what needs all others to be loaded."""

    name = "config"
    verbose_name = "Atalaya"

    def ready(self) -> None:
        # Only apps with tables get post_migrate; the last of them gets it when all are done.
        last = [app for app in apps.get_app_configs() if app.models_module is not None][-1]
        post_migrate.connect(_after_migrate, sender=last, dispatch_uid="config.after_migrate")


def _after_migrate(sender: AppConfig, using: str, verbosity: int, **kwargs: Any) -> None:
    # Roles, schedules and the cache table follow from the code, so every migrate
    # brings them up to date and none of them can be forgotten on a new machine.
    if using == "default":
        call_command("setup", verbosity=verbosity)
