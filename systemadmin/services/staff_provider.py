"""The identity provider of staff (OpenID Connect): what is asked of it, and what it answers.

Authlib builds the request, redeems the code and judges what is special to ID tokens; PyJWT checks
signatures and times; the connection is ours, with a deadline and without redirects.
"""

import json
import logging
import secrets
import time
from dataclasses import asdict, dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import jwt
from authlib.common.errors import AuthlibBaseError
from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from django.conf import settings
from joserfc.errors import JoseError

from systemadmin.errors.identity_provider import (
    ProviderAnswerRefused,
    ProviderUnavailable,
    SignInNotBegun,
)
from systemadmin.foundation.crypto import decrypt_secret, encrypt_secret
from systemadmin.foundation.outgoing_fetch import FetchFailed, exchange
from systemadmin.foundation.remote_document import MOST_BYTES, RemoteDocument
from systemadmin.models.staff_identities import LONGEST_SUBJECT
from systemadmin.services.issuer_keys import ALGORITHMS, IssuerKeys, IssuerUnavailable

logger = logging.getLogger("atalaya.provider")

RETRY_SECONDS: Final = 10.0
CALL_SECONDS: Final = 4.0
# Between leaving for the provider and coming back.
FLOW_SECONDS: Final = 600
LONGEST_PARAMETER: Final = 4096
_PURPOSE: Final = "staff-sign-in"
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in that was begun in one browser; it keeps this, encrypted, in a cookie."""

    state: str
    nonce: str
    verifier: str
    then: str
    issuer: str
    at: int

    def sealed(self) -> str:
        """Return the text for the cookie, which nobody but this place reads or makes."""
        return encrypt_secret(json.dumps(asdict(self)), purpose=_PURPOSE)

    @classmethod
    def opened(cls, text: str) -> "Flow":
        """Return the sign-in that a cookie holds; raises `SignInNotBegun`."""
        try:
            flow = cls(**json.loads(decrypt_secret(text, purpose=_PURPOSE)))
        except Exception as error:
            # Whatever else somebody wrote into the cookie is none of ours.
            raise SignInNotBegun from error
        # Machines of one place may differ by some seconds.
        is_fresh = -settings.STAFF_OIDC_CLOCK_SKEW <= time.time() - flow.at <= FLOW_SECONDS
        if not is_fresh or flow.issuer != settings.STAFF_OIDC_ISSUER:
            raise SignInNotBegun
        return flow


@dataclass(frozen=True, slots=True)
class Verified:
    """What the provider said of a person, checked; `token` is the ID token as it came."""

    issuer: str
    subject: str
    claims: dict[str, Any]
    token: str


def is_offered() -> bool:
    """Return whether this installation has an identity provider."""
    return bool(settings.STAFF_OIDC_ISSUER and settings.STAFF_OIDC_CLIENT_ID)


def redirect_uri() -> str:
    """Return where the provider sends the browser back to; the Host header plays no part."""
    return f"{settings.PUBLIC_URL.rstrip('/')}/admin/login/provider/callback/"


# -- what the provider says of itself --------------------------------------------------


def read_description(body: bytes) -> dict[str, Any]:
    """Return the provider's description of itself; raises `ValueError` for one that is not ours."""
    found = json.loads(body)
    check_description(found)
    return dict(found)


def check_description(found: Any) -> None:
    """Raise `ValueError` unless a provider describes itself as the one that is set."""
    issuer = settings.STAFF_OIDC_ISSUER
    if not isinstance(found, dict) or found.get("issuer") != issuer:
        raise ValueError("it names another issuer than STAFF_OIDC_ISSUER")
    # Plain http is for tests and private networks, where the issuer itself is plain http.
    schemes = {"https", urlsplit(issuer).scheme}
    for name in (*_ENDPOINTS, "userinfo_endpoint", "end_session_endpoint"):
        url = found.get(name)
        if url is None and name not in _ENDPOINTS:
            continue
        if not isinstance(url, str) or urlsplit(url).scheme not in schemes:
            raise ValueError(f"{name} is no https address")
    methods = found.get("code_challenge_methods_supported")
    if methods is not None and "S256" not in methods:
        raise ValueError("it does not take PKCE with S256")


discovery = RemoteDocument(
    "The description of the identity provider",
    lambda: get_well_known_url(settings.STAFF_OIDC_ISSUER, external=True),
    read_description,
    fetch_seconds=CALL_SECONDS,
    seconds_between_reads=RETRY_SECONDS,
)


