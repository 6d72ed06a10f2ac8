"""Sign-in of staff by an identity provider, through the pages, against a provider over HTTP."""

import re
import time
from io import StringIO
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from systemadmin.models import Alert, ApiToken, AuditEntry, StaffIdentity, User, UserSession
from systemadmin.services import change_settings, staff_provider
from systemadmin.tests import oidc_server
from systemadmin.tests.factories import PASSWORD, StaffFactory, UserFactory, totp_code
from systemadmin.tests.factories import totp_device_for as device_for

pytestmark = pytest.mark.django_db
LOGIN, BEGIN = "/admin/login/", "/admin/login/provider/"
BACK = "/admin/login/provider/callback/"
SUBJECT = "ana-at-the-provider"


@pytest.fixture(scope="module")
def server():
    found = oidc_server.Provider()
    yield found
    found.close()


@pytest.fixture
def provider(server, settings, db):
    call_command("setup", verbosity=0)
    server.reset()
    settings.STAFF_OIDC_ISSUER = server.issuer
    settings.STAFF_OIDC_CLIENT_ID = oidc_server.CLIENT
    settings.STAFF_OIDC_CLIENT_SECRET = oidc_server.SECRET
    settings.STAFF_OIDC_LABEL = "Acme SSO"
    settings.OUTGOING_PRIVATE_HOSTS = ["127.0.0.1"]
    settings.PUBLIC_URL = "http://testserver"
    settings.REQUIRE_STAFF_2FA = False
    forget()
    yield server
    forget()


def forget():
    staff_provider.discovery.forget()
    staff_provider.provider_keys.document.forget()


@pytest.fixture
def ana(provider):
    ana = StaffFactory(username="ana", role="operator", email="ana@example.test")
    call_command("staff_identity", "link", "ana", SUBJECT, stdout=StringIO())
    return ana


@pytest.fixture
def browser():
    return Client()


def begin(browser, then=""):
    answer = browser.get(BEGIN, {"next": then} if then else {})
    assert answer.status_code == 302, answer.content.decode()
    return answer.url


def sign_in(browser, provider, then=""):
    return browser.get(BACK, provider.authorize(begin(browser, then)))


def is_in(browser):
    return browser.get("/admin/").status_code == 200


def refusal(answer):
    """Return the code that a refused sign-in shows to whoever asks for help."""
    assert answer.status_code in (400, 403, 503), answer.status_code
    return re.search(r"say this: (\w+)", answer.content.decode())[1]


# -- the right way -----------------------------------------------------------------------


def test_the_page_shows_the_button_beside_the_form(provider, browser):
    page = browser.get(LOGIN, {"next": "/admin/systemadmin/user/"}).content.decode()
    assert "Sign in with Acme SSO" in page
    assert 'href="/admin/login/provider/?next=%2Fadmin%2Fsystemadmin%2Fuser%2F"' in page
    assert 'name="password"' in page


def test_without_a_provider_there_is_no_button_and_no_way(browser, db):
    assert "provider" not in browser.get(LOGIN).content.decode()
    assert browser.get(BEGIN).status_code == browser.get(BACK).status_code == 404


def test_signing_in_and_out(ana, provider, browser):
    answer = sign_in(browser, provider, then="/admin/systemadmin/user/")
    assert answer.status_code == 302
    assert answer.url == "/admin/systemadmin/user/"
    assert is_in(browser)
    entry = AuditEntry.objects.get(action="systemadmin.login.succeeded")
    assert entry.actor == ana
    assert entry.metadata["by"] == "provider"
    assert StaffIdentity.objects.get().last_used_at is not None

    page = browser.post("/admin/logout/").content.decode()
    out = re.search(r'content="0; url=([^"]+)"', page)[1].replace("&amp;", "&")
    asked = dict(parse_qsl(urlsplit(out).query))
    assert out.startswith(f"{provider.issuer}/end?")
    assert asked["post_logout_redirect_uri"] == "http://testserver/admin/login/"
    assert jwt.decode(asked["id_token_hint"], options={"verify_signature": False})["sub"] == SUBJECT
    assert not is_in(browser)
    assert AuditEntry.objects.filter(action="systemadmin.logout", actor=ana).exists()


