"""Tokens of the platform's own issuer: accepted as they are, for members, within their scopes."""

import base64
import json
import time
from datetime import timedelta

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.utils import timezone
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from rest_framework.test import APIClient

from systemadmin.foundation import remote_document
from systemadmin.foundation.outgoing_fetch import FetchFailed
from systemadmin.models import AccountErasure, User
from systemadmin.services import issuer_keys as keys_module
from systemadmin.services.issuer_keys import issuer_keys
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db
ISSUER, AUDIENCE = "https://id.example.test", "atalaya"
FIRST = rsa.generate_private_key(65537, 2048)
SECOND = rsa.generate_private_key(65537, 2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
MINE = "/api/tickets"


def public(key, kid, **more):
    algorithm = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
    return {**json.loads(algorithm.to_jwk(key.public_key())), "kid": kid, **more}


class Issuer:
    """A JWKS that can be changed, and how often it was read."""

    def __init__(self):
        self.keys = [public(FIRST, "one", alg="RS256"), public(CURVE, "curve")]
        self.reads, self.is_down = 0, False

    def fetch(self, url, **_limits):
        self.reads += 1
        if self.is_down:
            raise FetchFailed("down")
        return json.dumps({"keys": self.keys}).encode()


@pytest.fixture(autouse=True)
def issuer(settings, monkeypatch):
    settings.PLATFORM_ISSUER, settings.PLATFORM_AUDIENCE = ISSUER, AUDIENCE
    settings.PLATFORM_JWKS_URL = f"{ISSUER}/jwks"
    settings.PLATFORM_SCOPES = ["tickets:read", "tickets:write", "messages:read"]
    found = Issuer()
    monkeypatch.setattr(remote_document, "fetch", found.fetch)
    issuer_keys.document.forget()
    yield found
    issuer_keys.document.forget()


@pytest.fixture
def shopper(db):
    return UserFactory(username="shopper", external_id="u-1")


def token(key=FIRST, kid="one", algorithm="RS256", headers=None, **claims):
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "iat": now, "exp": now + 600}
    wanted = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return jwt.encode(wanted, key, algorithm, {"kid": kid, **(headers or {})})


def get(text, path=MINE, method="get", **more):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return getattr(client, method)(path, **more)


def code_of(text):
    answer = get(text)
    assert answer.status_code == 401, answer.content
    assert answer["WWW-Authenticate"] == "Bearer"
    return answer.json()["code"]


def test_a_good_token_is_the_member(shopper):
    assert get(token()).status_code == 200
    assert get(token(CURVE, "curve", "ES256")).status_code == 200
    assert get(token(aud=["other", AUDIENCE])).status_code == 200
    made = get(token(), method="post", data={"subject": "Hello", "body": "There"})
    assert made.status_code == 201, made.json()
    assert [row["id"] for row in get(token()).json()["results"]] == [made.json()["id"]]


def test_what_is_wrong_is_said(shopper):
    now = int(time.time())
    assert code_of(token(exp=now - 120, iat=now - 900)) == "token_expired"
    assert code_of(token(iat=now + 600, exp=now + 900)) == "token_not_yet"
    assert code_of(token(nbf=now + 600)) == "token_not_yet"
    assert code_of(token(aud="somebody else")) == "token_audience"
    assert code_of(token(iss="https://evil.example.test")) == "token_issuer"
    assert code_of(token(kid="nobody")) == "token_key_unknown"
    assert code_of(token(SECOND)) == "token_signature"
    assert code_of(token(exp=now + 10 * 86400)) == "token_too_long"
    for claim in ("exp", "iat", "aud", "sub", "iss"):
        assert code_of(token(**{claim: None})) in ("token_claims", "token_audience")
    assert code_of(token(sub="nobody")) == "member_unknown"
    # Within the clock's tolerance.
    assert get(token(exp=now - 30, iat=now - 900)).status_code == 200
    assert get(token(iat=now + 30)).status_code == 200