def description_of_provider() -> dict[str, Any]:
    """Return the provider's description of itself; raises `ProviderUnavailable`."""
    found = discovery.read()
    if found is None:
        raise ProviderUnavailable
    return found


provider_keys = IssuerKeys(lambda: description_of_provider()["jwks_uri"])


# -- asking ----------------------------------------------------------------------------


def begin(*, then: str) -> tuple[Flow, str]:
    """Return a new sign-in and the address at the provider to send the browser to."""
    description = description_of_provider()
    flow = Flow(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        then=then,
        issuer=settings.STAFF_OIDC_ISSUER,
        at=int(time.time()),
    )
    extra = {"acr_values": " ".join(settings.STAFF_OIDC_ACR)} if settings.STAFF_OIDC_ACR else {}
    url, _state = _client(description).create_authorization_url(
        description["authorization_endpoint"],
        state=flow.state,
        code_verifier=flow.verifier,
        nonce=flow.nonce,
        **extra,
    )
    return flow, url


def _client(description: dict[str, Any]) -> OAuth2Client:
    return OAuth2Client(
        _Connection(),
        client_id=settings.STAFF_OIDC_CLIENT_ID,
        client_secret=settings.STAFF_OIDC_CLIENT_SECRET or None,
        token_endpoint_auth_method=_authentication(description),
        scope=" ".join(dict.fromkeys(["openid", *settings.STAFF_OIDC_SCOPES])),
        redirect_uri=redirect_uri(),
        code_challenge_method="S256",
    )


def _authentication(description: dict[str, Any]) -> str:
    """Return how the client shows its secret: in a header, unless that may be misread."""
    if not settings.STAFF_OIDC_CLIENT_SECRET:
        return "none"
    taken = description.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    # RFC 6749 has both halves of the header encoded; providers differ in whether they do.
    shown = settings.STAFF_OIDC_CLIENT_ID + settings.STAFF_OIDC_CLIENT_SECRET
    is_plain = quote(shown, safe="") == shown
    prefers = ["client_secret_basic", "client_secret_post"]
    order = prefers if is_plain else prefers[::-1]
    return next((name for name in order if name in taken), order[0])


class _Response:
    """An answer as Authlib reads it."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status_code, self.body = status, body

    def json(self) -> Any:
        return json.loads(self.body)

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise FetchFailed(f"answered with {self.status_code}")


class _Connection:
    """Authlib's way out, over our own: a checked address, a deadline, no redirects."""

    def post(self, url: str, data: Any, headers: Any, auth: Any) -> _Response:
        url, sent, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        answer = exchange(
            url, method="POST", body=body, headers=sent, seconds=CALL_SECONDS, most_bytes=MOST_BYTES
        )
        return _Response(answer.status, answer.body)


# -- what comes back -------------------------------------------------------------------


def check_state(flow: Flow, state: str) -> None:
    """Raise `SignInNotBegun` unless an answer belongs to this sign-in."""
    if not secrets.compare_digest(state.encode(errors="replace"), flow.state.encode()):
        raise SignInNotBegun


def check_answer(flow: Flow, parameters: Any) -> str:
    """Return the code of an answer that belongs to a sign-in; the answer is not believed yet.

    Raises `SignInNotBegun` and `ProviderAnswerRefused`.
    """
    check_state(flow, parameters.get("state", ""))
    code = parameters.get("code", "")
    # RFC 9207: an answer of another provider says so.
    named = parameters.get("iss")
    if named is None and description_of_provider().get(
        "authorization_response_iss_parameter_supported"
    ):
        raise ProviderAnswerRefused
    if named not in (None, flow.issuer):
        raise ProviderAnswerRefused
    if not 0 < len(code) <= LONGEST_PARAMETER:
        raise ProviderAnswerRefused
    return str(code)


def redeem(flow: Flow, code: str) -> Verified:
    """Return whom a code stands for; raises `ProviderAnswerRefused` and `ProviderUnavailable`."""
    description = description_of_provider()
    try:
        answer = _client(description).fetch_token(
            description["token_endpoint"],
            grant_type="authorization_code",
            code=code,
            code_verifier=flow.verifier,
        )
    except FetchFailed as failure:
        logger.error("The identity provider redeems no code: %s", failure)
        raise ProviderUnavailable from failure
    except (AuthlibBaseError, ValueError, TypeError, KeyError, RecursionError) as failure:
        # Its own words (`error_description`) are for the log; the page does not repeat them.
        logger.warning("The identity provider refused a code: %.200s", failure)
        raise ProviderAnswerRefused from failure
    token, access = answer.get("id_token"), answer.get("access_token")
    if not isinstance(token, str):
        raise ProviderAnswerRefused
    claims = _checked_claims(token, flow, access if isinstance(access, str) else "")
    claims = _with_userinfo(claims, description, access)
    return Verified(claims["iss"], claims["sub"], claims, token)


