"""The desk's cast and switches."""

import pytest

from messaging.tests.factories import send


@pytest.fixture(autouse=True)
def no_quotas(request, monkeypatch):
    """Most tests write more than two messages a minute; those about quotas ask for `quotas`."""
    if "quotas" not in request.fixturenames:
        monkeypatch.setattr("messaging.services.rules.windows_of", lambda tier: ())


@pytest.fixture
def quotas():
    """Quotas stay in force in this test."""


@pytest.fixture(autouse=True)
def private_files(settings, tmp_path):
    """Attachments of a test go away with it."""
    settings.STORAGES = {
        **settings.STORAGES,
        "private": {**settings.STORAGES["private"], "OPTIONS": {"location": str(tmp_path)}},
    }


@pytest.fixture
def marta(member, as_user):
    """Marta's client."""
    return as_user(member)


@pytest.fixture
def oscar(other_member, as_user):
    """Oscar's client."""
    return as_user(other_member)


@pytest.fixture
def letter(member, other_member):
    """A message from Oscar to Marta."""
    return send(other_member, member, "Hola Marta, ¿te interesa la lámpara?")
