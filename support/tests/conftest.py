"""The desk's own people: an agent and their client."""

import pytest

from support.tests.factories import make_agent


@pytest.fixture
def agent(db):
    """Ada, a support agent."""
    return make_agent(username="ada", first_name="Ada")


@pytest.fixture
def desk(agent, as_user):
    """Ada's API client."""
    return as_user(agent)


@pytest.fixture
def mine(member, as_user):
    """Marta's API client."""
    return as_user(member)
