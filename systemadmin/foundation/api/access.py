"""Who may call an action: declared on the viewset, refused when it is not."""

from enum import Enum
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from systemadmin.foundation.errors import NotAllowed
from systemadmin.foundation.scopes import Grant, scope_of


class Access(Enum):
    """Access that is not a permission string."""

    PUBLIC = "public"  # anyone, signed in or not
    MEMBER = "member"  # any active account; the queryset narrows to its own


PUBLIC = Access.PUBLIC
MEMBER = Access.MEMBER

Required = str | tuple[str, ...] | Access


class PermissionNotDeclared(NotAllowed):
    """The action names no permission, so nobody may call it."""

    code = "permission_not_declared"
    default_detail = _("This action declares no permission and is refused.")


class TwoFactorRequired(NotAllowed):
    """Staff must pass the second factor first."""

    code = "two_factor_required"
    default_detail = _("Sign in with your second factor to use the staff side.")


class AccountSuspended(NotAllowed):
    """The account is suspended: it may read, not act."""

    code = "account_suspended"
    default_detail = _("Your account is suspended.")


class InsufficientScope(NotAllowed):
    """The token or key is good, and not for this."""

    code = "insufficient_scope"
    default_detail = _("This token or key was not made for this call.")


class MemberNotNamed(NotAllowed):
    """A service is no member: it says for whom it calls."""

    code = "act_for_required"
    default_detail = _("Name the member you act for in the header Act-For, such as ext:u-1001.")


class DeclaredAccess(BasePermission):
    """Refuse every action that the view's `access` table does not open to this caller."""

    def has_permission(self, request: Request, view: Any) -> bool:
        action = getattr(view, "action", None) or view.action_for(request)
        if action is None:  # no handler for this method: answered with 405
            return True
        table = getattr(view, "access", {})
        required: Required | None = table.get(action, table.get("default"))
        if required is None:
            raise PermissionNotDeclared
        if required is PUBLIC:
            return True
        if not request.user or not request.user.is_authenticated:
            raise NotAuthenticated
        if required is MEMBER:
            return self._member_may(request, view)
        names = (required,) if isinstance(required, str) else required
        return self._staff_may(request, names)

    def _member_may(self, request: Request, view: Any) -> bool:
        _check_grant(request, view)
        # A half-finished sign-in of staff opens what finishes it, and nothing of the rest.
        if lacks_second_factor(request.user) and view.action not in getattr(
            view, "open_before_two_factor", set()
        ):
            raise TwoFactorRequired
        allowed_while_suspended = getattr(view, "allowed_while_suspended", set())
        if (
            request.method not in SAFE_METHODS
            and getattr(request.user, "is_suspended", False)
            and view.action not in allowed_while_suspended
        ):
            raise AccountSuspended
        return True

    def _staff_may(self, request: Request, names: Any) -> bool:
        user = request.user
        grant = request.auth
        if isinstance(grant, Grant) and grant.scopes is not None:
            raise InsufficientScope(_("A call for a member reaches no call of staff."))
        # An ingest service is not staff but holds exactly its permission, hence the
        # permission decides; suspended staff decide nothing.
        if getattr(user, "is_suspended", False):
            raise NotAllowed
        if missing := [name for name in names if not user.has_perm(name)]:
            raise _lacking(request, missing)
        if lacks_second_factor(user):
            raise TwoFactorRequired
        return True


def _lacking(request: Request, missing: list[str]) -> NotAllowed:
    """Return the refusal; who made a key learns what it lacks, people ask their superuser."""
    if not isinstance(request.auth, Grant):
        return NotAllowed()
    text = _("This key or its owner lacks: %(permissions)s.") % {"permissions": ", ".join(missing)}
    return NotAllowed(text, extra={"permissions": missing})


def _check_grant(request: Request, view: Any) -> None:
    """Refuse on the member's side what a call that is no sign-in was not made for."""
    grant = request.auth
    if not isinstance(grant, Grant):
        return
    if grant.scopes is None:
        if view.action in getattr(view, "open_to_services", set()):
            return
        raise MemberNotNamed
    needed = scope_of(request.method, request._request.path_info)
    if needed is None:
        raise InsufficientScope(_("Only the member's own sign-in opens this call."))
    if needed not in grant.scopes:
        raise InsufficientScope(
            _("This token or key lacks the scope %(scope)s.") % {"scope": needed},
            extra={"scope": needed},
        )


def lacks_second_factor(user: Any) -> bool:
    """Return whether this is staff who must show a second factor and did not."""
    return settings.REQUIRE_STAFF_2FA and user.is_staff and not user.is_verified()
