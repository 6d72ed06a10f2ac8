"""Open pages hear of changes: by a stream, without an event loop, over two processes."""

import http.client
import time

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from config.tests.live import Server, environment, make_people
from support.tests.factories import make_agent, make_ticket
from systemadmin.live_hub import parse_marks
from systemadmin.models import UserSession

LIVE = "/admin/live/?topics=tickets,work"


def body_of(response):
    return b"".join(response.streaming_content).decode()


def mark_of(text):
    return next(line for line in text.splitlines() if line.startswith("id: "))[4:]


@pytest.mark.django_db
class TestWithoutEventLoop:
    def test_a_page_hears_only_of_what_came_after_it_looked(self, admin_client_for, member):
        browser = admin_client_for(make_agent())
        first = body_of(browser.get(LIVE))
        assert "event: ready" in first
        make_ticket(member)
        seen = {"HTTP_LAST_EVENT_ID": mark_of(first)}
        later = body_of(browser.get(LIVE, **seen))
        assert "event: tickets" in later
        again = body_of(browser.get(LIVE, HTTP_LAST_EVENT_ID=mark_of(later)))
        assert "event: tickets" not in again

    def test_whoever_may_not_see_tickets_hears_nothing_of_them(
        self, staff, admin_client_for, member
    ):
        browser = admin_client_for(staff("marketplace_moderator"))
        first = body_of(browser.get(LIVE))
        make_ticket(member)
        later = body_of(browser.get(LIVE, HTTP_LAST_EVENT_ID=mark_of(first)))
        assert "tickets" not in later
        assert "event: work" in later
        assert browser.get("/admin/live/?topics=tickets").status_code == 400

    def test_members_are_sent_to_sign_in(self, member, admin_client_for):
        assert admin_client_for(member).get(LIVE).status_code == 302


def test_marks_that_we_never_sent_are_ignored():
    assert parse_marks("tickets:12,work:x,:,tickets") == {"tickets": 12}
    assert parse_marks("9" * 5000) == {}


def signed_in(agent):
    """Return the cookie of a browser session."""
    session = SessionStore()
    session[SESSION_KEY] = str(agent.pk)
    session[BACKEND_SESSION_KEY] = "systemadmin.backends.AccountBackend"
    session[HASH_SESSION_KEY] = agent.get_session_auth_hash()
    session.save()
    UserSession.objects.create(user=agent, session_key=session.session_key)
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def hears(stream, event):
    """Read a stream until an event came; return when."""
    while line := stream.readline():
        if line.decode().strip() == f"event: {event}":
            return time.monotonic()
    raise AssertionError(f"the stream ended without {event}")


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_ticket_opened_at_one_process_is_heard_at_another(tmp_path, record_property):
    tokens, agent = make_people(), make_agent()
    cookie = signed_in(agent)
    # The session is signed here and read there.
    env = {**environment(tmp_path), "DJANGO_SECRET_KEY": settings.SECRET_KEY}
    streams, web = Server(env, "asgi"), Server(env)
    try:
        for server in (streams, web):
            server.wait()
        there = http.client.HTTPConnection("127.0.0.1", streams.port, timeout=60)
        there.request("GET", LIVE, headers={"Cookie": cookie})
        stream = there.getresponse()
        assert stream.status == 200
        hears(stream, "ready")
        status, _headers, text = web.call(
            "POST", "/api/tickets", tokens["member"], {"subject": "New one", "body": "Help"}
        )
        sent_at = time.monotonic()
        assert status == 201, text
        record_property("seconds", hears(stream, "tickets") - sent_at)
        _status, _headers, page = web.get(
            "/admin/support/ticket/work/?queue=unassigned&part=list", {"Cookie": cookie}
        )
        record_property("seconds with the list", time.monotonic() - sent_at)
        assert "New one" in page
        there.close()
    finally:
        for server in (streams, web):
            server.kill()
