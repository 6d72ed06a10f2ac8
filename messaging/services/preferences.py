"""A member's own choices about messages and notices."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from messaging.models import Preferences
from systemadmin.models import User


def preferences_of(user: User) -> Preferences:
    """Return the member's choices, or the defaults while they have made none."""
    return Preferences.objects.filter(user=user).first() or Preferences(user=user)


@transaction.atomic
def change_preferences(*, actor: User, changes: dict[str, Any]) -> Preferences:
    """Set the given choices; the others stay as they are."""
    Preferences.objects.get_or_create(user=actor)
    preferences = Preferences.objects.select_for_update().get(user=actor)
    for name, value in changes.items():
        setattr(preferences, name, value)
    preferences.full_clean(exclude=["user"])
    preferences.save()
    return preferences
