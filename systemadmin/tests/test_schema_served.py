"""`/api/schema`: made once, compared by ETag, shown to those who may."""

import pytest
from rest_framework.permissions import IsAuthenticated

from systemadmin.foundation.api import schema_view
from systemadmin.foundation.testing import problem, processor_seconds, run_threads

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(monkeypatch):
    """How often the document was made, from none on."""
    calls = []
    monkeypatch.setattr(schema_view, "_documents", {})
    monkeypatch.setattr(schema_view, "_make", lambda language: calls.append(language) or b"{}")
    return calls


def test_it_is_made_once_for_each_language(api, made):
    for language in ("en", "es", "en", "es"):
        assert api.get("/api/schema", HTTP_ACCEPT_LANGUAGE=language).status_code == 200
    assert made == ["en", "es"]


def test_callers_that_come_together_make_it_once(made):
    answers = run_threads(lambda _i: schema_view.schema_document("en"), 8)
    assert len(made) == 1
    assert len(set(answers)) == 1


def test_a_second_call_costs_nothing(api):
    api.get("/api/schema")
    assert processor_seconds(lambda: api.get("/api/schema")) < 0.2


def test_whoever_has_it_gets_304(api):
    first = api.get("/api/schema")
    assert first["ETag"].startswith('"')
    assert first["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie", "Accept-Language"} <= set(first["Vary"].split(", "))
    again = api.get("/api/schema", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert api.get("/api/schema", HTTP_IF_NONE_MATCH='"other"').status_code == 200


def test_each_language_has_its_own_etag(api):
    assert api.get("/api/schema?lang=en")["ETag"] != api.get("/api/schema?lang=es")["ETag"]


def test_a_language_that_is_none_is_refused(api):
    problem(api.get("/api/schema?lang=xx"), 400, field="lang")


def test_an_etag_opens_nothing(api, as_user, member, monkeypatch):
    etag = api.get("/api/schema")["ETag"]
    monkeypatch.setattr(schema_view.SchemaView, "permission_classes", [IsAuthenticated])
    problem(api.get("/api/schema", HTTP_IF_NONE_MATCH=etag), 401)
    assert as_user(member).get("/api/schema", HTTP_IF_NONE_MATCH=etag).status_code == 304


@pytest.mark.ratelimited
def test_it_counts_against_the_limit_for_reads(api):
    assert '"read"' in api.get("/api/schema")["RateLimit-Policy"]
