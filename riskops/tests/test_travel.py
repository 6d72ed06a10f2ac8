"""Distances, countries and the surprise of a login."""

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskops.anomalies.countries import CENTRES, RADII, code_of
from riskops.anomalies.detection import detect_history
from riskops.anomalies.geo import places_of
from riskops.anomalies.login_risk import Feature, least_logins, surprise
from riskops.anomalies.travel import country_places, distance_km, impossible_travel
from riskops.anomalies.windows import MINUTE, EventTable
from riskops.models import Anomaly, Identifier
from riskops.tests.factories import event, record


def test_distance_of_two_cities():
    km = distance_km(*(np.array([x]) for x in (40.4, -3.7, 48.9, 2.4)))
    assert km[0] == pytest.approx(1055, abs=15)


def test_every_country_has_a_place():
    assert len(CENTRES) > 180
    assert set(CENTRES) == set(RADII)
    assert all(-90 <= lat <= 90 and -180 <= lon <= 180 for lat, lon in CENTRES.values())


def test_an_unknown_country_has_none():
    lat, _, _ = country_places(np.array([0, code_of("ES")]))
    assert np.isnan(lat[0])
    assert lat[1] == pytest.approx(40.2)


@pytest.mark.parametrize(
    ("a", "b"), [("ES", "PT"), ("ES", "FR"), ("DE", "PL"), ("US", "CA"), ("AR", "CL")]
)
def test_neighbours_touch(a, b):
    """From border to border there is no distance to travel."""
    (lat1, lon1), (lat2, lon2) = CENTRES[code_of(a)], CENTRES[code_of(b)]
    km = distance_km(*(np.array([x]) for x in (lat1, lon1, lat2, lon2)))[0]
    assert km <= RADII[code_of(a)] + RADII[code_of(b)]


def test_a_geoip_database_that_is_missing_blinds_nobody(settings):
    settings.GEOIP_PATH = "/nowhere/city.mmdb"
    one = np.array([1], dtype=np.int64)
    table = EventTable(one, one, one, one, one, one, np.array([code_of("ES")]), one, one)
    lat, _, _ = places_of(table)
    assert lat[0] == pytest.approx(40.2)


def feature(own, share=0.001, known=True):
    return Feature(np.array([own]), np.array([share]), np.array([known]))


def bits(*, address, device, country, logins=50, subnet=False, listed=False):
    return float(
        surprise(
            address,
            device,
            country,
            logins=np.array([logins]),
            subnet_known=np.array([subnet]),
            listed=np.array([listed]),
        )[0]
    )


def test_a_familiar_login_is_no_surprise():
    assert bits(address=feature(40), device=feature(50), country=feature(50, 0.4)) < 0


def test_everything_new_is_one():
    new = feature(0)
    assert bits(address=new, device=new, country=new) > 12


def test_a_new_address_of_a_familiar_line_is_little():
    usual = {"device": feature(50), "country": feature(50, 0.4)}
    strange = bits(address=feature(0), **usual)
    assert bits(address=feature(0), subnet=True, **usual) < strange


def test_a_listed_address_is_stranger():
    new = feature(0)
    plain = bits(address=new, device=new, country=new)
    assert bits(address=new, device=new, country=new, listed=True) == plain + 2


def test_what_a_login_does_not_tell_counts_for_nothing():
    unknown = feature(0, known=False)
    assert bits(address=unknown, device=unknown, country=unknown) == 0


@given(
    logins=st.integers(0, 500),
    told=st.lists(st.booleans(), min_size=3, max_size=3),
    own=st.integers(0, 500),
    share=st.floats(1e-9, 1.0),
    listed=st.booleans(),
)
def test_no_login_surprises_more_than_its_account_has_logins_for(logins, told, own, share, listed):
    features = [
        Feature(np.array([min(own, logins)]), np.array([share]), np.array([known]))
        for known in told
    ]
    bits = surprise(
        *features,
        logins=np.array([logins]),
        subnet_known=np.array([False]),
        listed=np.array([listed]),
    )[0]
    assert logins >= least_logins(bits, max(sum(told), 1))


@pytest.mark.parametrize(("logins", "found"), [(12, False), (30, True)])
def test_a_takeover_from_home_is_found_after_tens_of_logins(logins, found):
    new, home = feature(0, 1e-5), feature(logins, 0.8)
    assert (bits(address=new, device=new, country=home, logins=logins) >= 12) == found


def test_a_new_phone_at_home_is_no_takeover():
    new, home = feature(0, 1e-5), feature(30, 0.8)
    assert bits(address=feature(30), device=new, country=home, logins=30) < 6


def logins_at(*places):
    """Logins an hour apart: (country, device)."""
    size = len(places)
    same, number = np.ones(size, dtype=np.int64), np.arange(size, dtype=np.int64)
    hour = number * 60 * MINUTE
    country = np.array([code_of(place) for place, _ in places])
    device = np.array([device for _, device in places])
    return EventTable(number, same, same, hour, same, same, country, number, device)


@pytest.mark.parametrize(("device", "hits"), [(7, 0), (8, 1)])
def test_a_device_that_was_here_has_not_travelled(device, hits):
    logins = logins_at(("ES", 7), ("AU", device))
    places = places_of(logins)
    found = impossible_travel(logins, *places, {"km": 500, "kmh": 900})
    assert len(found) == hits


@pytest.mark.django_db
def test_the_exit_of_a_vpn_is_nowhere(django_user_model):
    account = django_user_model.objects.create(username="traveller")
    for number, (ip, country) in enumerate((("81.2.3.4", "ES"), ("103.1.2.3", "AU"))):
        ago = timedelta(hours=2 - number)
        record(event(account, ip=ip, country=country, device=f"d{number}", ago=ago))
    assert struck() == {"impossible_travel"}
    Identifier.objects.filter(value="103.1.2.3").update(listing="vpn")
    Anomaly.objects.all().delete()
    assert struck() == set()


def struck():
    detect_history()
    travels = Anomaly.objects.filter(rule__detector="impossible_travel")
    return set(travels.values_list("rule__detector", flat=True))
