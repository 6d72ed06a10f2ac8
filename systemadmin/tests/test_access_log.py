"""Every answered request leaves one line that names it and its caller, and no query string."""

import logging

import pytest

from systemadmin.foundation import logs

pytestmark = pytest.mark.django_db


@pytest.fixture
def access(caplog):
    caplog.set_level(logging.INFO, logger="atalaya.access")
    return lambda: [record for record in caplog.records if record.name == "atalaya.access"]


def test_an_anonymous_request(api, access):
    answer = api.get("/api/health?token=abc", HTTP_X_REQUEST_ID="caller-id-123")
    [record] = access()
    assert (record.method, record.path, record.status) == ("GET", "/api/health", 200)
    assert record.duration_ms >= 0
    assert record.user is None
    assert "abc" not in record.getMessage()
    assert answer["X-Request-ID"] == "caller-id-123"


def test_a_token_names_its_user(as_user, member, access):
    as_user(member).get("/api/auth/me")
    assert access()[-1].user == member.pk


def test_a_session_names_its_user(admin_client_for, superuser, access):
    admin_client_for(superuser).get("/admin/")
    assert access()[-1].user == superuser.pk


def test_the_line_carries_the_request_id(api, caplog):
    seen = []

    class Collect(logging.Handler):
        def emit(self, record):
            seen.append(record)

    handler = Collect()
    handler.addFilter(logs.ContextFilter())
    logger = logging.getLogger("atalaya.access")
    logger.addHandler(handler)
    try:
        api.get("/api/health", HTTP_X_REQUEST_ID="caller-id-123")
    finally:
        logger.removeHandler(handler)
    assert [record.request_id for record in seen] == ["caller-id-123"]


def test_a_refusal_is_logged_with_its_status(api, access):
    api.get("/api/nothing-here")
    assert access()[-1].status == 404