def test_signing_out_where_the_provider_offers_no_way(ana, provider, browser):
    provider.description = {"end_session_endpoint": None}
    sign_in(browser, provider)
    assert "http-equiv" not in browser.post("/admin/logout/").content.decode()
    assert not is_in(browser)


def test_a_local_session_signs_out_here_only(ana, browser):
    browser.post(LOGIN, {"username": "ana", "password": PASSWORD})
    assert is_in(browser)
    assert "http-equiv" not in browser.post("/admin/logout/").content.decode()


def test_any_process_takes_the_way_back(ana, provider, browser):
    """Nothing of a sign-in lies in the process that began it."""
    url = begin(browser)
    forget()
    assert browser.get(BACK, provider.authorize(url)).status_code == 302
    assert is_in(browser)


def test_the_session_of_whoever_used_the_browser_before_ends(ana, provider, browser):
    other = StaffFactory(username="bea", role="operator")
    browser.post(LOGIN, {"username": "bea", "password": PASSWORD})
    before = browser.session.session_key
    sign_in(browser, provider)
    assert browser.session.session_key != before
    assert str(ana.pk) == browser.session["_auth_user_id"]
    assert not UserSession.objects.filter(user=other).exists()


def test_the_session_ends_when_the_settings_say(ana, provider, browser, settings):
    settings.STAFF_OIDC_SESSION_MINUTES = 30
    sign_in(browser, provider)
    assert 1700 < browser.session.get_expiry_age() <= 1800


# -- second factor -----------------------------------------------------------------------


def test_a_second_factor_of_the_provider_counts_where_the_settings_name_it(
    ana, provider, browser, settings
):
    settings.REQUIRE_STAFF_2FA = True
    settings.STAFF_OIDC_AMR = ["otp", "hwk"]
    provider.claims |= {"amr": ["pwd", "otp"]}
    assert sign_in(browser, provider).url == "/admin/"
    assert is_in(browser)
    assert AuditEntry.objects.get(action="systemadmin.login.succeeded").metadata["two_factor"]
    # Once the provider is another one, its word counts no more.
    settings.STAFF_OIDC_ISSUER = "https://other.example.test"
    assert not is_in(browser)
    settings.STAFF_OIDC_ISSUER = ""
    assert not is_in(browser)


def test_a_class_of_sign_in_is_asked_for_and_counts(ana, provider, browser, settings):
    settings.REQUIRE_STAFF_2FA = True
    settings.STAFF_OIDC_ACR = ["urn:mfa"]
    url = begin(browser)
    assert dict(parse_qsl(urlsplit(url).query))["acr_values"] == "urn:mfa"
    provider.claims |= {"acr": "urn:mfa"}
    browser.get(BACK, provider.authorize(url))
    assert is_in(browser)


@pytest.mark.parametrize("said", [{}, {"amr": ["pwd"]}, {"acr": "1"}, {"amr": "otp"}, {"acr": []}])
def test_without_it_the_code_is_asked_for_here(ana, provider, browser, settings, said):
    settings.REQUIRE_STAFF_2FA = True
    settings.STAFF_OIDC_AMR, settings.STAFF_OIDC_ACR = ["otp"], ["urn:mfa"]
    device = device_for(ana)
    provider.claims |= said
    answer = sign_in(browser, provider, then="/admin/systemadmin/user/")
    if said == {"amr": "otp"}:  # a list by the standard: the token is refused whole
        assert refusal(answer) == "provider_answer"
        return
    assert answer.url.startswith("/admin/login/code/")
    assert not is_in(browser)
    done = browser.post(answer.url, {"otp_code": totp_code(device)})
    assert done.url == "/admin/systemadmin/user/"
    assert is_in(browser)


def test_nobody_is_in_before_an_app_is_set_up(ana, provider, browser, settings):
    settings.REQUIRE_STAFF_2FA = True
    assert sign_in(browser, provider).url == "/admin/second-factor/"
    assert not is_in(browser)


# -- groups and roles --------------------------------------------------------------------


@pytest.fixture
def mapped(provider, settings):
    settings.STAFF_OIDC_ROLES = {
        "staff-ops": "operator",
        "CN=risk,OU=staff": ["risk_analyst", "auditor"],
    }
    return settings


