"""How API callers prove who they are: keys, tokens, or the admin's session."""

from typing import Any, Final
from urllib.parse import unquote

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from systemadmin.backends import AccountBackend
from systemadmin.foundation.client_ip import client_ip
from systemadmin.foundation.context import note_details, note_service
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.scopes import ACT_FOR, Grant
from systemadmin.models import ApiToken, ServiceKey, User
from systemadmin.services.member_tokens import PREFIX as MEMBER_PREFIX
from systemadmin.services.platform_tokens import is_accepted, member_of_token
from systemadmin.services.service_access import (
    check_is_member,
    key_of_secret,
    member_for,
)
from systemadmin.services.sessions import note_token_used

_BACKEND = AccountBackend()
# Nothing that we accept is longer; what is costs no parsing.
LONGEST_TOKEN: Final = 8192
_KEY_PREFIX: Final = "atk_"


def bearer_of(request: Request) -> str | None:
    """Return the one bearer token of a request; None where there is none of that kind.

    Raises `AuthenticationFailed` for what is no single token of plain ASCII: a proxy joins two
    headers by a comma, and nobody can say which of them counts.
    """
    parts = authentication.get_authorization_header(request).split()
    if not parts or parts[0].lower() != b"bearer":
        return None
    if len(parts) != 2 or len(parts[1]) > LONGEST_TOKEN or b"," in parts[1]:
        raise exceptions.AuthenticationFailed(
            _("Send one token: Authorization: Bearer …"), "malformed_token"
        )
    try:
        return parts[1].decode("ascii")
    except UnicodeDecodeError as error:
        raise exceptions.AuthenticationFailed(_("Invalid token.")) from error


def _vouched(user: User) -> User:
    """Return the account; a key is its own proof, so there is no second factor to ask for."""
    user.is_verified = lambda: True  # type: ignore[method-assign]
    return user


class _BearerScheme(authentication.BaseAuthentication):
    """Answers 401 with `WWW-Authenticate: Bearer`."""

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge."""
        return "Bearer"


class ServiceKeyAuthentication(_BearerScheme):
    """`Authorization: Bearer atk_live_…`, for itself or, with `Act-For`, for a member."""

    def authenticate(self, request: Request) -> tuple[User, Grant] | None:
        """Return the account and what it may; None where the token is of another kind."""
        secret = bearer_of(request)
        if secret is None or not secret.startswith(_KEY_PREFIX):
            return None
        key = key_of_secret(secret, ip=client_ip(request._request))
        owner = key.owner.get_username() if key.owner else ""
        note_details(
            {
                "service": key.account.get_username(),
                "service_id": key.account_id,
                "service_owner": owner,
            }
        )
        named = request.headers.get(ACT_FOR)
        if named is None:
            return _vouched(key.account), _grant(key, None)
        member = member_for(key, _header_text(named))
        note_details({"acted_for": member.pk})
        note_service(key.account_id)
        return member, _grant(key, frozenset(key.member_scopes))


def _grant(key: ServiceKey, scopes: frozenset[str] | None) -> Grant:
    return Grant(
        scopes=scopes,
        acts_for=scopes is not None,
        counted_as=key.account_id,
        rate=key.rate,
        source=key,
    )


def _header_text(raw: str) -> str:
    """Return a header's value, percent-encoded as in a path."""
    try:
        return unquote(raw.strip(), errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidInput(ACT_FOR, _("Percent-encode it as UTF-8.")) from error


class PlatformTokenAuthentication(_BearerScheme):
    """`Authorization: Bearer …`, a JSON Web Token of the platform's own issuer."""

    def authenticate(self, request: Request) -> tuple[User, Grant] | None:
        """Return the member and what the token may do; None where it is of another kind."""
        token = bearer_of(request)
        if token is None or token.count(".") != 2 or not is_accepted():
            return None
        member, scopes = member_of_token(token)
        note_details({"by": "platform token"})
        return member, Grant(scopes=scopes, source="platform")


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer …`, looked up by digest in one query."""

    def authenticate(self, request: Request) -> Any:
        """Return user and token; None where the call carries no bearer token."""
        token = bearer_of(request)
        return None if token is None else self.authenticate_credentials(token.encode())

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken | Grant]:
        """Return user and token; raises `AuthenticationFailed`."""
        try:
            digest = hash_token(token.decode("ascii"))
        except (TypeError, ValueError) as error:
            raise exceptions.AuthenticationFailed(_("Invalid token.")) from error
        rows = ApiToken.objects.select_related("user", "service_key__account", "service_key__owner")
        found = rows.filter(digest=digest).first()
        if found is None or (found.expiry is not None and found.expiry <= timezone.now()):
            raise exceptions.AuthenticationFailed(_("Invalid token."))
        user = found.user
        if not _BACKEND.user_can_authenticate(user):
            raise exceptions.AuthenticationFailed(_("User inactive or deleted."))
        note_token_used(found)
        if found.scopes is not None:
            return user, _token_grant(found)
        verified = found.two_factor_at is not None
        user.is_verified = lambda: verified
        return user, found


def _token_grant(token: ApiToken) -> Grant:
    """Return what a token of the platform opens: what its key may give now, to a member only."""
    key = token.service_key
    owner = key.owner if key is not None else None
    is_vouched = owner is not None and owner.is_acting_staff
    if key is None or not key.is_live or not key.account.is_acting_staff or not is_vouched:
        raise exceptions.AuthenticationFailed(
            _("The service key that made this token has ended."), "key_revoked"
        )
    check_is_member(token.user)
    note_details({"service": key.account.get_username(), "by": "member token"})
    note_service(key.account_id)
    return Grant(scopes=frozenset(token.scopes or []) & frozenset(key.member_scopes), source=token)


class SessionAuthentication(authentication.SessionAuthentication):
    """The admin's session, with CSRF protection."""


class BearerScheme(OpenApiAuthenticationExtension):
    """Describes the bearer token in the schema."""

    target_class = BearerAuthentication
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The token of a sign-in (`POST /api/auth/login`), or a token that the "
            f"platform made for a member's app (`{MEMBER_PREFIX}…`).",
        }


class ServiceKeyScheme(OpenApiAuthenticationExtension):
    """Describes service keys in the schema."""

    target_class = ServiceKeyAuthentication
    name = "serviceKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "atk_live_…",
            "description": "The key of a machine. With the header `Act-For: ext:…` it calls the "
            "member's side for that member.",
        }


class PlatformTokenScheme(OpenApiAuthenticationExtension):
    """Describes tokens of the platform's issuer in the schema."""

    target_class = PlatformTokenAuthentication
    name = "platformToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A token of the platform's own issuer (`PLATFORM_ISSUER`), for the "
            "member whose external id is its `sub`.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    """Describes the session cookie in the schema."""

    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}
