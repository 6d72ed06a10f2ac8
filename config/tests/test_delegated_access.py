"""Keys, acting for members, tokens for their apps and tokens of the platform, over every route.

None reaches beyond its scopes, none reaches the staff's side, none acts for staff.
"""

import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.utils import timezone
from jwt.algorithms import RSAAlgorithm
from rest_framework.test import APIClient

from config.tests.routes import api_routes
from config.tests.test_permission_matrix import concrete
from riskops.models import RelatedAccount
from systemadmin.foundation import remote_document
from systemadmin.foundation.api import MEMBER, PUBLIC
from systemadmin.foundation.scopes import known_scopes, scope_of
from systemadmin.models import ApiToken, AuditEntry, User
from systemadmin.services.issuer_keys import issuer_keys
from systemadmin.services.service_keys import create_service_key, revoke_service_key
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db
SIGNING = rsa.generate_private_key(65537, 2048)
ISSUER = "https://id.example.test"
ACT, ISSUE = "systemadmin.act_for_member", "systemadmin.issue_member_token"
MANAGE = "systemadmin.manage_members"
REFUSALS = {"insufficient_scope", "act_for_required", "permission_denied", "act_for_refused"}


def client_of(token, **headers):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}", **headers)
    return client


@pytest.fixture
def owner(db, superuser):
    call_command("setup", verbosity=0)
    return superuser


@pytest.fixture
def shopper(owner):
    return UserFactory(username="shopper", external_id="u-1")


@pytest.fixture
def key(owner):
    """`key(permissions, scopes)`: the secret of a new key."""

    def make(*permissions, scopes=()):
        number = User.objects.filter(is_service=True).count()
        return create_service_key(
            actor=owner, name=f"k{number}", permissions=permissions, member_scopes=scopes
        )

    return make


@pytest.fixture
def platform_token(settings, monkeypatch):
    """`platform_token(scopes)`: a token of the issuer for the shopper."""
    settings.PLATFORM_ISSUER, settings.PLATFORM_AUDIENCE = ISSUER, "atalaya"
    settings.PLATFORM_JWKS_URL = f"{ISSUER}/jwks"
    row = {**json.loads(RSAAlgorithm.to_jwk(SIGNING.public_key())), "kid": "one"}
    body = json.dumps({"keys": [row]}).encode()
    monkeypatch.setattr(remote_document, "fetch", lambda *_args, **_limits: body)
    issuer_keys.document.forget()

    def make(scopes):
        settings.PLATFORM_SCOPES = list(scopes)
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": "atalaya", "sub": "u-1", "iat": now, "exp": now + 600}
        return jwt.encode(claims, SIGNING, "RS256", {"kid": "one"})

    yield make
    issuer_keys.document.forget()


def member_token(key, held, member="ext:u-1", **values):
    issued = key(ISSUE, scopes=held)
    body = {"member": member, "scopes": list(held), **values}
    return client_of(issued.secret).post("/api/admin/member-tokens", body, format="json"), issued


def test_there_is_a_scope_for_each_part_of_the_members_side():
    assert {"tickets:read", "tickets:write", "messages:write", "orders:read", "products:write"} <= (
        set(known_scopes())
    )
    assert not [one for one in known_scopes() if one.startswith(("auth", "admin"))]


def reached(client, method, path):
    response = getattr(client, method.lower())(concrete(path), {}, format="json")
    assert response.status_code != 500, f"{method} {path}"
    if response.status_code == 401:
        return False
    return not (response.status_code == 403 and response.json().get("code") in REFUSALS)


