"""Whatever names an account takes our id or `ext:` and the platform's, everywhere alike."""

import inspect
from importlib import import_module
from pkgutil import walk_packages

import django_filters
import pytest
from django.conf import settings
from rest_framework import serializers

from config.tests.routes import api_routes, walk
from systemadmin.foundation.api import (
    AccountKeyField,
    ReferenceField,
    ReferenceFilter,
    ReferenceTextField,
    StrictFilterSet,
    StrictSerializer,
)
from systemadmin.foundation.references import REFERENCE_REGEX
from systemadmin.models import User
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
PEOPLE = {"user", "account", "seller", "buyer", "recipient", "assignee", "member", "requester"}
PEOPLE |= {"successor", "agent", "owner", "escalate_to"}
NAMED = (AccountKeyField, ReferenceField, ReferenceTextField)


def classes_of(base):
    """Every class of the API modules below a base."""
    for app in settings.ATALAYA_APPS:
        package = import_module(f"{app}.api")
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            module = import_module(found.name)
            for _name, kind in inspect.getmembers(module, inspect.isclass):
                if issubclass(kind, base) and kind.__module__ == found.name:
                    yield kind


def _is_account(field):
    queryset = getattr(field, "queryset", None)
    return queryset is not None and queryset.model is User


def test_every_field_that_names_an_account_takes_both_ids():
    wrong = [
        f"{kind.__name__}.{name}"
        for kind in classes_of(StrictSerializer)
        for name, field in kind().fields.items()
        if not field.read_only
        and (_is_account(field) or (name in PEOPLE and isinstance(field, serializers.IntegerField)))
        and not isinstance(getattr(field, "child", field), NAMED)
    ]
    assert wrong == []


def test_every_filter_that_names_an_account_takes_both_ids():
    numbers = (django_filters.NumberFilter, django_filters.ModelChoiceFilter)
    wrong = [
        f"{kind.__name__}.{name}"
        for kind in classes_of(StrictFilterSet)
        for name, one in kind.base_filters.items()
        if name in PEOPLE | {"actor", "owner", "created_by"} and isinstance(one, numbers)
    ]
    found = [one for kind in classes_of(StrictFilterSet) for one in kind.base_filters.values()]
    assert wrong == []
    assert any(isinstance(one, ReferenceFilter) for one in found)


def test_every_path_that_names_an_account_takes_both_ids():
    from django.urls import get_resolver

    routes = [route for route, _pattern in walk(get_resolver().url_patterns)]
    routes = [route for route in routes if route.startswith("api/")]
    wrong = [route for route in routes if "<key:user_id>" in route or "<int:user_id>" in route]
    for _method, path, view, _action in api_routes():
        queryset = getattr(view, "queryset", None)
        is_account = queryset is not None and queryset.model is User and "{pk}" in path
        if is_account and getattr(view, "lookup_value_regex", "") != REFERENCE_REGEX:
            wrong.append(path)
    assert wrong == []


@pytest.fixture
def shopper(db):
    return UserFactory(username="shopper", external_id="shop:7 ñ")


def test_the_same_account_by_either_id(as_user, superuser, shopper):
    client = as_user(superuser)
    for path in ("admin/users/{}", "admin/users/{}/sessions",
                 "admin/users/{}/related-accounts", "admin/sellers/{}/balance",
                 "admin/users/{}/erasure"):  # fmt: skip
        by_key = client.get(f"/api/{path.format(shopper.pk)}")
        by_name = client.get(f"/api/{path.format('ext:shop:7 ñ')}")
        assert by_key.status_code == by_name.status_code == 200, path
        by_name_data, by_key_data = by_name.json(), by_key.json()
        assert by_name_data == by_key_data


def test_an_unknown_or_impossible_external_id_is_not_found(as_user, superuser, shopper):
    client = as_user(superuser)
    for name in (
        "ext:nobody",
        "ext:",
        "ext:" + "x" * 129,
        "ext:%20shop",
        "0",
    ):
        assert client.get(f"/api/admin/users/{name}").status_code == 404, name


def test_who_may_not_ask_learns_nothing(api, as_user, member, shopper):
    for name in ("ext:shop:7 ñ", "ext:nobody"):
        assert api.get(f"/api/admin/users/{name}").status_code == 401
        assert as_user(member).get(f"/api/admin/users/{name}").status_code == 403


def test_fields_and_filters_by_external_id(as_user, superuser, shopper):
    client = as_user(superuser)
    body = {"user": "ext:shop:7 ñ", "subject": "Hello", "body": "There"}
    made = client.post("/api/admin/tickets", body)
    assert made.status_code == 201, made.json()
    found = client.get("/api/admin/tickets", {"user": "ext:shop:7 ñ"}).json()["results"]
    assert [row["id"] for row in found] == [made.json()["id"]]
    assert client.get("/api/admin/tickets", {"user": "ext:nobody"}).json()["results"] == []
    assert client.get("/api/admin/tickets", {"user": "shop"}).status_code == 400
    for wrong in ("ext:nobody", "ext:", True, 0, -1, 1.5, [], {}, "7_0", 10**30):
        refused = client.post("/api/admin/tickets", body | {"user": wrong}, format="json")
        assert refused.status_code == 400, wrong
        assert refused.json()["errors"][0]["field"] == "user"


def test_members_write_to_each_other_by_external_id(as_user, member, shopper):
    client = as_user(member)
    sent = client.post("/api/messages", {"recipient": "ext:shop:7 ñ", "body": "Hello"})
    assert sent.status_code == 201, sent.json()
    answer = client.get("/api/messages/ext:shop:7 ñ")
    assert [row["body"] for row in answer.json()["results"]] == ["Hello"]
    stranger = client.post("/api/messages", {"recipient": "ext:nobody", "body": "Hello"})
    closed = client.post("/api/messages", {"recipient": 10**9, "body": "Hello"})
    assert stranger.status_code == closed.status_code
    assert stranger.json()["code"] == closed.json()["code"]


def test_events_name_accounts_by_either(as_user, superuser, shopper):
    row = {"kind": "login_ok", "occurred_at": "2026-03-01T12:00:00Z"}
    events = [
        row | {"account": "ext:shop:7 ñ", "external_id": "a"},
        row | {"account": shopper.pk, "external_id": "b"},
        row | {"account": "ext:nobody", "external_id": "c"},
    ]
    answer = as_user(superuser).post("/api/events", {"source": "t", "events": events}).json()
    assert [one["status"] for one in answer["results"]] == ["recorded", "recorded", "refused"]
