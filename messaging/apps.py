"""The app's place in the project."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    """The messaging desk."""

    name = "messaging"
    verbose_name = _("Messaging")