def roles_of(user):
    return sorted(user.groups.values_list("name", flat=True))


def test_groups_become_roles_at_each_sign_in(ana, provider, browser, mapped):
    provider.claims |= {"groups": ["CN=risk,OU=staff", "else", 7, None]}
    sign_in(browser, provider)
    assert roles_of(ana) == ["auditor", "risk_analyst"]
    entry = AuditEntry.objects.filter(action="systemadmin.user.rights_changed").latest("id")
    assert entry.before["roles"] == ["operator"]
    assert "identity provider" in entry.reason
    assert is_in(browser)
    # The same again changes nothing and ends nothing.
    second = Client()
    sign_in(second, provider)
    assert is_in(browser)
    assert is_in(second)
    assert AuditEntry.objects.filter(action="systemadmin.user.rights_changed").count() == 1


def test_a_group_taken_away_takes_the_role_and_ends_what_it_opened(ana, provider, mapped):
    provider.claims |= {"groups": ["staff-ops", "CN=risk,OU=staff"]}
    first, second = Client(), Client()
    sign_in(first, provider)
    ApiToken.objects.create(user=ana, two_factor_at=timezone.now())
    provider.claims |= {"groups": ["staff-ops"]}
    sign_in(second, provider)
    assert roles_of(ana) == ["operator"]
    assert not is_in(first)
    assert is_in(second)
    assert not ApiToken.objects.filter(user=ana).exists()


@pytest.mark.parametrize("groups", [[], None, ["nothing of ours"], {"staff-ops": 1}, 5])
def test_whose_groups_give_nothing_loses_the_roles_and_is_refused(
    ana, provider, browser, mapped, groups
):
    provider.claims |= {"groups": ["staff-ops"]}
    sign_in(browser, provider)
    provider.claims |= {"groups": groups}
    assert refusal(sign_in(Client(), provider)) == "no_role"
    assert roles_of(ana) == []
    assert not is_in(browser)


def test_roles_that_no_group_gives_stay(ana, provider, browser, mapped):
    ana.groups.add(Group.objects.create(name="our own"))
    provider.claims |= {"groups": "staff-ops"}
    sign_in(browser, provider)
    assert roles_of(ana) == ["operator", "our own"]


def test_a_list_that_is_too_long_to_send_changes_nothing(ana, provider, browser, mapped):
    provider.claims |= {"_claim_names": {"groups": "src1"}}
    assert refusal(sign_in(browser, provider)) == "groups_unreadable"
    assert roles_of(ana) == ["operator"]


def test_groups_may_come_nested_or_from_the_user_info(ana, provider, browser, mapped):
    mapped.STAFF_OIDC_GROUPS_CLAIM = "realm_access.roles"
    provider.claims |= {"realm_access": {"roles": ["CN=risk,OU=staff"]}}
    sign_in(browser, provider)
    assert roles_of(ana) == ["auditor", "risk_analyst"]
    mapped.STAFF_OIDC_GROUPS_CLAIM = "https://acme.example/groups"
    provider.userinfo = {"sub": SUBJECT, "https://acme.example/groups": ["staff-ops"]}
    sign_in(Client(), provider)
    assert roles_of(ana) == ["operator"]
    provider.userinfo |= {"sub": "somebody else"}
    assert refusal(sign_in(Client(), provider)) == "provider_answer"


def test_a_role_that_does_not_exist_gives_nothing(ana, provider, browser, mapped):
    mapped.STAFF_OIDC_ROLES = {"staff-ops": "no such role"}
    provider.claims |= {"groups": ["staff-ops"]}
    sign_in(browser, provider)
    assert roles_of(ana) == ["operator"]


# -- accounts ----------------------------------------------------------------------------


def test_nobody_is_let_in_without_an_account(provider, browser):
    StaffFactory(username="ana", role="operator", email="ana@example.test")
    provider.claims |= {"email": "ana@example.test", "email_verified": True}
    assert refusal(sign_in(browser, provider)) == "no_account"
    entry = AuditEntry.objects.get(action="systemadmin.login.refused")
    assert entry.metadata == {"why": "no_account", "by": "provider"}