def b64(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def test_no_algorithm_and_no_secret_of_a_public_key(shopper):
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u-1", "iat": now, "exp": now + 600}
    for name in ("none", "None", "nOnE", "", None, 7, ["RS256"], "HS256", "RS512", "ES256K"):
        bare = f"{b64({'alg': name, 'kid': 'one'})}.{b64(claims)}."
        assert code_of(bare) in ("token_algorithm", "token_malformed"), name
    import hashlib
    import hmac

    pem = FIRST.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = f"{b64({'alg': 'HS256', 'kid': 'one'})}.{b64(claims)}"
    forged = f"{head}.{b64(hmac.digest(pem, head.encode(), hashlib.sha256))}"
    assert code_of(forged) == "token_algorithm"
    # A key of one kind, an algorithm of another.
    assert code_of(token(CURVE, "one", "ES256")) == "token_key_unknown"
    assert code_of(token(FIRST, "curve", "RS256")) == "token_key_unknown"


@pytest.mark.parametrize(
    "kid", ["../../etc/passwd", "https://evil.example.test/k", "' OR 1=1", "x" * 201, "one\x00"]
)
def test_a_kid_is_a_name_and_nothing_else(shopper, issuer, kid):
    assert code_of(token(kid=kid)) == "token_key_unknown"
    assert issuer.reads <= 1


def test_what_the_token_brings_along_counts_nowhere(shopper, issuer):
    evil = public(SECOND, "evil")
    for headers in ({"jwk": evil}, {"jku": "https://evil.example.test"}, {"x5u": "https://e.test"}):
        assert code_of(token(SECOND, "one", headers=headers)) == "token_signature"
    assert code_of(token(headers={"crit": ["exp"]})) == "token_malformed"
    assert code_of(token(headers={"typ": "logout+jwt"})) == "token_malformed"


def test_nonsense_costs_an_answer_and_no_failure(shopper):
    deep = "[" * 5000 + "]" * 5000
    for wrong in ("a.b.c", "..", "e30.e30.e30", f"{b64(deep.encode())}.e30.x", "é.é.é"):
        assert get(wrong).status_code == 401, wrong[:40]
    assert get(token(junk="x" * 9000)).json()["code"] == "malformed_token"
    for name, value in (("exp", "soon"), ("iat", "x"), ("exp", 1e400), ("aud", 7), ("sub", ["u-1"]),
                        ("sub", ""), ("sub", "a\nb"), ("exp", True)):  # fmt: skip
        assert get(token(**{name: value})).status_code == 401, (name, value)


def test_a_new_key_is_found_and_an_old_one_gone(shopper, issuer, monkeypatch):
    assert get(token()).status_code == 200
    issuer.keys = [public(SECOND, "two")]
    assert code_of(token(SECOND, "two")) == "token_key_unknown"
    monkeypatch.setattr(issuer_keys.document, "seconds_between_reads", 0.0)
    assert get(token(SECOND, "two")).status_code == 200
    assert code_of(token()) == "token_key_unknown"


def test_unknown_keys_do_not_make_us_ask_again_and_again(shopper, issuer):
    for number in range(20):
        code_of(token(kid=f"k{number}"))
    assert issuer.reads == 1


def test_an_issuer_that_is_away_does_not_sign_members_out(shopper, issuer, monkeypatch):
    assert get(token()).status_code == 200
    issuer.is_down = True
    monkeypatch.setattr(issuer_keys.document, "seconds_between_reads", 0.0)
    monkeypatch.setattr(issuer_keys.document, "fresh_seconds", -1.0)
    assert get(token()).status_code == 200
    monkeypatch.setattr(issuer_keys.document, "usable_seconds", -1.0)
    answer = get(token())
    assert answer.status_code == 503
    assert answer.json()["code"] == "issuer_unavailable"


def test_a_list_of_keys_is_read_strictly():
    good = public(FIRST, "one")
    odd = [{}, 7, {"kid": "x"}, {"kid": "s", "kty": "oct", "k": "AAAA"}, {**good, "kid": 7},
           {**good, "kid": "enc", "use": "enc"}, {"kid": "b", "kty": "RSA", "n": "!", "e": "AQAB"},
           {"kid": "c", "kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"}]  # fmt: skip
    assert set(keys_module.read_keys(json.dumps({"keys": [*odd, good]}).encode())) == {"one"}
    for wrong in (b"", b"[]", b"{}", b'{"keys": {}}', b"<html>"):
        with pytest.raises(ValueError):
            keys_module.read_keys(wrong)


def test_a_token_reaches_its_scopes_and_no_further(shopper, settings):
    assert get(token(), "/api/messages/conversations").status_code == 200
    assert get(token(), "/api/orders").json()["code"] == "insufficient_scope"
    narrow = token(scope="openid tickets:read")
    assert get(narrow).status_code == 200
    refused = get(narrow, method="post", data={"subject": "x", "body": "y"})
    assert refused.status_code == 403
    assert refused.json()["scope"] == "tickets:write"
    wide = token(scope="orders:read tickets:read")
    assert get(wide, "/api/orders").status_code == 403
    for path in ("/api/auth/me", "/api/auth/sessions", "/api/admin/users", "/api/admin/audit"):
        assert get(token(), path).json()["code"] == "insufficient_scope", path
    assert get(token(), "/api/auth/logout-all", "post").status_code == 403


def test_nobody_is_staff_by_a_token(settings):
    for account in (
        StaffFactory(external_id="s-1"),
        UserFactory(external_id="s-2", is_superuser=True),
    ):
        answer = get(token(sub=account.external_id))
        assert answer.status_code == 403
        assert answer.json()["code"] == "act_for_members_only"


def test_a_closed_or_suspended_account(shopper, superuser, settings):
    from systemadmin.services.users import suspend_user

    suspend_user(actor=superuser, user=shopper, reason="Test")
    assert get(token()).status_code == 200
    settings.PLATFORM_SCOPES = ["messages:write"]
    answer = get(token(), "/api/messages", "post", data={"recipient": 7, "body": "y"})
    assert answer.json()["code"] == "account_suspended"
    User.objects.filter(pk=shopper.pk).update(is_active=False)
    answer = get(token(), "/api/messages", "post", data={"recipient": 7, "body": "y"})
    assert answer.status_code == 401


def test_members_are_made_on_first_sight_where_it_is_asked_for(settings):
    settings.PLATFORM_CREATE_MEMBERS = True
    claims = {"given_name": "Ana", "email": "ana@example.test"}
    assert get(token(sub="new", **claims)).status_code == 200
    member = User.objects.get(external_id="new")
    # An address that the issuer has not checked may be somebody else's.
    assert (member.first_name, member.email, member.is_staff) == ("Ana", "", False)
    assert get(token(sub="odd", given_name="a\nb", email_verified=True)).status_code == 200
    assert User.objects.filter(external_id="new").count() == 1


def test_a_token_from_before_an_erasure_does_not_bring_the_member_back(superuser, settings):
    from systemadmin.services.erasure import erase_account

    settings.PLATFORM_CREATE_MEMBERS = True
    before = token(sub="gone", iat=int(time.time()) - 120)
    assert get(before).status_code == 200
    erase_account(actor=superuser, user=User.objects.get(external_id="gone"), reason="Asked for it")
    refused = get(before)
    assert refused.status_code == 401
    assert refused.json()["code"] == "member_erased"
    assert not User.objects.filter(external_id="gone").exists()
    # Later the platform may sign the same person up again.
    AccountErasure.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert get(token(sub="gone")).status_code == 200


def test_a_misspelled_scope_gives_nothing_and_foreign_ones_do_not_count(shopper):
    assert get(token(scope="openid profile")).status_code == 200
    assert get(token(scope="openid tickets:raed")).status_code == 403


def test_a_list_of_scopes_narrows_as_their_text_does(shopper, settings):
    narrow = token(scope=["tickets:read"])
    assert get(narrow).status_code == 200
    refused = get(narrow, method="post", data={"subject": "x", "body": "y"})
    assert refused.status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": {"tickets": "read"}},
        {"scope": [1]},
        {"exp": 60},
        {"iat": 0},
    ],
)
def test_a_claim_of_another_kind_is_a_401(shopper, wrong):
    now = int(time.time())
    # Moments as texts, so many seconds from now.
    wrong = {
        name: str(now + value) if isinstance(value, int) else value for name, value in wrong.items()
    }
    answer = get(token(**wrong))
    assert (answer.status_code, answer.json()["code"]) == (401, "token_claims")


def test_without_an_issuer_no_token_is_accepted(shopper, settings):
    settings.PLATFORM_ISSUER = ""
    assert get(token()).status_code == 401


def test_a_dangerous_setting_is_named(settings):
    from systemadmin.checks import check_platform_issuer

    assert check_platform_issuer() == []
    settings.PLATFORM_AUDIENCE = ""
    settings.PLATFORM_ALGORITHMS = ["HS256", "none"]
    settings.PLATFORM_CLOCK_SKEW = 9999
    settings.PLATFORM_SCOPES = ["auth:write"]
    assert [one.id for one in check_platform_issuer()] == [
        f"atalaya.E02{number}" for number in range(4)
    ]
