"""System checks of the risk desk."""

from typing import Any

import maxminddb
from django.conf import settings
from django.core.checks import Tags, Warning, register

_REMEDY = "Set GEOIP_PATH to a MaxMind city database, or leave it empty."


@register(Tags.files)
def check_geoip(**kwargs: Any) -> list[Any]:
    """Warn when the GeoIP database cannot be read or holds no places."""
    if not settings.GEOIP_PATH:
        return []
    try:
        with maxminddb.open_database(settings.GEOIP_PATH) as reader:
            kind = reader.metadata().database_type
    except (OSError, ValueError) as error:
        text = f"The GeoIP database cannot be read ({type(error).__name__})."
    else:
        if not any(word in kind for word in ("Country", "ASN", "Connection", "Domain", "ISP")):
            return []
        text = f"The GeoIP database ({kind}) holds no places, so it changes nothing."
    return [Warning(f"{text} {_REMEDY}", id="atalaya.W010")]
