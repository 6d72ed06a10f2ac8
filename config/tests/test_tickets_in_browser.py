"""The ticket workspace in a real browser: clicks and loads counted, drafts, keys, axe."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from playwright.sync_api import expect

from config.tests.test_shell_in_browser import faults_of
from support.models import ReplyDraft, Ticket
from support.services import reply_as_customer, reply_as_staff
from support.tests.factories import make_template, make_ticket
from systemadmin.models import User
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
WORK = "/admin/support/ticket/work/"


def keep(page, name):
    """With SCREENSHOTS=folder, leave a picture to look at."""
    if os.environ.get("SCREENSHOTS"):
        page.screenshot(path=str(Path(os.environ["SCREENSHOTS"]) / f"{name}.png"))


@pytest.fixture
def desk(page, sign_in, transactional_db):
    """An agent with two tickets and a template, at a window of 1366 pixels."""
    call_command("setup", verbosity=0)
    agent = StaffFactory(username="ana", first_name="Ana", role="support_agent")
    member = UserFactory(username="marta", first_name="Marta", last_name="Vidal")
    for number, subject in enumerate(("First lamp", "Second lamp"), start=1):
        ticket = make_ticket(member, subject=subject, assignee=agent)
        due = timezone.now() + timedelta(hours=number)
        Ticket.objects.filter(pk=ticket.pk).update(next_due_at=due)
    make_template()
    sign_in(agent)
    page.set_viewport_size({"width": 1366, "height": 768})
    page.loads = 0

    def counted(request):
        page.loads += request.is_navigation_request()

    assert page.goto(WORK).status == 200
    shown(page, "First lamp")
    page.on("request", counted)
    return agent


def shown(page, subject):
    page.locator("#work-title", has_text=subject).wait_for()


def ticket_of(subject):
    return Ticket.objects.get(subject=subject)


def test_the_next_ticket_with_a_template_takes_two_clicks_and_no_load(page, desk):
    page.locator(".at-pickbtn", has_text="Thanks").click()
    expect(page.locator("#reply-body")).to_have_value(re.compile("^Hello Marta"))
    page.get_by_role("button", name="Send and next").click()
    shown(page, "Second lamp")
    assert page.loads == 0
    reply = ticket_of("First lamp").replies.last()
    assert reply.body.startswith("Hello Marta")
    assert reply.template.code == "thanks"
    assert not ReplyDraft.objects.exists()


def test_what_is_typed_survives_leaving_and_another_browser(page, desk):
    page.locator("#reply-body").fill("Half an answer")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    shown(page, "Second lamp")
    assert page.locator("#reply-body").input_value() == ""
    page.keyboard.press("k")
    shown(page, "First lamp")
    assert page.locator("#reply-body").input_value() == "Half an answer"
    # A page of its own on another machine, where the draft grows; the first one says so.
    state = page.context.storage_state()
    other = page.context.browser.new_context(
        base_url=page.url.split("/admin")[0], storage_state=state
    )
    there = other.new_page()
    there.goto(WORK)
    assert there.locator("#reply-body").input_value() == "Half an answer"
    with there.expect_response("**/draft/"):
        there.locator("#reply-body").fill("A whole answer")
    other.close()
    assert ReplyDraft.objects.get().body == "A whole answer"
    page.locator("#reply-body").fill("Half an answer, and more")
    page.locator("#work-notice", has_text="another window").wait_for()
    page.get_by_role("button", name="Take the other text").click()
    assert page.locator("#reply-body").input_value() == "A whole answer"
    # The browser itself says that an answer was a 409.
    page.complaints.clear()


def test_by_keys_a_note_with_a_mention_and_a_reply(page, desk):
    page.keyboard.press("i")
    page.locator("#reply-body:focus").wait_for()
    page.keyboard.type("Look, @an")
    page.locator("#work-people li:visible").first.wait_for()
    page.keyboard.press("Enter")
    assert page.locator("#reply-body").input_value() == "Look, @ana "
    page.keyboard.press("Control+Enter")
    shown(page, "Second lamp")
    assert ticket_of("First lamp").replies.last().is_internal
    page.keyboard.press("r")
    page.locator("#reply-body:focus").wait_for()
    page.keyboard.type("/")
    page.locator("#template-words:focus").wait_for()
    page.keyboard.type("than")
    page.locator("#template-list button", has_text="Thanks").wait_for()
    page.keyboard.press("Enter")
    expect(page.locator("#reply-body")).to_have_value(re.compile("^Hello Marta"))
    page.keyboard.press("Control+Shift+Enter")
    shown(page, "First lamp")
    assert ticket_of("Second lamp").status == "resolved"
    assert page.loads == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
def test_axe_finds_nothing(page, desk, width, height, scheme):
    ticket = ticket_of("First lamp")
    reply_as_staff(actor=desk, ticket=ticket, body="For us", internal=True)
    reply_as_staff(actor=desk, ticket=ticket, body="For you", status="in_progress")
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"/admin/support/ticket/{ticket.pk}/change/?queue=mine")
    shown(page, "First lamp")
    keep(page, f"ticket-{width}-{scheme}")
    faults = faults_of(page, f"ticket {width} {scheme}")
    if width < 720:
        for pane in ("#p-list", "#p-ctx"):
            page.locator(f"[data-pane='{pane}']").click()
            keep(page, f"ticket-{width}-{scheme}-{pane[1:]}")
            faults += faults_of(page, f"{pane} {width} {scheme}")
    else:
        page.keyboard.press("e")
        keep(page, f"ticket-{width}-{scheme}-status")
        faults += faults_of(page, f"status menu {width} {scheme}")
    assert not faults, "\n".join(faults)


def test_in_spanish_at_1440(page, desk):
    User.objects.filter(pk=desk.pk).update(language="es")
    page.context.add_cookies(
        [{"name": "django_language", "value": "es", "url": page.url.partition("/admin")[0]}]
    )
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(WORK)
    shown(page, "First lamp")
    keep(page, "ticket-1440-es")
    assert not faults_of(page, "1440 es")


def test_a_new_ticket_appears_and_what_one_reads_stays(page, desk):
    page.evaluate("sessionStorage.hears = 1")
    page.reload()
    shown(page, "First lamp")
    rows = page.locator("#work-rows .at-item")
    assert rows.count() == 2
    member = UserFactory(username="inés")
    make_ticket(member, subject="Third lamp", assignee=desk)
    rows.filter(has_text="Third lamp").wait_for()
    # Under the pointer nothing moves; a button says how many came.
    page.locator("#work-rows").hover()
    late = make_ticket(member, subject="Fourth lamp", assignee=desk)
    page.locator("#work-new", has_text="1 new").wait_for()
    assert rows.count() == 3
    page.locator("#work-new").click()
    rows.filter(has_text="Fourth lamp").wait_for()
    # A reply comes into the conversation that is open.
    page.goto(f"/admin/support/ticket/{late.pk}/change/?queue=mine")
    shown(page, "Fourth lamp")
    reply_as_customer(ticket=late, author=member, body="I found it myself.")
    page.locator("#messages", has_text="I found it myself.").wait_for()
    page.evaluate("sessionStorage.clear()")
    page.goto("/admin/preferences/")
    # The tests' SQLite in memory refuses who reads a table while another writes it; a file waits.
    page.complaints[:] = [text for text in page.complaints if "503" not in text]


def test_merging_by_key_takes_the_number_and_no_load(page, desk):
    page.keyboard.press("u")
    box = page.locator("#merge-number")
    expect(box).to_be_focused()
    keep(page, "ticket-merge")
    box.fill("T-0000-1")
    page.keyboard.press("Enter")
    page.locator("#work-notice .at-notice-bad").wait_for()
    page.keyboard.press("u")
    box.fill(ticket_of("Second lamp").number)
    page.keyboard.press("Enter")
    shown(page, "Second lamp")
    assert page.loads == 0
    assert ticket_of("First lamp").merged_into == ticket_of("Second lamp")


def test_a_chosen_file_that_is_no_picture_shows_its_type_and_size(page, desk):
    page.locator("#reply-form [name=attachments]").set_input_files(
        [
            {"name": "bill.pdf", "mimeType": "application/pdf", "buffer": b"%PDF" * 600},
            {"name": "odd.heic", "mimeType": "image/heic", "buffer": b"no picture"},
        ]
    )
    signs = page.locator("#reply-files .at-file-i")
    expect(signs).to_have_text(["PDF", "HEIC"])
    expect(page.locator("#reply-files small").first).to_contain_text("2.4 kB")
    keep(page, "ticket-files")
    page.locator("#reply-files button").first.click()
    expect(page.locator("#reply-files .at-file")).to_have_count(1)
