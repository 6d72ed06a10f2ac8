"""The same key and body have one effect and one answer."""

import pytest
from django.db import connection
from django.urls import path
from rest_framework.response import Response

from systemadmin.foundation.api import MEMBER, BaseViewSet
from systemadmin.foundation.errors import RuleViolation
from systemadmin.foundation.testing import problem, run_threads
from systemadmin.models import Alert, IdempotencyKey
from systemadmin.services import raise_alert
from systemadmin.tests.factories import UserFactory


class EffectViewSet(BaseViewSet):
    """Creates one alert a call; refuses when told to."""

    access = {"default": MEMBER}
    queryset = Alert.objects.none()

    def create(self, request):
        number = Alert.objects.count()
        raise_alert(rule="test", key=f"{request.user.pk}-{number}", severity="info", summary="x")
        if request.data.get("refuse"):
            raise RuleViolation("no")
        return Response({"number": number, "echo": request.data}, status=201)


urlpatterns = [path("api/effects", EffectViewSet.as_view({"post": "create"}))]

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def post(client, body, key="k-1"):
    return client.post("/api/effects", body, HTTP_IDEMPOTENCY_KEY=key)


def test_the_first_answer_is_given_again(as_user, member):
    client = as_user(member)
    first, again = post(client, {"a": 1, "b": 2}), post(client, {"b": 2, "a": 1})
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert again["Idempotent-Replayed"] == "true"
    assert Alert.objects.count() == 1


def test_another_body_is_422(as_user, member):
    client = as_user(member)
    post(client, {"a": 1})
    problem(post(client, {"a": 2}), 422, "idempotency_key_reused")
    assert Alert.objects.count() == 1


def test_a_refusal_is_not_stored_and_leaves_nothing(as_user, member):
    client = as_user(member)
    problem(post(client, {"refuse": True}), 409)
    assert Alert.objects.count() == 0
    assert IdempotencyKey.objects.count() == 0
    assert post(client, {"a": 1}).status_code == 201


def test_keys_of_two_accounts_do_not_meet(as_user, member, other_member):
    assert post(as_user(member), {}).status_code == 201
    assert post(as_user(other_member), {}).status_code == 201
    assert Alert.objects.count() == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "ñ"])
def test_a_malformed_key_is_named(as_user, member, key):
    problem(post(as_user(member), {}, key=key), 400, field="Idempotency-Key")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="real threads need PostgreSQL")
@pytest.mark.postgres
def test_twenty_at_once_have_one_effect(as_user):
    clients = [as_user(user) for user in [UserFactory()] * 20]
    answers = run_threads(lambda i: post(clients[i], {"a": 1}), 20)
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {201, 409}
    assert 201 in statuses
    assert Alert.objects.count() == 1
