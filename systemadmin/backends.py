"""Whose sign-ins and sessions count: Django's rules and two of ours."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from systemadmin.models import User


class AccountBackend(ModelBackend):
    """Passwords against our accounts; also asked on every request that carries a session."""

    def user_can_authenticate(self, user: Any) -> bool:
        """Demo accounts have published passwords: they exist only while demo mode is on."""
        return super().user_can_authenticate(user) and (settings.DEMO_MODE or not user.is_demo)

    def get_user(self, user_id: Any) -> User | None:
        """The session's account; suspended staff are out at once, wherever they are."""
        user = super().get_user(user_id)
        return None if user is not None and user.is_staff and user.is_suspended else user
