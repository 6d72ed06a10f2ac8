"""What `manage.py check` says of settings by which staff sign in."""

import pytest

from systemadmin import staff_sign_in_checks as checks

GOOD = {
    "STAFF_OIDC_ISSUER": "https://id.example.test",
    "STAFF_OIDC_CLIENT_ID": "atalaya",
    "STAFF_OIDC_CLIENT_SECRET": "x",
    "PUBLIC_URL": "https://atalaya.example.test",
}


def found(settings, **values):
    for name, value in {**GOOD, **values}.items():
        setattr(settings, name, value)
    rows = [*checks.check_staff_provider(), *checks.check_staff_provider_in_production()]
    return {row.id.removeprefix("atalaya.") for row in rows}


def test_nothing_is_said_of_a_good_setting_or_of_none(settings):
    assert found(settings) == set()
    assert found(settings, STAFF_OIDC_ISSUER="") == set()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"STAFF_OIDC_ISSUER": "", "STAFF_LOCAL_SIGN_IN": False}, "E030"),
        ({"STAFF_OIDC_CLIENT_ID": ""}, "E031"),
        ({"STAFF_OIDC_ISSUER": "id.example.test"}, "E032"),
        ({"STAFF_OIDC_ISSUER": "https://id.example.test/?x=1"}, "E032"),
        ({"STAFF_OIDC_ISSUER": "https://login.microsoftonline.com/common/v2.0"}, "E033"),
        ({"STAFF_OIDC_ROLES": ["x"]}, "E034"),
        ({"STAFF_OIDC_ROLES": {"x": 1}}, "E034"),
        ({"STAFF_OIDC_REQUIRED_CLAIMS": "hd"}, "E034"),
        ({"STAFF_OIDC_ALGORITHMS": ["HS256"]}, "E035"),
        ({"STAFF_OIDC_ALGORITHMS": []}, "E035"),
        ({"STAFF_OIDC_CLOCK_SKEW": 3600}, "E036"),
        ({"STAFF_OIDC_SESSION_MINUTES": 0}, "E037"),
        ({"STAFF_OIDC_AMR": ["pwd", "otp"]}, "E038"),
        ({"STAFF_OIDC_ACR": ["0"]}, "E038"),
        ({"STAFF_OIDC_ISSUER": "https://accounts.google.com",
          "STAFF_OIDC_LINK_BY_EMAIL": True}, "E039"),
        ({"STAFF_OIDC_ISSUER": "http://10.0.0.7"}, "W030"),
        ({"PUBLIC_URL": "http://atalaya.example.test"}, "W031"),
        ({"STAFF_LOCAL_SIGN_IN": False}, "W032"),
        ({"STAFF_EMERGENCY_ACCOUNT": "glass"}, "W033"),
        ({"STAFF_OIDC_CREATE_ACCOUNTS": True}, "W034"),
        ({"STAFF_OIDC_CLIENT_SECRET": ""}, "W035"),
        ({"STAFF_OIDC_ROLES": {"x": ["operator", "no such role"]}}, "W036"),
    ],
)  # fmt: skip
def test_what_lets_in_too_many_or_nobody_is_named(settings, values, code):
    assert found(settings, **values) == {code}


def test_an_open_issuer_with_a_required_domain_is_good(settings):
    values = {
        "STAFF_OIDC_ISSUER": "https://accounts.google.com",
        "STAFF_OIDC_LINK_BY_EMAIL": True,
        "STAFF_OIDC_REQUIRED_CLAIMS": {"hd": "example.test"},
    }
    assert found(settings, **values) == set()
