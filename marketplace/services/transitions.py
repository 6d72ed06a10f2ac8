"""Moves an object along its table, or refuses."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from marketplace.errors import TransitionNotAllowed
from marketplace.transitions import NotListed, Table, target


def move(instance: models.Model, table: Table, action: str) -> tuple[str, str]:
    """Set the status that an action leads to and return (from, to); the caller saves."""
    before = instance.status
    try:
        instance.status = target(table, action, before)
    except NotListed as error:
        raise TransitionNotAllowed(
            _("This cannot be done while the status is “%(status)s”.")
            % {"status": instance.get_status_display()},
            extra={"state": before},
        ) from error
    return before, instance.status
