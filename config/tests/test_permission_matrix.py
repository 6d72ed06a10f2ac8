"""Every route x everyone: granted where the desk's matrix says so, refused elsewhere.

Each app's `tests/matrix*.py` lists its routes with who may call them. "Refused" is 401
for the anonymous and 403 for others; "granted" is any answer that access control did
not give: without a real object behind the path most of them are 404 or 400.
"""

from importlib import import_module
from pathlib import Path

import pytest
from django.conf import settings

from config.tests.routes import api_routes, normal

ROLES = (
    "support_agent",
    "marketplace_moderator",
    "risk_analyst",
    "operator",
    "auditor",
)
EVERYONE = ("anonymous", "member", *ROLES, "superuser")


def declared_matrix():
    table = {}
    for app in settings.ATALAYA_APPS:
        for path in sorted((Path(settings.BASE_DIR) / app / "tests").glob("matrix*.py")):
            module = import_module(f"{app}.tests.{path.stem}")
            table.update(module.MATRIX)
    return table


ROUTES = sorted({(method, path) for method, path, _view, _action in api_routes()})
MATRIX = {
    (key.split(" ", 1)[0], normal(key.split(" ", 1)[1])): set(who)
    for key, who in declared_matrix().items()
}


def test_the_matrix_names_every_route_and_no_other():
    routes = {(method, normal(path)) for method, path in ROUTES}
    assert sorted(routes - set(MATRIX)) == [], "routes without a row in the matrix"
    assert sorted(set(MATRIX) - routes) == [], "rows without a route"


@pytest.fixture
def cast(db, api, as_user, member, staff, superuser):
    people = {"anonymous": api, "member": as_user(member), "superuser": as_user(superuser)}
    people.update({role: as_user(staff(role)) for role in ROLES})
    return people


def concrete(path):
    return "/".join("999999999" if part.startswith("{") else part for part in path.split("/"))


def refused_by_access(response):
    if response.status_code == 401:
        return True
    codes = ("permission_denied", "permission_not_declared", "two_factor_required")
    return response.status_code == 403 and response.json().get("code") in codes


@pytest.mark.same_on_both
@pytest.mark.parametrize(("method", "path"), ROUTES, ids=[f"{m} {p}" for m, p in ROUTES])
def test_granted_and_refused(cast, method, path):
    allowed = MATRIX[(method, normal(path))]
    url = concrete(path)
    wrong = []
    for who in EVERYONE:
        response = getattr(cast[who], method.lower())(url, {}, format="json")
        granted = not refused_by_access(response)
        assert response.status_code != 500, f"{who}: {method} {url}"
        expected = who in allowed or who == "superuser"
        if who == "superuser" and allowed == {"anonymous"}:
            continue
        if granted != expected:
            wrong.append(f"{who}: {'granted' if granted else 'refused'} ({response.status_code})")
    assert wrong == []


def test_staff_without_second_factor_is_refused(db, settings, as_user, staff):
    settings.REQUIRE_STAFF_2FA = True
    clients = {role: as_user(staff(role), two_factor=False) for role in ROLES}
    for method, path in ROUTES:
        allowed = MATRIX[(method, normal(path))]
        if "member" in allowed or not path.startswith("/api/admin/"):
            continue
        for role in sorted(allowed & set(ROLES)):
            response = getattr(clients[role], method.lower())(concrete(path), {}, format="json")
            assert response.status_code == 403, f"{role}: {method} {path}"
            assert response.json()["code"] == "two_factor_required"


@pytest.mark.same_on_both
@pytest.mark.parametrize("path", sorted({path for _method, path in ROUTES}))
def test_no_route_can_be_asked_for_its_inside(cast, path):
    """OPTIONS would run code of a view that has no object; the schema says what there is."""
    for who in ("anonymous", "member", "superuser"):
        response = cast[who].options(concrete(path))
        assert response.status_code in (401, 403, 404, 405), f"{who}: {response.status_code}"
