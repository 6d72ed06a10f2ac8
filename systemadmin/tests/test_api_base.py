"""What every endpoint does, seen through the few of the base app."""

import pytest
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.test import APIClient

from systemadmin.foundation.api import CursorList
from systemadmin.foundation.testing import problem
from systemadmin.models import User
from systemadmin.tests.factories import PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


def test_liveness_asks_nobody(api, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = api.get("/api/health")
    assert response.json() == {"status": "ok"}


def test_readiness_names_every_part(api):
    response = api.get("/api/health/ready")
    assert response.status_code == 200, response.json()
    assert set(response.json()["checks"]) == {
        *("database", "migrations", "cache", "queue", "maintenance")
    }


def test_one_trailing_slash_is_accepted(api):
    assert api.get("/api/health/").status_code == 200


def test_request_id_is_kept_when_sane_and_replaced_when_not(api):
    kept = api.get("/api/health", HTTP_X_REQUEST_ID="abc-12345")
    assert kept["X-Request-ID"] == "abc-12345"
    replaced = api.get("/api/health", HTTP_X_REQUEST_ID="<script>")
    assert replaced["X-Request-ID"] != "<script>"


@pytest.mark.parametrize("debug", [False, True])
def test_unknown_path_is_a_problem(settings, debug):
    settings.DEBUG = debug
    api = APIClient(enforce_csrf_checks=True)
    problem(api.get("/api/nowhere"), 404, "not_found")
    problem(api.get("/api/products/not-a-number"), 404, "not_found")
    problem(api.post("/api/nowhere", {}, format="json"), 404, "not_found")


def test_wrong_method_is_a_problem(api):
    answer = api.put("/api/health")
    problem(answer, 405, "method_not_allowed")
    assert answer.json()["title"] == "This method is not allowed here."
    assert '"PUT"' in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", ['{"a":', '{"username": "a\\u0000b"}', "[" * 100000, '{"n": 1e999}', '{"n": NaN}']
)
def test_malformed_json_is_a_problem(api, body):
    response = api.post("/api/auth/login", body, content_type="application/json")
    assert response.status_code == 400
    problem(response, 400)


def test_wrong_media_type_is_a_problem(api):
    response = api.post("/api/auth/login", "a=b", content_type="text/plain")
    problem(response, 415, "unsupported_media_type")
    assert response.json()["title"] == "This type of content is not taken here."


def test_unknown_field_is_named(api):
    response = api.post("/api/auth/login", {"username": "a", "password": "b", "admin": True})
    problem(response, 400, "invalid", field="admin")


def test_html_is_never_the_answer(api):
    response = api.get("/api/auth/me", HTTP_ACCEPT="text/html")
    problem(response, 401)
    assert response["WWW-Authenticate"] == "Bearer"


def test_login_me_logout(api, member):
    response = api.post("/api/auth/login", {"username": "marta", "password": PASSWORD})
    assert response.status_code == 200, response.json()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {response.json()['token']}")
    assert api.get("/api/auth/me").json()["username"] == "marta"
    assert api.post("/api/auth/logout").status_code == 204
    problem(api.get("/api/auth/me"), 401, "authentication_failed")


def test_a_wrong_password_says_no_more_than_that(api, member):
    wrong = api.post("/api/auth/login", {"username": "marta", "password": "wrong-one"})
    unknown = api.post("/api/auth/login", {"username": "nobody", "password": "wrong-one"})
    assert problem(wrong, 401)["detail"] == problem(unknown, 401)["detail"]


class TestCursor:
    """Pages joined together are the whole list, also with ties and nulls."""

    def page(self, queryset, ordering, url=None, size=3):
        request = Request(RequestFactory().get(url or f"/x?page_size={size}"))
        paginator = CursorList()
        paginator.ordering = ordering
        rows = paginator.paginate_queryset(queryset, request)
        return [row.pk for row in rows], paginator.get_paginated_response([]).data

    @pytest.mark.parametrize(
        "ordering", [("id",), ("-country", "id"), ("external_id",), ("-external_id", "-id")]
    )
    def test_forth_and_back(self, ordering):
        for index in range(11):
            UserFactory(
                country="ES" if index % 2 else "FR", external_id=f"x{index}" if index % 3 else None
            )
        ids, links = self.page(User.objects.all(), ordering)
        walked = list(ids)
        pages = [ids]
        while links["next"]:
            ids, links = self.page(User.objects.all(), ordering, links["next"])
            pages.append(ids)
            walked += ids
        assert sorted(walked) == sorted(User.objects.values_list("pk", flat=True))
        assert len(set(walked)) == len(walked)
        for expected in reversed(pages[:-1]):
            ids, links = self.page(User.objects.all(), ordering, links["previous"])
            assert ids == expected
        assert links["previous"] is None
