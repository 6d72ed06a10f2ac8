"""Refusals in the admin are pages that say what to do next; htmx gets a sentence."""

import pytest
from django.conf import settings as live_settings
from django.http import HttpResponse
from django.test import Client

from systemadmin.services import change_settings

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def test_a_page_of_another_role_says_so_in_the_shell(staff, admin_client_for):
    answer = admin_client_for(staff("support_agent")).get("/admin/settings/")
    text = answer.content.decode()
    assert answer.status_code == 403
    assert "You may not do this." in text
    assert 'class="at-rail"' in text


def test_an_address_that_leads_nowhere_offers_the_search(superuser, admin_client_for):
    answer = admin_client_for(superuser).get("/admin/nowhere/at/all/")
    assert answer.status_code == 404
    assert "There is nothing here." in answer.content.decode()
    assert "/admin/search/" in answer.content.decode()


def test_members_do_not_see_the_pages_of_the_admin(client):
    answer = client.get("/nowhere")
    assert answer.status_code == 404
    assert "at-app" not in answer.content.decode()


def test_htmx_gets_one_sentence(staff, admin_client_for):
    answer = admin_client_for(staff("support_agent")).get("/admin/settings/", headers=HTMX)
    assert answer.status_code == 403
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode().startswith("You may not do this.")


@pytest.mark.ratelimited
def test_staff_have_a_limit_of_their_own_and_heartbeats_are_free(superuser, admin_client_for):
    change_settings(
        actor=None,
        values={"ratelimit.staff": "4/h", "ratelimit.read": "1/h", "ratelimit.write": "1/h"},
    )
    browser = admin_client_for(superuser)
    for _time in range(6):
        assert browser.get("/admin/waiting/").status_code == 200
    for _time in range(4):
        assert browser.get("/admin/search/").status_code == 200
    refused = browser.get("/admin/search/")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) >= 1
    assert "then send it again" in refused.content.decode()
    assert browser.post("/admin/search/", headers=HTMX).content.decode().startswith("That was")
    assert browser.get("/admin/waiting/").status_code == 200


@pytest.mark.ratelimited
def test_whoever_is_not_signed_in_pays_for_heartbeats(client):
    change_settings(actor=None, values={"ratelimit.read": "2/h"})
    answers = [client.get("/admin/waiting/").status_code for _time in range(4)]
    assert answers[-1] == 429


def test_a_page_that_is_too_old_says_how_to_go_on(superuser, admin_client_for):
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = admin_client_for(superuser).cookies
    answer = browser.post("/admin/language/", {"language": "es"})
    assert answer.status_code == 403
    assert "too old" in answer.content.decode()


def test_a_failure_gives_its_number(superuser, admin_client_for, monkeypatch):
    def fails(*args, **kwargs):
        raise RuntimeError("boom")

    monkeypatch.setattr("systemadmin.site.search_page", fails)
    browser = admin_client_for(superuser)
    browser.raise_request_exception = False
    answer: HttpResponse = browser.get("/admin/search/")
    assert answer.status_code == 500
    text = answer.content.decode()
    assert "Something went wrong on our side." in text
    assert answer["X-Request-ID"] in text
    assert live_settings.DEBUG is False


def test_a_desk_has_a_page_with_its_lists(superuser, admin_client_for):
    text = admin_client_for(superuser).get("/admin/systemadmin/").content.decode()
    assert "/admin/systemadmin/alertrule/add/" in text
    assert "/admin/systemadmin/auditentry/" in text
    assert "Nothing waits for you" not in text
