"""The keys that sign addresses and links of the desk."""

import hashlib
import hmac

from django.conf import settings


def address_keys() -> list[bytes]:
    """Return keys that sign reply addresses: the present one, then those being retired."""
    return [
        hmac.new(key.encode(), b"support-reply-address", hashlib.sha256).digest()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]