def test_an_account_is_linked_by_a_verified_address_only(provider, browser, settings):
    settings.STAFF_OIDC_LINK_BY_EMAIL = True
    ana = StaffFactory(username="ana", role="operator", email="Ana@example.test")
    for verified in (False, None, "true", 1):
        provider.claims |= {"email": "ana@example.test", "email_verified": verified}
        assert refusal(sign_in(browser, provider)) == "no_account"
    provider.claims |= {"email_verified": True}
    assert sign_in(browser, provider).status_code == 302
    assert StaffIdentity.objects.get().user == ana
    assert AuditEntry.objects.filter(action="systemadmin.identity.linked", target_id=ana.pk)
    # From now on the subject counts, whatever address it has; another subject gains nothing.
    provider.claims |= {"email": "else@example.test", "email_verified": False}
    assert sign_in(Client(), provider).status_code == 302
    provider.claims |= {"sub": "else", "email": "ana@example.test", "email_verified": True}
    assert refusal(sign_in(Client(), provider)) == "no_account"


def test_no_superuser_member_or_doubtful_address_is_linked(provider, browser, settings):
    settings.STAFF_OIDC_LINK_BY_EMAIL = True
    provider.claims |= {"email": "x@example.test", "email_verified": True}
    member = UserFactory(email="x@example.test")
    assert refusal(sign_in(browser, provider)) == "no_account"
    StaffFactory(role="operator", email="X@example.test")
    assert refusal(sign_in(browser, provider)) == "no_account"
    member.delete()
    User.objects.update(is_superuser=True)
    assert refusal(sign_in(browser, provider)) == "no_account"


def test_an_account_is_made_where_groups_give_a_role(provider, browser, mapped):
    provider.claims |= {
        "groups": ["staff-ops"], "preferred_username": "ana<b>", "given_name": "Ana\u202eX",
        "family_name": "B", "email": "ana@example.test", "email_verified": True,
    }  # fmt: skip
    assert refusal(sign_in(browser, provider)) == "no_account"
    mapped.STAFF_OIDC_CREATE_ACCOUNTS = True
    UserFactory(username="ANAB")
    assert sign_in(browser, provider).status_code == 302
    made = StaffIdentity.objects.get().user
    assert made.username == "anab-2"
    assert made.email == "ana@example.test"
    assert made.is_staff
    assert not made.is_superuser
    assert not made.has_usable_password()
    assert roles_of(made) == ["operator"]
    assert is_in(browser)
    provider.claims |= {"sub": "another", "groups": ["nothing"]}
    assert refusal(sign_in(Client(), provider)) == "no_account"
    assert User.objects.filter(is_staff=True).count() == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"is_active": False}, "account_closed"),
        ({"is_staff": False}, "account_closed"),
        ({"is_demo": True}, "account_closed"),
        ({"suspended_at": timezone.now()}, "account_suspended"),
        ({"is_active": False, "email": "", "erased_at": timezone.now()}, "account_closed"),
    ],
)
def test_whose_account_is_closed_is_refused(ana, provider, browser, change, code):
    sign_in(browser, provider)
    assert is_in(browser)
    User.objects.filter(pk=ana.pk).update(**change)
    assert not is_in(browser)
    assert refusal(sign_in(Client(), provider)) == code
    entry = AuditEntry.objects.filter(action="systemadmin.login.refused").latest("id")
    assert entry.metadata["why"] == code


def test_an_erased_person_is_recognised_and_refused(ana, provider, mapped):
    from systemadmin.personal_data import _erase_identities

    mapped.STAFF_OIDC_CREATE_ACCOUNTS = True
    provider.claims |= {"groups": ["staff-ops"]}
    User.objects.filter(pk=ana.pk).update(is_active=False, email="", erased_at=timezone.now())
    assert _erase_identities(ana) == 1
    assert _erase_identities(ana) == 0
    assert SUBJECT not in StaffIdentity.objects.get().subject
    assert refusal(sign_in(Client(), provider)) == "account_closed"
    assert User.objects.filter(is_staff=True).count() == 1


def test_claims_that_the_place_requires(ana, provider, browser, settings):
    settings.STAFF_OIDC_REQUIRED_CLAIMS = {"hd": "example.test", "tid": ["a", "b"]}
    for said in ({}, {"hd": "example.test"}, {"hd": "example.test", "tid": "c"}, {"hd": True}):
        provider.claims = {"sub": SUBJECT, **said}
        assert refusal(sign_in(browser, provider)) == "claim_missing"
    provider.claims |= {"hd": "example.test", "tid": "b"}
    assert sign_in(browser, provider).status_code == 302


