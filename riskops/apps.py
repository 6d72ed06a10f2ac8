"""The app's place in the project."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RiskConfig(AppConfig):
    """The riskops desk."""

    name = "riskops"
    verbose_name = _("Risk")
