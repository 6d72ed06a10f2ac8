"""The public keys of an issuer: which verify the tokens that it signs."""

import json
from collections.abc import Callable
from typing import Any, Final

import jwt
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.errors import Unavailable
from systemadmin.foundation.remote_document import RemoteDocument

# An issuer that is away for a day does not sign members out; after that its keys count no more.
STALE_SECONDS: Final = 86400.0
# However many tokens name keys that nobody knows, the issuer is asked no more often.
REFETCH_SECONDS: Final = 30.0
FETCH_SECONDS: Final = 3.0
MOST_KEYS: Final = 50
# What a key of each kind may sign with; symmetric keys are in no list of public keys.
_KINDS: Final = {
    "RSA": frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    "EC": frozenset({"ES256", "ES384", "ES512"}),
    "OKP": frozenset({"EdDSA"}),
}
ALGORITHMS: Final = frozenset().union(*_KINDS.values())
# By id: the key as it was published, and as it verifies.
Keys = dict[str, tuple[dict[str, Any], jwt.PyJWK]]


class IssuerUnavailable(Unavailable):
    """The issuer's keys cannot be read, and none are known."""

    code = "issuer_unavailable"
    default_detail = _("The keys of the platform's issuer cannot be read now.")


class IssuerKeys:
    """The keys of one issuer in this process, by id; `url` says where it publishes them."""

    def __init__(self, url: Callable[[], str]) -> None:
        self.document = RemoteDocument(
            "The list of the issuer's keys",
            url,
            read_keys,
            fetch_seconds=FETCH_SECONDS,
            seconds_between_reads=REFETCH_SECONDS,
            usable_seconds=STALE_SECONDS,
        )

    def find(self, kid: str, algorithm: str) -> jwt.PyJWK | None:
        """Return the key of this id that may sign with this algorithm.

        An id that nobody knows has the list read again, at most every half minute; so has a list
        that is an hour old. Raises `IssuerUnavailable` where no list could be read for a day.
        """
        keys = self.document.read(lambda keys: kid in keys)
        if keys is None:
            raise IssuerUnavailable(retry_after=int(REFETCH_SECONDS))
        found = keys.get(kid)
        return found[1] if found is not None and _may_sign(found[0], algorithm) else None


def read_keys(body: bytes) -> Keys:
    """Return the usable signing keys of a JWKS by id; raises `ValueError` for what is none."""
    document = json.loads(body)
    rows = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise ValueError("not a JWKS")
    found: Keys = {}
    for row in rows[:MOST_KEYS]:
        kid = row.get("kid") if isinstance(row, dict) else None
        if not isinstance(kid, str) or row.get("kty") not in _KINDS:
            continue
        if row.get("use", "sig") != "sig":
            continue
        try:
            # The algorithm is taken from the token, within what the key is for.
            found[kid] = row, jwt.PyJWK(row, algorithm=row.get("alg") or _usual(row))
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue  # one key that we cannot read says nothing about the others
    return found


def _usual(row: dict[str, Any]) -> str:
    if row["kty"] == "EC":
        return {"P-384": "ES384", "P-521": "ES512"}.get(row.get("crv", ""), "ES256")
    return {"RSA": "RS256", "OKP": "EdDSA"}[row["kty"]]


def _may_sign(row: dict[str, Any], algorithm: str) -> bool:
    if row.get("alg", algorithm) != algorithm:
        return False
    if row["kty"] == "EC":
        return algorithm == _usual(row)
    return algorithm in _KINDS[row["kty"]]


issuer_keys = IssuerKeys(lambda: settings.PLATFORM_JWKS_URL)