def test_the_command_links_lists_and_unlinks(ana, provider, browser):
    sign_in(browser, provider)
    out = StringIO()
    call_command("staff_identity", "list", stdout=out)
    assert out.getvalue().startswith(f"ana\t{SUBJECT}\t20")
    with pytest.raises(CommandError, match="connected already"):
        call_command("staff_identity", "link", "ana", "else")
    StaffFactory(username="bea", role="operator")
    with pytest.raises(CommandError, match="connected already"):
        call_command("staff_identity", "link", "bea", SUBJECT)
    UserFactory(username="member")
    with pytest.raises(CommandError, match="Only accounts of staff"):
        call_command("staff_identity", "link", "member", "x")
    call_command("staff_identity", "unlink", "ana", stdout=out)
    assert not is_in(browser)
    assert refusal(sign_in(Client(), provider)) == "no_account"
    with pytest.raises(CommandError, match="not connected"):
        call_command("staff_identity", "unlink", "ana")


# -- wrong answers -----------------------------------------------------------------------


def test_an_answer_belongs_to_the_browser_that_asked(ana, provider, browser):
    answer = provider.authorize(begin(browser))
    stranger = Client()
    assert refusal(stranger.get(BACK, answer)) == "sign_in_not_begun"
    begin(stranger)
    assert refusal(stranger.get(BACK, answer)) == "sign_in_not_begun"
    assert not is_in(stranger)


def test_an_answer_counts_once(ana, provider, browser):
    url = begin(browser)
    cookie = browser.cookies["atalaya-sign-in"].value
    answer = provider.authorize(url)
    assert browser.get(BACK, answer).status_code == 302
    again = Client()
    again.cookies["atalaya-sign-in"] = cookie
    asked = len(provider.calls)
    assert refusal(again.get(BACK, answer)) == "sign_in_not_begun"
    assert len(provider.calls) == asked  # the provider is not even asked
    assert not is_in(again)


def test_a_code_of_another_sign_in_is_worth_nothing(ana, provider, browser):
    """Code injection: PKCE ties the code to the browser that it was made for."""
    stolen = provider.authorize(begin(Client()))["code"]
    own = provider.authorize(begin(browser))
    assert refusal(browser.get(BACK, {**own, "code": stolen})) == "provider_answer"
    assert not is_in(browser)


@pytest.mark.ratelimited
def test_answers_are_counted_as_attempts_to_sign_in(ana, provider, browser):
    change_settings(actor=None, values={"ratelimit.login": "2/m"})
    found = [browser.get(BACK, {"code": "x", "state": "x"}).status_code for _n in range(4)]
    assert found == [400, 400, 429, 429]


@pytest.mark.parametrize("cookie", ["", "x", "é", "." * 5000, None])
def test_a_cookie_that_is_not_ours(ana, provider, browser, cookie):
    answer = provider.authorize(begin(browser))
    if cookie is None:
        del browser.cookies["atalaya-sign-in"]
    else:
        browser.cookies["atalaya-sign-in"] = cookie
    assert refusal(browser.get(BACK, answer)) == "sign_in_not_begun"


def test_a_sign_in_that_took_too_long(ana, provider, browser, monkeypatch):
    answer = provider.authorize(begin(browser))
    monkeypatch.setattr(staff_provider, "FLOW_SECONDS", -3600)
    assert refusal(browser.get(BACK, answer)) == "sign_in_not_begun"


def test_the_answer_of_another_provider(ana, provider, browser):
    answer = provider.authorize(begin(browser))
    refused = browser.get(BACK, {**answer, "iss": "https://evil.example.test"})
    assert refusal(refused) == "provider_answer"
    assert sign_in(browser, provider).status_code == 302
    # One that promises to name itself does so, always.
    provider.description = {"authorization_response_iss_parameter_supported": True}
    forget()
    assert refusal(sign_in(Client(), provider)) == "provider_answer"
    answer = provider.authorize(begin(browser))
    assert browser.get(BACK, {**answer, "iss": provider.issuer}).status_code == 302


