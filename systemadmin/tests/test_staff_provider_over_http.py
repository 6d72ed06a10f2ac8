"""The sign-in by an identity provider as a stranger meets it: raw requests over real HTTP."""

import http.client
import re
from http.cookies import SimpleCookie
from io import StringIO
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.core.management import call_command

from systemadmin.services import staff_provider
from systemadmin.tests import oidc_server
from systemadmin.tests.factories import StaffFactory

pytestmark = pytest.mark.django_db(transaction=True)
BEGIN, BACK = "/admin/login/provider/", "/admin/login/provider/callback/"


@pytest.fixture
def provider(settings, live_server, transactional_db):
    call_command("setup", verbosity=0)
    found = oidc_server.Provider()
    settings.STAFF_OIDC_ISSUER = found.issuer
    settings.STAFF_OIDC_CLIENT_ID = oidc_server.CLIENT
    settings.STAFF_OIDC_CLIENT_SECRET = oidc_server.SECRET
    settings.OUTGOING_PRIVATE_HOSTS = ["127.0.0.1"]
    settings.PUBLIC_URL = "https://atalaya.example.test"
    settings.REQUIRE_STAFF_2FA = False
    settings.ALLOWED_HOSTS = ["*"]
    StaffFactory(username="ana", role="operator")
    call_command("staff_identity", "link", "ana", "ana-at-the-provider", stdout=StringIO())
    staff_provider.discovery.forget()
    staff_provider.provider_keys.document.forget()
    yield found
    found.close()
    staff_provider.discovery.forget()
    staff_provider.provider_keys.document.forget()


@pytest.fixture
def ask(live_server):
    """`ask(path)`: status, headers, cookies and body of one request, nothing followed."""

    def send(path, method="GET", cookies="", **headers):
        address = urlsplit(live_server.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        connection.request(method, path, headers={"Cookie": cookies, **headers})
        answer = connection.getresponse()
        body = answer.read().decode()
        jar = SimpleCookie()
        for value in answer.headers.get_all("Set-Cookie") or []:
            jar.load(value)
        connection.close()
        return answer.status, answer.headers, jar, body

    return send


def cookies_of(jar):
    return "; ".join(f"{name}={one.value}" for name, one in jar.items() if one.value)


def begin(ask, path=BEGIN, **headers):
    status, sent, jar, _body = ask(path, **headers)
    assert status == 302
    return sent["Location"], jar


def test_the_whole_way_and_every_replay_of_it(provider, ask):
    url, jar = begin(ask)
    back = f"{BACK}?{urlencode(provider.authorize(url))}"
    status, headers, session, _body = ask(back, cookies=cookies_of(jar))
    assert (status, headers["Location"]) == (302, "/admin/")
    assert "no-store" in headers["Cache-Control"]
    assert ask("/admin/", cookies=cookies_of(session))[0] == 200
    # The same link again, by the same browser, by another, and with the signed-in session.
    for cookies in (cookies_of(jar), "", cookies_of(session)):
        assert ask(back, cookies=cookies)[0] == 400
    assert provider.calls.count("/token") == 1


def test_the_cookie_tells_nothing_and_is_not_read_by_pages(provider, ask, settings):
    _url, jar = begin(ask)
    flow = jar["atalaya-sign-in"]
    assert flow["httponly"]
    assert flow["samesite"] == "Lax"
    assert len(flow.value) < 3500
    url, _again = begin(ask)
    state = dict(parse_qsl(urlsplit(url).query))["state"]
    assert state not in flow.value
    settings.SESSION_COOKIE_SECURE = True
    secure = begin(ask)[1]["__Host-atalaya-sign-in"]
    assert secure["secure"]
    assert (secure["path"], secure["domain"]) == ("/", "")
    # One bit of it changed, and it is none.
    broken = flow.value[:-2] + ("A" if flow.value[-2] != "A" else "B") + flow.value[-1]
    back = f"{BACK}?{urlencode(provider.authorize(url))}"
    assert ask(back, cookies=f"atalaya-sign-in={broken}")[0] == 400


def test_no_header_moves_the_way_back(provider, ask):
    forged = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Referer": "//evil"}
    url, _jar = begin(ask, f"{BEGIN}?next=https://evil.example/", **forged)
    assert "evil" not in url
    asked = dict(parse_qsl(urlsplit(url).query))
    assert asked["redirect_uri"] == "https://atalaya.example.test/admin/login/provider/callback/"


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_the_way_back_is_a_link_and_nothing_else(provider, ask, method):
    url, jar = begin(ask)
    back = f"{BACK}?{urlencode(provider.authorize(url))}"
    assert ask(back, method=method, cookies=cookies_of(jar))[0] in (403, 405)
    assert "/token" not in provider.calls


@pytest.mark.parametrize(
    "query",
    ["", "state", "code=x", "state=%00&code=%00", "state=%ff&code=%ff", "state[]=x&code[]=y",
     "error=x", "error=<script>&state=%3Cscript%3E", "code=" + "x" * 5000, "iss=x&state=y&code=z",
     "state=" + "%f0%9f%98%80" * 100, "id_token=a.b.c&access_token=x"],
)  # fmt: skip
def test_nonsense_is_refused_with_a_page(provider, ask, query):
    _url, jar = begin(ask)
    for cookies in ("", cookies_of(jar), "atalaya-sign-in=" + "A" * 200):
        status, headers, _jar, body = ask(f"{BACK}?{query}", cookies=cookies)
        assert status in (400, 403), query
        # What is no text is refused for every page, before it comes here.
        is_no_text = "%00" in query or "%ff" in query
        assert is_no_text or re.search(r"say this: \w+, \w+", body)
        assert "<script>" not in body
        assert "sessionid" not in str(headers)
    assert "/token" not in provider.calls


def test_of_two_states_none_is_chosen_for_the_attacker(provider, ask):
    url, jar = begin(ask)
    answer = provider.authorize(url)
    for query in (
        f"{urlencode(answer)}&state=other",
        f"state=other&code={answer['code']}",
    ):
        assert ask(f"{BACK}?{query}", cookies=cookies_of(jar))[0] == 400


def test_a_session_known_before_is_not_the_one_after(provider, ask):
    """Session fixation: what an attacker planted opens nothing."""
    url, jar = begin(ask)
    planted = "sessionid=" + "a" * 32
    back = f"{BACK}?{urlencode(provider.authorize(url))}"
    status, _headers, session, _body = ask(back, cookies=f"{cookies_of(jar)}; {planted}")
    assert status == 302
    assert session["sessionid"].value != "a" * 32
    assert ask("/admin/", cookies=planted)[0] == 302
