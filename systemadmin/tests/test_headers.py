"""Security headers, as they are sent."""

import pytest
from csp.constants import NONCE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.decorators import csp_exempt, csp_replace, csp_update
from csp.exceptions import CSPNonceError
from csp.middleware import CSPMiddleware
from django.http import HttpResponse
from django.test import RequestFactory

from systemadmin.foundation.headers import (
    API_DOCS_CSP,
    CONTENT_SECURITY_POLICY,
    PolicyMiddleware,
    SecurityHeadersMiddleware,
)


def parse_policy(header):
    directives = [part.strip().split() for part in header.split(";") if part.strip()]
    assert len({words[0] for words in directives}) == len(directives), "no directive twice"
    return {words[0]: words[1:] for words in directives}


def emitted(view=lambda request: HttpResponse(), middleware=PolicyMiddleware):
    request = RequestFactory().get("/")
    return middleware(view)(request).headers["Content-Security-Policy"]


@pytest.fixture(autouse=True)
def policy(settings):
    settings.CONTENT_SECURITY_POLICY = CONTENT_SECURITY_POLICY


def test_every_directive_that_is_written_is_sent():
    sent = parse_policy(emitted())
    assert set(sent) == set(CONTENT_SECURITY_POLICY["DIRECTIVES"])


def test_the_policy_allows_only_ourselves():
    sent = parse_policy(emitted())
    assert sent["default-src"] == ["'none'"]
    assert sent["frame-ancestors"] == sent["base-uri"] == sent["object-src"] == ["'none'"]
    assert sent["script-src"] == sent["style-src"] == sent["form-action"] == ["'self'"]
    words = {word for values in sent.values() for word in values}
    assert words == {"'self'", "'none'"}
    assert not words & {UNSAFE_INLINE, UNSAFE_EVAL, "*"}


def test_the_docs_page_may_a_little_more_and_no_script():
    sent = parse_policy(emitted(csp_update(API_DOCS_CSP)(lambda request: HttpResponse())))
    assert sent["img-src"] == ["'self'", "data:"]
    assert sent["style-src"][1].startswith("'sha256-")
    assert sent["script-src"] == ["'self'"]


@csp_exempt()
def exempt(request):
    return HttpResponse()


@csp_replace({"img-src": ["'none'"]})
def replaced(request):
    return HttpResponse()


def with_a_nonce(request):
    assert str(request.csp_nonce)
    return HttpResponse()


def with_its_own(request):
    return HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"})


@pytest.mark.parametrize("view", [replaced, csp_update(API_DOCS_CSP)(replaced), with_its_own])
def test_the_policy_is_what_the_library_would_send(view):
    assert emitted(view) == emitted(view, CSPMiddleware)
    assert emitted() == emitted(middleware=CSPMiddleware) != emitted(view)


def test_a_policy_with_nonces_is_left_to_the_library(settings):
    directives = {**CONTENT_SECURITY_POLICY["DIRECTIVES"], "script-src": [SELF, NONCE]}
    settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": directives}
    assert "'nonce-" in emitted(with_a_nonce)


def test_a_nonce_made_after_the_header_is_refused():
    request = RequestFactory().get("/")
    PolicyMiddleware(lambda request: HttpResponse())(request)
    with pytest.raises(CSPNonceError):
        str(request.csp_nonce)


def test_an_exempt_view_gets_no_policy():
    answer = PolicyMiddleware(exempt)(RequestFactory().get("/"))
    assert "Content-Security-Policy" not in answer


def test_headers_that_django_does_not_send():
    answer = SecurityHeadersMiddleware(lambda request: HttpResponse())(RequestFactory().get("/"))
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    policies = answer["Permissions-Policy"].split(", ")
    assert {"camera=()", "microphone=()", "geolocation=()", "usb=()"} <= set(policies)
    assert all(policy.endswith("=()") for policy in policies)


@pytest.mark.parametrize(("path", "sent"), [("/api/auth/me", "no-store"), ("/admin/", None)])
def test_answers_of_the_api_are_kept_by_nobody(path, sent):
    answer = SecurityHeadersMiddleware(lambda request: HttpResponse())(RequestFactory().get(path))
    assert answer.headers.get("Cache-Control") == sent


def test_a_view_may_set_its_own():
    view = SecurityHeadersMiddleware(
        lambda request: HttpResponse(headers={"Cross-Origin-Resource-Policy": "cross-origin"})
    )
    assert view(RequestFactory().get("/"))["Cross-Origin-Resource-Policy"] == "cross-origin"
