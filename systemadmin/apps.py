"""The base app: people, audit, configuration, alerts, backups, status."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SystemAdminConfig(AppConfig):
    """The base app: users, roles, settings, and the extension points that other apps use."""

    name = "systemadmin"
    verbose_name = _("System administration")

    def ready(self) -> None:
        from systemadmin import (  # noqa: PLC0415 - registered by import
            checks,  # noqa: F401
            staff_sign_in_checks,  # noqa: F401
            subscribers,  # noqa: F401
        )
        from systemadmin.foundation.configuration import use_stored_values  # noqa: PLC0415
        from systemadmin.foundation.task_records import make_records_safe  # noqa: PLC0415
        from systemadmin.services.configuration import stored_values  # noqa: PLC0415

        use_stored_values(stored_values)
        make_records_safe()
