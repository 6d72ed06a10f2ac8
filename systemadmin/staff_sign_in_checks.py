"""Checks of the settings by which staff sign in: what would let in too many, or nobody."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from systemadmin.foundation.plugins import role_permissions
from systemadmin.services.issuer_keys import ALGORITHMS
from systemadmin.services.staff_identities import managed_roles

# Issuers at which anybody can have an account.
_OPEN_ISSUERS = ("https://accounts.google.com",)
_ENTRA = "login.microsoftonline.com"
_NO_FACTOR = {"pwd", "pin", "sms"}


@register(Tags.security)
def check_staff_provider(**kwargs: Any) -> list[CheckMessage]:
    """Half a configuration, or one that could never be satisfied, is an error."""
    if not settings.STAFF_OIDC_ISSUER:
        return list(_without_provider())
    return [*_shape(), *_values(), *_who_gets_in()]


def _without_provider() -> Iterator[CheckMessage]:
    if not settings.STAFF_LOCAL_SIGN_IN:
        yield Error(
            "STAFF_LOCAL_SIGN_IN is off and there is no STAFF_OIDC_ISSUER: nobody of staff but "
            "the emergency account could sign in. Set the issuer, or switch it on.",
            id="atalaya.E030",
        )


def _shape() -> Iterator[CheckMessage]:
    if not settings.STAFF_OIDC_CLIENT_ID:
        yield Error("STAFF_OIDC_ISSUER is set without STAFF_OIDC_CLIENT_ID.", id="atalaya.E031")
    yield from _shape_of_issuer()
    for name in ("STAFF_OIDC_ROLES", "STAFF_OIDC_REQUIRED_CLAIMS"):
        if not isinstance(getattr(settings, name), dict):
            yield Error(f"{name} is no JSON object.", id="atalaya.E034")
    roles = settings.STAFF_OIDC_ROLES
    if isinstance(roles, dict) and not all(map(_names_roles, roles.values())):
        yield Error(
            "STAFF_OIDC_ROLES: the value of each group is the name of a role, or a list of them.",
            id="atalaya.E034",
        )


def _names_roles(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return all(isinstance(name, str) for name in names)


def _shape_of_issuer() -> Iterator[CheckMessage]:
    parts = urlsplit(settings.STAFF_OIDC_ISSUER)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        yield Error(
            "STAFF_OIDC_ISSUER is no address such as https://id.example.com/realms/staff.",
            id="atalaya.E032",
        )
    if parts.hostname == _ENTRA and parts.path.strip("/").split("/")[0] in (
        *("common", "organizations", "consumers"),
    ):
        yield Error(
            "STAFF_OIDC_ISSUER names every tenant of Microsoft Entra. Put your tenant's id in its "
            "place: https://login.microsoftonline.com/<tenant>/v2.0.",
            id="atalaya.E033",
        )


def _values() -> Iterator[CheckMessage]:
    wrong = sorted(set(settings.STAFF_OIDC_ALGORITHMS) - ALGORITHMS)
    if wrong or not settings.STAFF_OIDC_ALGORITHMS:
        yield Error(
            f"STAFF_OIDC_ALGORITHMS may name {', '.join(sorted(ALGORITHMS))} only: signatures by "
            "a private key.",
            id="atalaya.E035",
        )
    if not 0 <= settings.STAFF_OIDC_CLOCK_SKEW <= 300:
        yield Error("STAFF_OIDC_CLOCK_SKEW is not between 0 and 300 seconds.", id="atalaya.E036")
    if not 5 <= settings.STAFF_OIDC_SESSION_MINUTES <= 1440:
        yield Error(
            "STAFF_OIDC_SESSION_MINUTES is not between 5 and 1440 minutes.", id="atalaya.E037"
        )


def _who_gets_in() -> Iterator[CheckMessage]:
    weak = sorted(_NO_FACTOR & set(settings.STAFF_OIDC_AMR))
    if weak or "" in settings.STAFF_OIDC_ACR or "0" in settings.STAFF_OIDC_ACR:
        yield Error(
            "STAFF_OIDC_AMR and STAFF_OIDC_ACR name what counts as a second factor; "
            f"{', '.join(weak) or 'an empty class or 0'} is none.",
            id="atalaya.E038",
        )
    is_open = settings.STAFF_OIDC_ISSUER.rstrip("/") in _OPEN_ISSUERS
    gives_access = settings.STAFF_OIDC_LINK_BY_EMAIL or settings.STAFF_OIDC_CREATE_ACCOUNTS
    if is_open and gives_access and not settings.STAFF_OIDC_REQUIRED_CLAIMS:
        yield Error(
            "Anybody can have an account at this issuer. Set STAFF_OIDC_REQUIRED_CLAIMS, such as "
            '{"hd": "example.com"}, before accounts are linked by e-mail or made.',
            id="atalaya.E039",
        )


@register(Tags.security, deploy=True)
def check_staff_provider_in_production(**kwargs: Any) -> list[CheckMessage]:
    """Warn of settings that work and are not wise."""
    return list(_unwise()) if settings.STAFF_OIDC_ISSUER else []


def _unwise() -> Iterator[CheckMessage]:
    if settings.STAFF_OIDC_ISSUER.startswith("http://"):
        yield Warning("STAFF_OIDC_ISSUER is not https.", id="atalaya.W030")
    if not settings.PUBLIC_URL.startswith("https://"):
        yield Warning(
            "PUBLIC_URL is not https, and the identity provider sends codes of sign-ins there.",
            id="atalaya.W031",
        )
    yield from _unwise_emergency()
    if settings.STAFF_OIDC_CREATE_ACCOUNTS and not settings.STAFF_OIDC_ROLES:
        yield Warning(
            "STAFF_OIDC_CREATE_ACCOUNTS makes no account without STAFF_OIDC_ROLES: only somebody "
            "whose groups give a role gets one.",
            id="atalaya.W034",
        )
    if not settings.STAFF_OIDC_CLIENT_SECRET:
        yield Warning(
            "STAFF_OIDC_CLIENT_SECRET is empty: anybody may use this client's id. PKCE still "
            "protects each sign-in.",
            id="atalaya.W035",
        )
    if any(_shape()):
        return
    unknown = sorted(managed_roles() - set(role_permissions()))
    if unknown:
        yield Warning(
            f"STAFF_OIDC_ROLES names {', '.join(unknown)}, which no release ships. Make sure that "
            "you made these roles yourselves.",
            id="atalaya.W036",
        )


def _unwise_emergency() -> Iterator[CheckMessage]:
    if not settings.STAFF_LOCAL_SIGN_IN and not settings.STAFF_EMERGENCY_ACCOUNT:
        yield Warning(
            "STAFF_LOCAL_SIGN_IN is off without STAFF_EMERGENCY_ACCOUNT: on the day the identity "
            "provider is away nobody can sign in.",
            id="atalaya.W032",
        )
    if settings.STAFF_LOCAL_SIGN_IN and settings.STAFF_EMERGENCY_ACCOUNT:
        yield Warning(
            "STAFF_EMERGENCY_ACCOUNT has no effect while STAFF_LOCAL_SIGN_IN is on.",
            id="atalaya.W033",
        )