def test_what_the_provider_denies(ana, provider, browser):
    state = provider.authorize(begin(browser))["state"]
    said = {"error": "access_denied", "error_description": "<script>x</script>", "state": state}
    answer = browser.get(BACK, said)
    assert refusal(answer) == "provider_denied"
    assert b"<script>x" not in answer.content
    begin(browser)
    assert refusal(browser.get(BACK, {"error": "x", "state": "é"})) == "sign_in_not_begun"


@pytest.mark.parametrize(
    "then",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)",
     "http:///evil.example", "/admin/%0d%0aX: y\r\nY: z", "/admin/" + "x" * 3000],
)  # fmt: skip
def test_the_way_back_leads_to_our_own_pages(ana, provider, browser, then):
    answer = sign_in(browser, provider, then)
    assert answer.url.startswith("/admin/")
    assert "evil" not in answer.url
    assert len(answer.url) < 1100


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "somebody else"}, {"aud": ["atalaya", "else"]},
        {"aud": ["atalaya", "else"], "azp": "else"}, {"azp": "else"}, {"nonce": "another"},
        {"iss": "https://evil.example.test"}, {"exp": 1}, {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000}, {"sub": ""}, {"sub": 7}, {"sub": "x" * 256}, {"sub": "a\nb"},
        {"sub": "é"}, {"exp": "soon"}, {"at_hash": "wrong"}, {"aud": 5}, {"exp": 1e400},
    ],
)  # fmt: skip
def test_a_token_with_wrong_claims(ana, provider, browser, claims):
    provider.claims |= claims
    assert refusal(sign_in(browser, provider)) == "provider_answer"
    assert not is_in(browser)


@pytest.mark.parametrize("missing", ["iss", "sub", "aud", "exp", "iat", "nonce"])
def test_a_token_without_a_claim(ana, provider, browser, missing):
    provider.remove = [missing]
    assert refusal(sign_in(browser, provider)) == "provider_answer"


def test_clocks_may_differ_by_a_minute(ana, provider, browser):
    now = int(time.time())
    provider.claims |= {"iat": now + 40, "exp": now - 40}
    assert sign_in(browser, provider).status_code == 302
    provider.claims |= {"iat": now - 900, "exp": now - 90}
    assert refusal(sign_in(Client(), provider)) == "provider_answer"


def test_a_token_that_others_signed_or_nobody(ana, provider, browser):
    provider.key = oidc_server.OTHER_KEY
    assert refusal(sign_in(browser, provider)) == "provider_answer"
    provider.kid = "unknown"
    assert refusal(sign_in(browser, provider)) == "provider_answer"
    provider.key, provider.kid, provider.algorithm = None, "one", "none"
    assert refusal(sign_in(browser, provider)) == "provider_answer"
    provider.key, provider.algorithm = oidc_server.SECRET * 3, "HS256"
    assert refusal(sign_in(browser, provider)) == "provider_answer"
    provider.key, provider.algorithm = oidc_server.KEY, "RS512"  # not among those accepted
    assert refusal(sign_in(browser, provider)) == "provider_answer"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((b"<html>", 200), "provider_answer"),
        ((b"[]", 200), "provider_answer"),
        ((b"[" * 100_000, 200), "provider_answer"),
        (({"access_token": "x", "token_type": "Bearer"}, 200), "provider_answer"),
        (({"id_token": ["x"], "token_type": "Bearer"}, 200), "provider_answer"),
        (({"id_token": "a.b.c"}, 200), "provider_answer"),
        (({"id_token": "é.é.é", "expires_in": "soon"}, 200), "provider_answer"),
        (({"error": "invalid_client"}, 401), "provider_answer"),
        ((b"gone", 404), "provider_unavailable"),
        ((b"down", 503), "provider_unavailable"),
        ((b" " * 400_000, 200), "provider_unavailable"),
    ],
)
def test_a_token_endpoint_that_answers_nonsense(ana, provider, browser, answer, code):
    provider.token_answer = answer
    assert refusal(sign_in(browser, provider)) == code
    assert not is_in(browser)


# -- a provider that is away -------------------------------------------------------------


