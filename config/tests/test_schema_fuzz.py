"""schemathesis over the whole schema as each role: no 500, no answer outside the schema.

It takes longer than the other tests together, so it runs when `FUZZ_EXAMPLES` (random cases
for each operation, on top of those that cover every keyword of the schema) is set. The
database holds the demo world, and every second case aims at an object that is really there.
"""

import itertools
import os

import pytest
import schemathesis
from django.core.management import call_command
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from rest_framework.test import APIClient
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.tests.schema_watch import document
from config.wsgi import application
from systemadmin.models import ApiToken
from systemadmin.tests.factories import StaffFactory, UserFactory

if "FUZZ_EXAMPLES" not in os.environ:
    pytest.skip("set FUZZ_EXAMPLES to run it", allow_module_level=True)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# Whoever is not the superuser takes turns: access differs, the code behind it does not.
STAFF = ("support_agent", "marketplace_moderator", "risk_analyst", "operator", "auditor", "member")
# An endless answer: its own tests read it.
ENDLESS = {"/api/messages/stream"}


def load_schema():
    schema = schemathesis.openapi.from_dict(document())
    schema.app = application
    return schema


schema = load_schema()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The demo world, for all cases; what a case does to it is rolled back."""
    with django_db_blocker.unblock(), override_settings(DEMO_MODE=True):
        call_command("seed_demo", "--once", verbosity=0)


class Cast:
    """One account for each role, signed in anew when a case has ended its token."""

    def __init__(self):
        self.people, self.tokens = {}, {}

    def account(self, role):
        if role == "member":
            return UserFactory()
        if role == "superuser":
            return StaffFactory(is_superuser=True)
        return StaffFactory(role=role)

    def header(self, role):
        secret, pk = self.tokens.get(role, (None, None))
        if secret is None or not ApiToken.objects.filter(pk=pk).exists():
            user = self.account(role)
            token, secret = ApiToken.objects.create(user=user, two_factor_at=user.date_joined)
            self.tokens[role] = secret, token.pk
        return f"Bearer {secret}"


@pytest.fixture
def cast(db):
    return Cast()


@pytest.fixture
def existing(cast):
    """`existing(path)`: keys of objects that the list above a path shows the superuser."""
    known = {}

    def look(path):
        above = path.partition("/{")[0]
        if above not in known:
            client = APIClient()
            client.credentials(HTTP_AUTHORIZATION=cast.header("superuser"))
            answer = client.get(above)
            body = answer.json() if answer.status_code == 200 else {}
            rows = body.get("results", []) if isinstance(body, dict) else body
            known[above] = [row["id"] for row in rows if isinstance(row, dict) and "id" in row]
        return known[above]

    return look


@pytest.fixture
def turn():
    return itertools.count()


@schema.parametrize()
@settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "1")),
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.django_db
def test_every_operation_keeps_to_the_schema(case, cast, existing, turn):
    path, number = case.path, next(turn)
    if path in ENDLESS:
        pytest.skip("endless")
    if number % 2 == 0 and case.path_parameters:
        name = next(iter(case.path_parameters))
        keys = existing(path)
        if keys:
            case.path_parameters[name] = keys[number // 2 % len(keys)]
    others = STAFF if "/admin/" in path else ("member",)
    for role in (others[number % len(others)], "superuser"):
        response = case.call(headers={"Authorization": cast.header(role)})
        case.validate_response(response, checks=CHECKS)
