"""Where a login came from: by GeoIP when there is a database, else by the platform's country."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

import maxminddb
import numpy as np
from django.conf import settings

from riskops.anomalies.login_risk import Floats
from riskops.anomalies.travel import country_places
from riskops.anomalies.windows import EventTable
from riskops.models import Identifier

logger = logging.getLogger("atalaya.riskops")

# A city database is right to within some tens of kilometres.
GEOIP_RADIUS = 50.0
CHUNK = 5_000


@lru_cache(maxsize=1)
def _reader(path: str) -> Any:
    try:
        return maxminddb.open_database(path)
    except (OSError, ValueError) as error:
        # Detection goes on by country: a missing file must not blind the other rules.
        logger.error("GeoIP database not readable", extra={"path": path, "error": str(error)})
        return None


def places_of(logins: EventTable) -> tuple[Floats, Floats, Floats]:
    """Latitude, longitude and radius in kilometres of each login; NaN where nobody knows."""
    lat, lon, radius = country_places(logins.country)
    reader = _reader(settings.GEOIP_PATH) if settings.GEOIP_PATH else None
    if reader is not None:
        _refine(reader, logins, lat, lon, radius)
    return lat, lon, radius


def _refine(reader: Any, logins: EventTable, lat: Floats, lon: Floats, radius: Floats) -> None:
    wanted, number = np.unique(logins.ip, return_inverse=True)
    found = np.full((len(wanted), 2), np.nan)
    for start in range(0, len(wanted), CHUNK):
        ids = wanted[start : start + CHUNK].tolist()
        rows = Identifier.objects.filter(pk__in=ids).values_list("pk", "value")
        for pk, value in rows:
            place = (reader.get(value) or {}).get("location", {})
            if "latitude" in place and "longitude" in place:
                found[np.searchsorted(wanted, pk)] = place["latitude"], place["longitude"]
    known = np.isfinite(found[number, 0])
    lat[known], lon[known] = found[number][known].T
    radius[known] = GEOIP_RADIUS
