"""System checks that explain a wrong or dangerous setting in a sentence."""

import re
from typing import Any

from django.conf import settings
from django.core.checks import Error, Tags, Warning, register
from django.db import DatabaseError

from systemadmin.foundation.scopes import known_scopes
from systemadmin.services.demo import has_demo_rows
from systemadmin.services.issuer_keys import ALGORITHMS


@register(Tags.security, deploy=True)
def check_second_factor(**kwargs: Any) -> list[Any]:
    """Staff without a second factor is a decision that production must not make by accident."""
    if settings.REQUIRE_STAFF_2FA:
        return []
    return [
        Warning(
            "Staff can sign in without a second factor. Set REQUIRE_STAFF_2FA=1.",
            id="atalaya.W001",
        )
    ]


@register(Tags.security, deploy=True)
def check_demo_mode(**kwargs: Any) -> list[Any]:
    """Demo accounts have published passwords."""
    if not settings.DEMO_MODE:
        return []
    return [
        Error(
            "DEMO_MODE is on: anyone can sign in with the published demo passwords. "
            "Unset DEMO_MODE and run `manage.py purge_demo`.",
            id="atalaya.E001",
        )
    ]


@register(Tags.database)
def check_demo_rows(*, databases: Any = None, **kwargs: Any) -> list[Any]:
    """Demo accounts cannot sign in any more, but their data still colours every figure."""
    if settings.DEMO_MODE or "default" not in (databases or ()):
        return []
    try:
        found = has_demo_rows()
    except DatabaseError:  # before the first migrate
        return []
    if not found:
        return []
    return [
        Warning(
            "DEMO_MODE is off, but there is still demo data. "
            "Look at it with `manage.py purge_demo --dry-run`, then run `manage.py purge_demo`.",
            id="atalaya.W003",
        )
    ]


@register(Tags.security)
def check_proxy_count(**kwargs: Any) -> list[Any]:
    """Refuse a negative count, which would trust forged addresses."""
    if settings.TRUSTED_PROXY_COUNT >= 0:
        return []
    return [
        Error(
            "TRUSTED_PROXY_COUNT is negative. Set it to the number of proxies in front of "
            "the application (0 when clients connect directly).",
            id="atalaya.E002",
        )
    ]


@register(Tags.security)
def check_telegram(**kwargs: Any) -> list[Any]:
    """Half a Telegram configuration sends nothing."""
    if bool(settings.TELEGRAM_BOT_TOKEN) == bool(settings.TELEGRAM_CHAT_ID):
        return []
    return [
        Warning(
            "Telegram alerts need both TELEGRAM_BOT_TOKEN and TELEGRAM_CHAT_ID; only one is set.",
            id="atalaya.W002",
        )
    ]


@register(Tags.security)
def check_audit_keys(**kwargs: Any) -> list[Any]:
    """Refuse a short key of the audit trail: one row and its code would be enough to guess it."""
    if all(len(key) >= 32 for key in settings.AUDIT_KEYS):
        return []
    return [
        Error(
            "AUDIT_KEYS holds a key of fewer than 32 characters. Make one with "
            "`python -c 'import secrets; print(secrets.token_urlsafe(48))'`.",
            id="atalaya.E005",
        )
    ]


@register(Tags.database)
def check_installation_id(**kwargs: Any) -> list[Any]:
    """Check the identity, which becomes part of file names in the storage of backups."""
    if re.fullmatch(r"[A-Za-z0-9-]{0,36}", settings.INSTALLATION_ID):
        return []
    return [
        Error(
            "INSTALLATION_ID may hold letters, digits and hyphens, 36 at most. Set it to what "
            "`manage.py installation` prints, or leave it empty.",
            id="atalaya.E004",
        )
    ]


@register(Tags.database)
def check_backup_dir(**kwargs: Any) -> list[Any]:
    """Backups inside a folder that the web server publishes would be downloadable."""
    if settings.MEDIA_ROOT not in [settings.BACKUP_DIR, *settings.BACKUP_DIR.parents]:
        return []
    return [
        Error(
            "BACKUP_DIR lies inside the media folder. Move it outside of what is served.",
            id="atalaya.E003",
        )
    ]


@register(Tags.security)
def check_platform_issuer(**kwargs: Any) -> list[Any]:
    """Tokens of an issuer are accepted only where everything about them is said."""
    found = []
    if settings.PLATFORM_ISSUER and not (settings.PLATFORM_AUDIENCE and settings.PLATFORM_JWKS_URL):
        found.append(
            Error(
                "PLATFORM_ISSUER is set without PLATFORM_AUDIENCE or PLATFORM_JWKS_URL: without "
                "them a token for any other service would open accounts here. Set all three.",
                id="atalaya.E020",
            )
        )
    wrong = sorted(set(settings.PLATFORM_ALGORITHMS) - ALGORITHMS)
    if wrong:
        found.append(
            Error(
                f"PLATFORM_ALGORITHMS names {', '.join(wrong)}. Only signatures by a private key "
                f"are accepted: {', '.join(sorted(ALGORITHMS))}.",
                id="atalaya.E021",
            )
        )
    if not 0 <= settings.PLATFORM_CLOCK_SKEW <= 300:
        found.append(
            Error("PLATFORM_CLOCK_SKEW is not between 0 and 300 seconds.", id="atalaya.E022")
        )
    unknown = sorted(set(settings.PLATFORM_SCOPES) - set(known_scopes()))
    if settings.PLATFORM_SCOPES and unknown:
        found.append(
            Error(
                f"PLATFORM_SCOPES names {', '.join(unknown)}; there are "
                f"{', '.join(known_scopes())}.",
                id="atalaya.E023",
            )
        )
    return found