def test_a_provider_that_is_away_leaves_the_other_way_in(ana, provider, browser, settings):
    settings.STAFF_OIDC_ISSUER = "http://127.0.0.1:1"
    forget()
    answer = browser.get(BEGIN)
    assert refusal(answer) == "provider_unavailable"
    assert answer["Retry-After"]
    browser.post(LOGIN, {"username": "ana", "password": PASSWORD})
    assert is_in(browser)


def test_a_slow_provider_does_not_hold_the_page(ana, provider, browser, monkeypatch):
    answer = provider.authorize(begin(browser))
    monkeypatch.setattr(staff_provider, "CALL_SECONDS", 0.2)
    monkeypatch.setattr(staff_provider.discovery, "fetch_seconds", 0.2)
    provider.delay = 1.0
    assert refusal(browser.get(BACK, answer)) == "provider_unavailable"
    forget()
    assert refusal(Client().get(BEGIN)) == "provider_unavailable"


@pytest.mark.parametrize(
    "description",
    [
        {"issuer": "https://evil.example.test"},
        {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": None},
        {"end_session_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": ["x"]},
        {"code_challenge_methods_supported": ["plain"]},
    ],
)
def test_a_description_that_cannot_be_right(provider, browser, description):
    provider.description = description
    forget()
    assert refusal(browser.get(BEGIN)) == "provider_unavailable"


def test_a_description_is_used_on_while_the_provider_is_away(
    ana, provider, browser, settings, monkeypatch
):
    begin(browser)
    monkeypatch.setattr(staff_provider.discovery, "fresh_seconds", 0.0)
    monkeypatch.setattr(staff_provider.discovery, "seconds_between_reads", 0.0)
    provider.description = {"issuer": "broken"}
    begin(browser)


def test_endpoints_inside_need_the_operators_word(ana, provider, browser, settings):
    settings.OUTGOING_PRIVATE_HOSTS = []
    assert refusal(browser.get(BEGIN)) == "provider_unavailable"


# -- without passwords -------------------------------------------------------------------


@pytest.fixture
def only_provider(provider, settings):
    settings.STAFF_LOCAL_SIGN_IN = False
    settings.STAFF_EMERGENCY_ACCOUNT = "glass"
    return settings


def test_passwords_of_staff_count_no_more(ana, only_provider, browser, api, as_user, settings):
    settings.STAFF_LOCAL_SIGN_IN = True
    browser.post(LOGIN, {"username": "ana", "password": PASSWORD})
    assert is_in(browser)
    bearer = as_user(ana)
    settings.STAFF_LOCAL_SIGN_IN = False
    assert not is_in(browser)
    assert bearer.get("/api/auth/me").status_code == 401
    page = browser.post(LOGIN, {"username": "ana", "password": PASSWORD})
    assert page.status_code == 200
    assert not is_in(browser)
    body = {"username": "ana", "password": PASSWORD}
    assert api.post("/api/auth/login", body).json()["code"] == "invalid_credentials"


def test_members_sign_in_as_before(only_provider, api):
    UserFactory(username="marta")
    body = {"username": "marta", "password": PASSWORD}
    assert api.post("/api/auth/login", body).status_code == 200


def test_the_emergency_account_signs_in_and_everybody_hears_of_it(only_provider, browser):
    glass = StaffFactory(username="glass", role="operator")
    page = browser.get(LOGIN).content.decode()
    assert "<summary>Emergency account</summary>" in page
    browser.post(LOGIN, {"username": "glass", "password": PASSWORD})
    assert is_in(browser)
    assert AuditEntry.objects.get(action="systemadmin.login.emergency").actor == glass
    assert Alert.objects.get(rule="sign_in.emergency").severity == "critical"


def test_where_passwords_count_it_is_an_account_as_others(provider, browser, settings):
    settings.STAFF_EMERGENCY_ACCOUNT = "glass"
    StaffFactory(username="glass", role="operator")
    browser.post(LOGIN, {"username": "glass", "password": PASSWORD})
    assert is_in(browser)
    assert not Alert.objects.filter(rule="sign_in.emergency").exists()


def test_the_page_of_refusal_speaks_spanish(provider, browser):
    browser.cookies["django_language"] = "es"
    assert b'lang="es"' in sign_in(browser, provider).content
