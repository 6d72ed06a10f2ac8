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
        """Connect to the events of the floor below, and ship the rules where there are none."""
        from riskops.anomalies.handling import ship_default_rules  # noqa: PLC0415 - needs models
        from riskops.decisions.rules import ship_default_decision_rules  # noqa: PLC0415

        import_module("riskops.subscribers")
        post_migrate.connect(ship_default_rules, sender=self)
        post_migrate.connect(ship_default_decision_rules, sender=self)
