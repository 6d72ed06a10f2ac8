"""A GeoIP database that would change nothing is reported."""

from types import SimpleNamespace

import maxminddb
import pytest

from riskops.checks import check_geoip


class Reader:
    def __init__(self, kind):
        self.kind = kind

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def metadata(self):
        return SimpleNamespace(database_type=self.kind)


@pytest.mark.parametrize(
    ("kind", "warnings"),
    [("GeoLite2-City", 0), ("GeoIP2-Enterprise", 0), ("GeoLite2-Country", 1), ("GeoLite2-ASN", 1)],
)
def test_a_database_without_places_is_a_warning(settings, monkeypatch, kind, warnings):
    settings.GEOIP_PATH = "/somewhere.mmdb"
    monkeypatch.setattr(maxminddb, "open_database", lambda path: Reader(kind))
    assert len(check_geoip()) == warnings


def test_a_missing_database_is_a_warning_and_none_is_not(settings):
    settings.GEOIP_PATH = "/nowhere/city.mmdb"
    assert "cannot be read (FileNotFoundError)" in check_geoip()[0].msg
    settings.GEOIP_PATH = ""
    assert check_geoip() == []
