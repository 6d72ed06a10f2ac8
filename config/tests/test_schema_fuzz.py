"""schemathesis over the whole schema as each role: no 500, no answer outside the schema.

It takes far longer than all other tests together, so it runs when `FUZZ_EXAMPLES` (the
number of cases for each operation and role) is set, and is skipped otherwise.
"""

import os

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

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
ROLES = (
    "member",
    "support_agent",
    "marketplace_moderator",
    "risk_analyst",
    "operator",
    "auditor",
    "superuser",
)
# An endless answer: its own tests read it.
ENDLESS = {"/api/messages/stream"}


def load_schema():
    generated = SchemaGenerator().get_schema(public=True)
    schema = schemathesis.openapi.from_dict(generated)
    schema.app = application
    return schema


schema = load_schema()


@pytest.fixture
def token_of(db):
    def make(role):
        if role == "member":
            user = UserFactory()
        elif role == "superuser":
            user = StaffFactory(is_superuser=True)
        else:
            user = StaffFactory(role=role)
        _token, secret = ApiToken.objects.create(user=user, two_factor_at=user.date_joined)
        return secret

    return make


@schema.parametrize()
@settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "1")),
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.django_db
def test_every_operation_keeps_to_the_schema(case, token_of):
    if case.path in ENDLESS:
        pytest.skip("endless")
    for role in ROLES if "/admin/" in case.path else ("member", "superuser"):
        response = case.call(headers={"Authorization": f"Bearer {token_of(role)}"})
        case.validate_response(response, checks=CHECKS)