@pytest.mark.same_on_both
@pytest.mark.parametrize("how", ["act_for", "member_token", "platform_token"])
@pytest.mark.parametrize("scopes", ["all", "none", "tickets:read"])
def test_every_route(how, scopes, key, shopper, platform_token):
    given = {"all": known_scopes(), "none": ()}.get(scopes, (scopes,))
    if how == "act_for":
        client = client_of(key(ACT, MANAGE, scopes=given).secret, HTTP_ACT_FOR="ext:u-1")
    elif how == "platform_token":
        client = client_of(platform_token(given))
    else:
        answer, _issued = member_token(key, given or ("tickets:read",))
        token = answer.json()["token"]
        if not given:
            ApiToken.objects.filter(user=shopper).update(scopes=[])
        client = client_of(token)
    wrong, seen = [], 0
    for method, path, view, action in sorted(api_routes(), key=lambda one: one[:2]):
        required = view.access.get(action, view.access.get("default"))
        if required is PUBLIC:
            continue
        needed = scope_of(method, path)
        expected = required is MEMBER and needed is not None and needed in given
        seen += expected
        if reached(client, method, path) != expected:
            wrong.append(f"{method} {path}")
    assert wrong == []
    assert bool(seen) == bool(given)


def test_a_key_by_itself_reaches_what_it_was_given_and_nothing_of_members(key, shopper):
    client = client_of(key(MANAGE, scopes=known_scopes()).secret)
    wrong = []
    for method, path, view, action in sorted(api_routes(), key=lambda one: one[:2]):
        required = view.access.get(action, view.access.get("default"))
        if required is PUBLIC:
            continue
        expected = required == MANAGE or (method, path) == ("GET", "/api/auth/me")
        if reached(client, method, path) != expected:
            wrong.append(f"{method} {path}")
    assert wrong == []


# -- acting for a member ----------------------------------------------------------------


def test_what_is_done_for_a_member_is_theirs_and_audited_as_both(key, shopper, owner):
    issued = key(ACT, scopes=["tickets:read", "tickets:write"])
    client = client_of(issued.secret, HTTP_ACT_FOR="ext:u-1")
    made = client.post("/api/tickets", {"subject": "Lost", "body": "Where is it?"})
    assert made.status_code == 201, made.json()
    entry = AuditEntry.objects.filter(actor=shopper).latest("pk")
    assert entry.metadata["service"] == issued.key.account.username
    assert entry.metadata["service_owner"] == owner.username
    assert entry.metadata["acted_for"] == shopper.pk
    by_number = client_of(issued.secret, HTTP_ACT_FOR=str(shopper.pk)).get("/api/tickets")
    assert [row["id"] for row in by_number.json()["results"]] == [made.json()["id"]]


def test_whom_nobody_acts_for(key, shopper, owner, settings):
    secret = key(ACT, scopes=known_scopes()).secret
    colleague = StaffFactory(external_id="s-1")
    service = UserFactory(external_id="s-2")
    service.user_permissions.add(Permission.objects.get(codename="erase_account"))
    other_key = key(ACT).key.account
    for name in ("ext:s-1", "ext:s-2", str(owner.pk), str(other_key.pk), str(colleague.pk)):
        answer = client_of(secret, HTTP_ACT_FOR=name).get("/api/tickets")
        assert answer.status_code == 403, name
        assert answer.json()["code"] == "act_for_members_only"
    UserFactory(external_id="gone", is_active=False)
    for name in ("ext:nobody", "ext:gone", "ext:", "0", "-1", "me", "", "ext:u-1,ext:u-1", "%ff"):
        answer = client_of(secret, HTTP_ACT_FOR=name).get("/api/tickets")
        assert answer.status_code == 400, name
        assert answer.json()["errors"][0]["field"] == "Act-For"


def test_a_name_in_the_header_is_percent_encoded(key, owner):
    UserFactory(external_id="ñandú 7")
    secret = key(ACT, scopes=["tickets:read"]).secret
    client = client_of(secret, HTTP_ACT_FOR="ext:%C3%B1and%C3%BA%207")
    assert client.get("/api/tickets").status_code == 200


def test_the_permission_is_needed_and_only_a_key_acts(key, shopper, as_user, owner, member):
    without = client_of(key(scopes=known_scopes()).secret, HTTP_ACT_FOR="ext:u-1")
    assert without.get("/api/tickets").json()["code"] == "act_for_refused"
    for person in (owner, member):
        answer = as_user(person).get("/api/tickets", HTTP_ACT_FOR="ext:u-1")
        assert answer.status_code == 403
        assert answer.json()["code"] == "act_for_refused"
    assert APIClient().get("/api/faqs", HTTP_ACT_FOR="ext:u-1").status_code == 403