def _checked_claims(token: str, flow: Flow, access: str) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(token)
        claims = jwt.decode(
            token,
            _signing_key(header),
            algorithms=[header["alg"]],
            audience=settings.STAFF_OIDC_CLIENT_ID,
            issuer=flow.issuer,
            leeway=settings.STAFF_OIDC_CLOCK_SKEW,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
        CodeIDToken(
            claims,
            header,
            params={
                "nonce": flow.nonce,
                "client_id": settings.STAFF_OIDC_CLIENT_ID,
                "access_token": access,
            },
        ).validate(leeway=settings.STAFF_OIDC_CLOCK_SKEW)
    except IssuerUnavailable as failure:
        raise ProviderUnavailable from failure
    except (jwt.PyJWTError, JoseError, ValueError, TypeError, KeyError, OverflowError,
            RecursionError) as failure:  # fmt: skip
        logger.warning("An ID token is refused: %s %.200s", type(failure).__name__, failure)
        raise ProviderAnswerRefused from failure
    if not isinstance(claims["sub"], str) or not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
        raise ProviderAnswerRefused
    if not claims["sub"].isascii() or not claims["sub"].isprintable():
        raise ProviderAnswerRefused
    return dict(claims)


def _signing_key(header: dict[str, Any]) -> Any:
    """Return the key of our list that a token names; raises `ValueError`."""
    algorithm, kid = header.get("alg"), header.get("kid")
    accepted = ALGORITHMS & frozenset(settings.STAFF_OIDC_ALGORITHMS)
    if not isinstance(algorithm, str) or algorithm not in accepted:
        raise ValueError("algorithm")
    if not isinstance(kid, str) or "crit" in header or "b64" in header:
        raise ValueError("key id")
    key = provider_keys.find(kid, algorithm)
    if key is None:
        raise ValueError("unknown key")
    return key.key


def _with_userinfo(
    claims: dict[str, Any], description: dict[str, Any], access: Any
) -> dict[str, Any]:
    """Return the claims with what the user-info endpoint adds, where groups are still missing."""
    wanted = settings.STAFF_OIDC_GROUPS_CLAIM
    url = description.get("userinfo_endpoint")
    if not settings.STAFF_OIDC_ROLES or claim(claims, wanted) is not None:
        return claims
    if not url or not isinstance(access, str) or "_claim_names" in claims:
        return claims
    headers = {"Authorization": f"Bearer {access}"}
    try:
        answer = exchange(url, headers=headers, seconds=CALL_SECONDS, most_bytes=MOST_BYTES)
        if answer.status != 200:
            raise FetchFailed(f"answered with {answer.status}")
        more = json.loads(answer.body)
    except (FetchFailed, ValueError, RecursionError) as failure:
        logger.error("The identity provider's user info cannot be read: %s", failure)
        raise ProviderUnavailable from failure
    if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
        raise ProviderAnswerRefused
    return {**more, **claims}


def claim(claims: dict[str, Any], name: str) -> Any:
    """Return a claim by its name or, where a provider nests it, by its path (`a.b`)."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def vouches_for_second_factor(claims: dict[str, Any]) -> bool:
    """Return whether the provider says that a second factor was passed, in words that we trust."""
    methods = claims.get("amr")
    listed = [one for one in methods if isinstance(one, str)] if isinstance(methods, list) else []
    is_trusted_class = (
        bool(settings.STAFF_OIDC_ACR) and claims.get("acr") in settings.STAFF_OIDC_ACR
    )
    return is_trusted_class or bool(set(listed) & set(settings.STAFF_OIDC_AMR))


def end_session_url(token: str) -> str:
    """Return where to send the browser to sign out at the provider too; "" where it has no way."""
    try:
        endpoint = description_of_provider().get("end_session_endpoint")
    except ProviderUnavailable:
        return ""
    if not endpoint:
        return ""
    back = f"{settings.PUBLIC_URL.rstrip('/')}/admin/login/"
    asked = {"client_id": settings.STAFF_OIDC_CLIENT_ID, "post_logout_redirect_uri": back}
    if token:
        asked["id_token_hint"] = token
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"
