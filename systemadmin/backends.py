"""Whose sign-ins, sessions and permissions count: Django's rules and ours."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend

from systemadmin.foundation.plugins import service_permissions
from systemadmin.models import User


class AccountBackend(ModelBackend):
    """Passwords and permissions of our accounts; asked on every request that carries a session.

    Permissions come from the role, and the role only counts on acting staff. An account that is
    not staff has nothing but the service permissions that were given to it directly.
    """

    def user_can_authenticate(self, user: Any) -> bool:
        """Demo accounts have published passwords: they exist only while demo mode is on."""
        return super().user_can_authenticate(user) and (settings.DEMO_MODE or not user.is_demo)

    def get_user(self, user_id: Any) -> User | None:
        """The session's account; suspended staff are out at once, wherever they are."""
        user = super().get_user(user_id)
        return None if user is not None and user.is_staff and user.is_suspended else user

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Return what the roles give: nothing to accounts that do not count as staff."""
        if not getattr(user_obj, "is_acting_staff", False):
            return set()
        return super().get_group_permissions(user_obj, obj)

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Return what was given to the account itself; service permissions only, unless staff."""
        if getattr(user_obj, "is_acting_staff", False):
            return super().get_user_permissions(user_obj, obj)
        # Staff who do not count now, and superusers who are not staff, are no service accounts.
        if user_obj.is_anonymous or user_obj.is_staff or user_obj.is_superuser:
            return set()
        if user_obj.is_suspended or not self.user_can_authenticate(user_obj):
            return set()
        return super().get_user_permissions(user_obj, obj) & service_permissions()