def test_a_token_of_one_member_names_no_other(key, shopper, platform_token):
    UserFactory(external_id="u-2")
    answer, _issued = member_token(key, ["tickets:read"])
    for token in (answer.json()["token"], platform_token(["tickets:read"])):
        assert client_of(token).get("/api/tickets").status_code == 200
        for named in ("ext:u-2", "ext:u-1"):
            refused = client_of(token, HTTP_ACT_FOR=named).get("/api/tickets")
            assert (refused.status_code, refused.json()["code"]) == (403, "act_for_refused")


def test_nobody_acts_by_a_key_for_an_account_of_their_own(key, owner, shopper):
    low, high = sorted((owner.pk, shopper.pk))
    RelatedAccount.objects.create(
        low_id=low, high_id=high, status="confirmed", decided_at=timezone.now()
    )
    client = client_of(key(ACT, scopes=known_scopes()).secret, HTTP_ACT_FOR="ext:u-1")
    assert client.get("/api/tickets").json()["code"] == "own_interest"
    answer, _issued = member_token(key, ["tickets:read"])
    assert answer.json()["code"] == "own_interest"
    put = client_of(key(MANAGE).secret).put(
        "/api/admin/members/u-1", {"verified_at": "2024-01-01T00:00:00Z"}, format="json"
    )
    assert put.json()["errors"][0]["code"] == "own_interest"


# -- tokens for a member's own app ------------------------------------------------------


def test_a_token_has_no_more_than_its_key_and_some_minutes(key, shopper):
    for wrong in (
        {"scopes": []},
        {"scopes": ["orders:read"]},
        {"minutes": 0},
        {"minutes": 61},
        {"member": "ext:nobody"},
    ):
        answer, _issued = member_token(key, ["tickets:read"], **wrong)
        assert answer.status_code == 400, wrong
        assert answer.json()["errors"][0]["field"] == next(iter(wrong))
    StaffFactory(external_id="s-1")
    answer, _issued = member_token(key, ["tickets:read"], member="ext:s-1")
    assert answer.json()["code"] == "act_for_members_only"


def test_a_token_ends_with_its_time_its_key_and_its_sessions(key, shopper, owner, as_user):
    def fresh():
        answer, issued = member_token(key, ["tickets:read"])
        assert answer.status_code == 201, answer.json()
        assert answer.json()["token"].startswith("atm_")
        return client_of(answer.json()["token"]), issued

    client, issued = fresh()
    assert client.get("/api/tickets").status_code == 200
    revoke_service_key(actor=owner, key=issued.key, reason="Leaked")
    assert client.get("/api/tickets").json()["code"] == "key_revoked"
    client, _issued = fresh()
    ApiToken.objects.filter(scopes__isnull=False).update(expiry=timezone.now())
    assert client.get("/api/tickets").status_code == 401
    client, _issued = fresh()
    as_user(shopper).post("/api/auth/logout-all")
    assert client.get("/api/tickets").status_code == 401


def test_a_member_who_became_staff_has_no_use_of_an_old_token(key, shopper):
    answer, _issued = member_token(key, ["tickets:read"])
    User.objects.filter(pk=shopper.pk).update(is_staff=True)
    refused = client_of(answer.json()["token"]).get("/api/tickets")
    assert refused.json()["code"] == "act_for_members_only"


def test_people_make_no_tokens_for_members(as_user, owner, shopper):
    body = {"member": "ext:u-1", "scopes": ["tickets:read"]}
    answer = as_user(owner).post("/api/admin/member-tokens", body, format="json")
    assert answer.json()["code"] == "only_services_issue_tokens"


def test_an_app_that_asks_again_and_again_loses_its_oldest(key, shopper):
    issued = key(ISSUE, scopes=["tickets:read"])
    body = {"member": "ext:u-1", "scopes": ["tickets:read"]}
    for _ in range(23):
        client_of(issued.secret).post("/api/admin/member-tokens", body, format="json")
    assert ApiToken.objects.filter(user=shopper).count() == 20
