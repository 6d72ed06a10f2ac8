"""Tokens of the platform's own issuer (OIDC): accepted as they are, for members only."""

import logging
from datetime import UTC, datetime
from typing import Any, Final

import jwt
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import AuthenticationFailed

from systemadmin.errors import ActsForMembersOnly
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.parsing import Unreadable
from systemadmin.foundation.references import parse_external_id
from systemadmin.foundation.scopes import known_scopes
from systemadmin.models import User
from systemadmin.querysets.erasures import is_erased_since
from systemadmin.services.issuer_keys import ALGORITHMS, issuer_keys
from systemadmin.services.members import upsert_member
from systemadmin.services.service_access import check_is_member

logger = logging.getLogger("atalaya.issuer")

# An issuer's mistake must not open an account for years.
LONGEST_SECONDS: Final = 24 * 3600
LONGEST_KID: Final = 200
_TYPES: Final = frozenset({"JWT", "jwt", "at+jwt", "application/at+jwt"})

_REFUSALS: Final[tuple[tuple[type[jwt.PyJWTError], str, Any], ...]] = (
    (jwt.ExpiredSignatureError, "token_expired", _("The token has expired.")),
    (jwt.ImmatureSignatureError, "token_not_yet", _("The token is not valid yet.")),
    (jwt.InvalidAudienceError, "token_audience", _("The token was made for somebody else.")),
    (jwt.InvalidIssuerError, "token_issuer", _("The token is not of the platform's issuer.")),
    (jwt.MissingRequiredClaimError, "token_claims", _("The token lacks a claim.")),
    (jwt.InvalidSignatureError, "token_signature", _("The signature does not belong to it.")),
)


def is_accepted() -> bool:
    """Return whether this installation accepts tokens of an issuer."""
    return bool(settings.PLATFORM_ISSUER)


def member_of_token(token: str) -> tuple[User, frozenset[str]]:
    """Return the member that a token is about, and what it may do for them.

    Raises `AuthenticationFailed` with a code that says why not, `ActsForMembersOnly` where the
    account has any right beyond a member's own, and `IssuerUnavailable`.
    """
    claims = _verified(token)
    try:
        external_id = parse_external_id(claims["sub"])
    except Unreadable as error:
        raise AuthenticationFailed(_("The token names no member."), "token_claims") from error
    member = User.objects.filter(external_id=external_id).first()
    if member is None:
        member = _first_seen(external_id, claims)
    if not member.is_active:
        raise AuthenticationFailed(_("User inactive or deleted."))
    if member.is_demo and not settings.DEMO_MODE:
        raise AuthenticationFailed(_("User inactive or deleted."))
    check_is_member(member)
    return member, _scopes_of(claims)


def _verified(token: str) -> dict[str, Any]:
    """Return the claims of a token that the issuer signed for us and that is valid now."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise AuthenticationFailed(_("The token cannot be read."), "token_malformed") from error
    algorithm, kid = header.get("alg"), header.get("kid")
    # Never `none`, and never a secret made of a public key: both are in no list of ours.
    accepted = ALGORITHMS & frozenset(settings.PLATFORM_ALGORITHMS)
    if not isinstance(algorithm, str) or algorithm not in accepted:
        raise AuthenticationFailed(_("The token's algorithm is not accepted."), "token_algorithm")
    # The key is looked up by its id in our list; addresses and keys in the token count nowhere.
    if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_KID:
        raise AuthenticationFailed(_("The token names no key."), "token_key_unknown")
    if str(header.get("typ", "JWT")) not in _TYPES or "crit" in header or "b64" in header:
        raise AuthenticationFailed(_("The token is of another kind."), "token_malformed")
    key = issuer_keys.find(kid, algorithm)
    if key is None:
        raise AuthenticationFailed(_("The issuer has no such signing key."), "token_key_unknown")
    return _decoded(token, key, algorithm)


def _decoded(token: str, key: jwt.PyJWK, algorithm: str) -> dict[str, Any]:
    try:
        claims = jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            audience=settings.PLATFORM_AUDIENCE,
            issuer=settings.PLATFORM_ISSUER,
            leeway=settings.PLATFORM_CLOCK_SKEW,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        for kind, code, text in _REFUSALS:
            if isinstance(error, kind):
                raise AuthenticationFailed(text, code) from error
        raise AuthenticationFailed(_("The token cannot be read."), "token_malformed") from error
    if not all(type(claims[name]) in (int, float) for name in ("exp", "iat")):
        raise AuthenticationFailed(_("exp and iat are numbers of seconds."), "token_claims")
    if claims["exp"] - claims["iat"] > LONGEST_SECONDS:
        raise AuthenticationFailed(_("The token is valid for more than a day."), "token_too_long")
    return claims


def _first_seen(external_id: str, claims: dict[str, Any]) -> User:
    """Make the member of a token where the settings say so.

    A token from before an erasure makes nobody; the platform may still sign the person up again.
    """
    if not settings.PLATFORM_CREATE_MEMBERS:
        raise AuthenticationFailed(_("There is no such member here."), "member_unknown")
    issued_at = datetime.fromtimestamp(claims["iat"] - settings.PLATFORM_CLOCK_SKEW, tz=UTC)
    if is_erased_since(external_id, issued_at):
        raise AuthenticationFailed(
            _("The account was erased after the token was issued."), "member_erased"
        )
    values = {
        field: claims[claim]
        for field, claim in (("first_name", "given_name"), ("last_name", "family_name"))
        if isinstance(claims.get(claim), str)
    }
    if claims.get("email_verified") is True and isinstance(claims.get("email"), str):
        values["email"] = claims["email"]
    try:
        return upsert_member(actor=None, external_id=external_id, values=values)[0]
    except ActsForMembersOnly:
        raise
    except DomainError:
        # What the issuer says of a person is no reason to keep them out.
        logger.warning("claims of a new member were not taken", exc_info=True)
        return upsert_member(actor=None, external_id=external_id, values={})[0]


def _scopes_of(claims: dict[str, Any]) -> frozenset[str]:
    """Return what the settings give, narrowed by the token's own `scope` where it names ours.

    A word such as `tickets:raed` is meant for us: it narrows too, and gives nothing. Some issuers
    write a list of words instead of one text (RFC 8693, section 4.2, has the text).
    """
    given = frozenset(settings.PLATFORM_SCOPES)
    named = claims.get("scope") or ""
    words = named.split() if isinstance(named, str) else named
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise AuthenticationFailed(_("scope is a text or a list of words."), "token_claims")
    areas = {scope.partition(":")[0] for scope in known_scopes()}
    meant = frozenset(word for word in words if ":" in word and word.partition(":")[0] in areas)
    return given & meant if meant else given
