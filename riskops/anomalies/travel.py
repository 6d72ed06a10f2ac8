"""How far apart two logins are and whether anyone could have travelled between them."""

from __future__ import annotations

import numpy as np

from riskops.anomalies.countries import CENTRES, RADII
from riskops.anomalies.login_risk import Floats
from riskops.anomalies.windows import MINUTE, Bools, EventTable, Hit, Parameters

EARTH_KM = 6371.0
HOUR = 60 * MINUTE


def distance_km(lat1: Floats, lon1: Floats, lat2: Floats, lon2: Floats) -> Floats:
    """Great-circle distance."""
    phi1, phi2 = np.radians(lat1), np.radians(lat2)
    half = np.sin((phi2 - phi1) / 2) ** 2
    half += np.cos(phi1) * np.cos(phi2) * np.sin(np.radians(lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))


def country_places(country: np.ndarray) -> tuple[Floats, Floats, Floats]:
    """Latitude, longitude and radius of each country code; NaN where it is unknown."""
    codes, number = np.unique(country, return_inverse=True)
    unknown = (np.nan, np.nan)
    centres = np.array([CENTRES.get(int(code), unknown) for code in codes]).reshape(-1, 2)
    radius = np.array([RADII.get(int(code), 300.0) for code in codes])
    return centres[number, 0], centres[number, 1], radius[number]


def steps(
    logins: EventTable, lat: Floats, lon: Floats, radius: Floats
) -> tuple[Bools, Floats, Floats]:
    """Return from each login to the one before of the same account: known, kilometres, hours.

    The distance is the least possible one: from border to border where only countries are
    known. A device that was here a minute ago is not there now: it is behind a VPN, and nobody
    travelled.
    """
    known = np.zeros(len(logins), dtype=np.bool_)
    km, hours = np.zeros(len(logins)), np.zeros(len(logins))
    if len(logins) > 1:
        far = distance_km(lat[:-1], lon[:-1], lat[1:], lon[1:]) - radius[:-1] - radius[1:]
        same = logins.account[1:] == logins.account[:-1]
        carried = (logins.device[1:] == logins.device[:-1]) & (logins.device[1:] != 0)
        known[1:] = same & np.isfinite(far) & ~carried
        km[1:] = np.where(known[1:], np.maximum(far, 0.0), 0.0)
        hours[1:] = (logins.at[1:] - logins.at[:-1]) / HOUR
    return known, km, hours


def far_sessions(
    logins: EventTable, lat: Floats, lon: Floats, radius: Floats, parameters: Parameters
) -> list[Hit]:
    """Return two logins within `minutes` from places at least `km` apart."""
    known, km, hours = steps(logins, lat, lon, radius)
    near_in_time = hours * 60 <= parameters["minutes"]
    return _hits(logins, known & near_in_time & (km >= parameters["km"]), km, hours)


def impossible_travel(
    logins: EventTable, lat: Floats, lon: Floats, radius: Floats, parameters: Parameters
) -> list[Hit]:
    """Return a login farther from the one before than anyone could have travelled meanwhile."""
    known, km, hours = steps(logins, lat, lon, radius)
    too_fast = km > parameters["kmh"] * hours
    return _hits(logins, known & too_fast & (km >= parameters["km"]), km, hours)


def _hits(logins: EventTable, chosen: Bools, km: Floats, hours: Floats) -> list[Hit]:
    return [
        Hit(
            account=int(logins.account[row]),
            at=int(logins.at[row]),
            key=f"event:{int(logins.id[row])}",
            evidence={
                "km": int(km[row]),
                "minutes": int(hours[row] * 60),
                "from": int(logins.at[row - 1]),
                "to": int(logins.at[row]),
            },
        )
        for row in np.flatnonzero(chosen).tolist()
    ]
