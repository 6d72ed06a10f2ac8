"""A small named cast with known rights, for the tests of every desk."""

import functools
import gc
import os
import shutil

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.utils import timezone, translation
from httpx._transports import default as httpx_default
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from rest_framework.test import APIClient

from systemadmin.foundation import configuration

if "CI" not in os.environ:  # with it Hypothesis chooses as much by itself
    hypothesis_settings.register_profile(
        "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    hypothesis_settings.load_profile("unhurried")

pytest_plugins = ["config.tests.browser", "config.tests.schema_watch", "config.tests.clients"]


# Each call of httpx reads the certificates of the machine anew, also for an address without TLS.
httpx_default.create_ssl_context = functools.cache(httpx_default.create_ssl_context)


def pytest_configure(config):
    """Give every parallel worker a Redis database of its own: clearing one empties it all."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    if django_settings.REDIS_URL and worker.isdigit():
        server, _slash, number = django_settings.REDIS_URL.rpartition("/")
        address = f"{server}/{int(number) + int(worker)}" if number.isdigit() else None
        if address:
            django_settings.CACHES["default"]["LOCATION"] = address


def pytest_collection_modifyitems(items):
    """Skip what needs a store or a browser that this run does not have."""
    postgres = "postgresql" in django_settings.DATABASES["default"]["ENGINE"]
    chromium = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    for name, available, reason in (
        ("postgres", postgres, "needs DATABASE_URL of a PostgreSQL"),
        ("own_sqlite", not postgres, "does not use PostgreSQL"),
        ("redis", bool(django_settings.REDIS_URL), "needs REDIS_URL"),
        ("browser", bool(chromium), "needs Chromium (apt-get install chromium)"),
        ("node", bool(shutil.which("npm")), "needs Node.js and npm"),
    ):
        if not available:
            for item in items:
                if name in item.keywords:
                    item.add_marker(pytest.mark.skip(reason=reason))
    for item in items:
        if is_pure(item):
            item.add_marker("pure")
    items[:] = long_ones_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def long_ones_first(items, workers):
    """Give each parallel worker an equal share of the long tests, to begin with.

    Each begins with an equal part of the list and takes from the others' ends when it is done. A
    long test at an end would be waited for by all of them.
    """
    if workers < 2:
        return items
    long = [item for item in items if item.get_closest_marker("slow")]
    rest = [item for item in items if not item.get_closest_marker("slow")]
    size = -(-len(items) // workers)
    ordered = []
    for number in range(workers):
        own = long[number::workers]
        fill = size - len(own)
        ordered += own + rest[:fill]
        rest = rest[fill:]
    return ordered + rest


# Fixtures of pytest-django that open the database, and modules whose tests start processes on it.
OPENS_DATABASE = {"db", "transactional_db", "django_db_setup", "_django_db_helper"}
STARTS_PROCESSES = {"subprocess", "multiprocessing", "live"}


def is_pure(item):
    """Whether a test asks nothing of a store: it says the same whichever is configured.

    The cache of a run without Redis lies in the database, so a test that is not allowed to open
    the database uses no cache either.
    """
    marks = {mark.name for mark in item.iter_markers()}
    return not (
        OPENS_DATABASE & set(getattr(item, "fixturenames", ()))
        or {"django_db", "postgres", "redis", "slow", "browser", "node", "own_sqlite"} & marks
        or STARTS_PROCESSES & set(vars(item.module))
    )


def pytest_collection_finish():
    """Freeze what is loaded by now: looking through it again and again took a sixth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix):
    """Begin with a migrated template instead of running every migration."""
    from systemadmin.tests.migrated import start_from_templates

    start_from_templates()


@pytest.fixture(autouse=True)
def fresh_process_state(request, settings, tmp_path):
    """No copy of stored settings and no private file leaks from one test to the next."""
    configuration.forget_stored_values()
    # A request in Spanish leaves its thread in Spanish.
    translation.activate(django_settings.LANGUAGE_CODE)
    settings.RATELIMIT_ENABLE = "ratelimited" in request.keywords
    # Tests act with one person, as such a place does; `two_people` are those of shipped defaults.
    single = configuration.declared_settings()["duties.single_person"]
    if "two_people" not in request.keywords:
        object.__setattr__(single, "default", True)
    yield
    object.__setattr__(single, "default", False)
    configuration.forget_stored_values()


@pytest.fixture
def api():
    """Return an anonymous API client."""
    return APIClient()


@pytest.fixture
def as_user():
    """`as_user(user)`: an API client with a real bearer token, second factor passed."""
    from systemadmin.models import ApiToken

    def sign_in(user, two_factor=True):
        moment = timezone.now() if two_factor else None
        _token, secret = ApiToken.objects.create(user=user, two_factor_at=moment)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        client.user = user
        return client

    return sign_in


@pytest.fixture
def member(db):
    """Marta, a member."""
    from systemadmin.tests.factories import UserFactory

    return UserFactory(username="marta", first_name="Marta")


@pytest.fixture
def other_member(db):
    """Oscar, a member who must never see what is Marta's."""
    from systemadmin.tests.factories import UserFactory

    return UserFactory(username="oscar", first_name="Oscar")


@pytest.fixture
def staff(db):
    """`staff("support_agent")`: an account with that role."""
    from systemadmin.tests.factories import StaffFactory

    def make(role, **kwargs):
        return StaffFactory(role=role, **kwargs)

    return make


@pytest.fixture
def superuser(db):
    """Root."""
    from systemadmin.tests.factories import StaffFactory

    return StaffFactory(username="root", is_superuser=True)


@pytest.fixture
def admin_client_for():
    """`admin_client_for(user)`: a browser session in the admin, second factor passed."""
    from django.test import Client
    from django_otp import DEVICE_ID_SESSION_KEY

    from systemadmin.tests.factories import totp_device_for

    def sign_in(user, two_factor=True):
        client = Client()
        client.force_login(user, backend="systemadmin.backends.AccountBackend")
        if two_factor:
            session = client.session
            session[DEVICE_ID_SESSION_KEY] = totp_device_for(user).persistent_id
            session.save()
        return client

    return sign_in


@pytest.fixture
def clear_cache(db):
    """Empty the cache before and after."""
    cache.clear()
    yield
    cache.clear()
