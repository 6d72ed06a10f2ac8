"""Whose sign-ins, sessions and permissions count: Django's rules and ours."""

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import BaseBackend, ModelBackend

from systemadmin.foundation.plugins import service_permissions
from systemadmin.models import ServiceKey, User


def is_open(user: Any) -> bool:
    """Return whether anybody may sign in with an account, in whatever way."""
    return user.is_active and (settings.DEMO_MODE or not user.is_demo) and not user.is_service


def may_use_password(user: Any) -> bool:
    """Return whether an account may sign in with a password kept here."""
    if settings.STAFF_LOCAL_SIGN_IN or not (user.is_staff or user.is_superuser):
        return True
    return is_emergency_account(user)


def is_emergency_account(user: Any) -> bool:
    """Return whether this is the one account of staff whose password counts all the same."""
    name = settings.STAFF_EMERGENCY_ACCOUNT
    return bool(name) and user.get_username() == name


class AccountBackend(ModelBackend):
    """Passwords and permissions of our accounts; asked on every request that carries a session.

    Permissions come from the role, and the role only counts on acting staff. An account that is
    not staff has nothing but the service permissions that were given to it directly.
    """

    def user_can_authenticate(self, user: Any) -> bool:
        """Demo accounts have published passwords: they exist only while demo mode is on.

        Staff have no password here where the place lets them in at their provider only.
        """
        return is_open(user) and may_use_password(user)

    def get_user(self, user_id: Any) -> User | None:
        """Return the session's account; suspended staff are out at once, wherever they are."""
        user = super().get_user(user_id)
        return None if user is not None and user.is_staff and user.is_suspended else user

    def get_group_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Return what the roles give: nothing to accounts that do not count as staff."""
        if not getattr(user_obj, "is_acting_staff", False) or user_obj.is_service:
            return set()
        return super().get_group_permissions(user_obj, obj)

    def _owners(self, account: Any) -> set[str]:
        """Return what the person who answers for a service key may do at this moment."""
        key = ServiceKey.objects.live().filter(account=account).select_related("owner").first()
        return key.owner.get_all_permissions() if key is not None and key.owner else set()

    def get_user_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Return what was given to the account itself; service permissions only, unless staff."""
        if getattr(user_obj, "is_acting_staff", False):
            given = super().get_user_permissions(user_obj, obj)
            return given & self._owners(user_obj) if user_obj.is_service else given
        # Staff who do not count now, and superusers who are not staff, are no service accounts.
        if user_obj.is_anonymous or user_obj.is_staff or user_obj.is_superuser:
            return set()
        if user_obj.is_suspended or not self.user_can_authenticate(user_obj):
            return set()
        return super().get_user_permissions(user_obj, obj) & service_permissions()


class ProviderBackend(BaseBackend):
    """Sessions of staff whom their identity provider signed in; permissions are not its matter."""

    def get_user(self, user_id: Any) -> User | None:
        """Return the session's account while it counts as staff and there is a provider."""
        if not settings.STAFF_OIDC_ISSUER:
            return None
        user = User.objects.filter(pk=user_id).first()
        return user if user is not None and user.is_acting_staff and is_open(user) else None


PROVIDER_BACKEND = f"{ProviderBackend.__module__}.{ProviderBackend.__qualname__}"
