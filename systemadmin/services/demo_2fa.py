"""Second factor of demo staff: a code that everyone trying the demo is given."""

import hashlib
import hmac
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone

from systemadmin.foundation.context import current
from systemadmin.models import Demo2FASession, User

LIFETIME: Final = timedelta(hours=1)


def demo_code() -> str:
    """Six digits that follow from the installation's secret key: printed, never guessed."""
    digest = hmac.new(settings.SECRET_KEY.encode(), b"atalaya demo code", hashlib.sha256).digest()
    return f"{int.from_bytes(digest[:8], 'big') % 1_000_000:06d}"


def is_offered(user: User) -> bool:
    """Return whether the demo code may stand in for an authenticator app of this account."""
    return settings.DEMO_MODE and user.is_demo and user.is_staff


def accept(*, user: User, code: str) -> Demo2FASession | None:
    """Return a session of an hour for a demo account that gives the demo code, else None."""
    if not is_offered(user) or not hmac.compare_digest(code.encode(), demo_code().encode()):
        return None
    return Demo2FASession.everything.create(
        user=user,
        name="demo",
        ip=current().ip,
        expires_at=timezone.now() + LIFETIME,
    )
