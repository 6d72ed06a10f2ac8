"""How API callers prove who they are: bearer tokens, or the admin's session."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework import authentication, exceptions

from systemadmin.backends import AccountBackend
from systemadmin.models import ApiToken, User
from systemadmin.services.sessions import note_token_used

_BACKEND = AccountBackend()


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer …`, looked up by digest in one query."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        """Return user and token; raises `AuthenticationFailed`."""
        try:
            digest = hash_token(token.decode("ascii"))
        except (TypeError, ValueError) as error:
            raise exceptions.AuthenticationFailed(_("Invalid token.")) from error
        found = ApiToken.objects.select_related("user").filter(digest=digest).first()
        if found is None or (found.expiry is not None and found.expiry <= timezone.now()):
            raise exceptions.AuthenticationFailed(_("Invalid token."))
        user = found.user
        if not _BACKEND.user_can_authenticate(user):
            raise exceptions.AuthenticationFailed(_("User inactive or deleted."))
        note_token_used(found)
        verified = found.two_factor_at is not None
        user.is_verified = lambda: verified
        return user, found


class SessionAuthentication(authentication.SessionAuthentication):
    """The admin's session, with CSRF protection."""


class BearerScheme(OpenApiAuthenticationExtension):
    """Describes the bearer token in the schema."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {"type": "http", "scheme": "bearer"}


class SessionScheme(OpenApiAuthenticationExtension):
    """Describes the session cookie in the schema."""

    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
