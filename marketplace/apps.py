"""The app's place in the project."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MarketplaceConfig(AppConfig):
    """The marketplace desk."""

    name = "marketplace"
    verbose_name = _("Marketplace")

    def ready(self) -> None:
        """Subscribe to what happens below."""
        import_module("marketplace.subscribers")
