"""The app's place in the project."""

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class RiskConfig(AppConfig):
    """The riskops desk."""

    name = "riskops"
    verbose_name = _("Risk")

    def ready(self) -> None:
        """Listens to the floor below and ships the anomaly rules with an empty table."""
        from riskops.anomalies.handling import ship_default_rules  # noqa: PLC0415 - needs models

        import_module("riskops.subscribers")
        post_migrate.connect(ship_default_rules, sender=self)
