"""The messaging desk as Django sees it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MessagingConfig(AppConfig):
    """Private messages between members, and broadcasts of the team to them."""

    name = "messaging"
    verbose_name = _("Messaging")
