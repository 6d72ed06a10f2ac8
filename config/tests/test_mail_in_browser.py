"""The ticket of a mail in a real browser: its pictures in place, and the page of a large file."""

import base64
import os
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from support.models import FileLink, OutboundMessage
from support.services import reply_as_staff
from support.services.file_links import url_of
from support.tests.factories import make_mailbox
from support.tests.mail_texts import multipart, receive
from systemadmin.tests.pictures import png

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

HTML = """<p>Hello, the lamp came <b>broken</b>: <img src="cid:shot" alt="The broken lamp"></p>
<p>It says so <a href="https://shop.example/lamp">here</a>.
<img src="https://spy.example/open.png" alt="Logo"></p>"""
SIZES = [(1440, 900), (1366, 768), (390, 844)]


@pytest.fixture
def ticket(superuser):
    picture = base64.encodebytes(png((180, 60, 40), (220, 90)))
    raw = multipart(
        ("Content-Type: text/html; charset=utf-8", HTML),
        ("Content-Type: image/png; name=shot.png\nContent-Transfer-Encoding: base64\n"
         "Content-ID: <shot>", picture),
        subtype="related", sender="Ana Ruiz <ana@example.com>", subject="Broken lamp",
        Cc="Beto Paz <beto@b.example>",
    )  # fmt: skip
    ticket = receive(make_mailbox(), raw).ticket
    files = [SimpleUploadedFile(f"{n}.pdf", b"%PDF-1.4 " + b"x" * 4_000_000)
             for n in ("photos", "manual", "invoice")]  # fmt: skip
    reply = reply_as_staff(actor=superuser, ticket=ticket, body="Sorry! Here is all about it.",
                           attachments=files, to_all=True)  # fmt: skip
    OutboundMessage.objects.filter(reply=reply).update(status="sent")
    OutboundMessage.objects.filter(reply=reply, recipient="beto@b.example").update(status="bounced")
    return ticket


def keep(page, name):
    folder = os.environ.get("SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def is_wide(page):
    return page.evaluate(
        "[document.documentElement, document.getElementById('main')].filter(Boolean)"
        ".some((box) => box.scrollWidth > box.clientWidth)"
    )


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_ticket_that_came_by_mail(page, sign_in, superuser, ticket, width, height):
    page.set_viewport_size({"width": width, "height": height})
    sign_in(superuser)
    page.goto(reverse("admin:support_ticket_change", args=[ticket.pk]))
    page.get_by_text("Show original").click()
    shown = page.get_by_alt_text("The broken lamp")
    shown.scroll_into_view_if_needed()
    # Not `wait_for_function`: it evaluates text inside the page, which the page's policy refuses.
    for _attempt in range(100):
        if page.evaluate(
            "[...document.querySelectorAll('.support-html img')]"
            ".every((one) => one.complete && one.naturalWidth > 0)"
        ):
            break
        page.wait_for_timeout(100)
    else:
        raise AssertionError("a picture did not load")
    assert page.locator(".support-html img").count() == 1
    assert page.get_by_text("Picture from another server, not loaded: Logo").count() == 1
    assert page.get_by_text("beto@b.example (Bounced)").count() == 1
    assert not is_wide(page)
    keep(page, f"ticket-mail-{width}")


def test_the_notices_of_an_agent(page, sign_in, superuser, ticket):
    sign_in(superuser)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.goto(reverse("admin:support_ticket_notices"))
        assert page.get_by_role("heading", name="How you hear of it").count() == 1
        assert not is_wide(page)
        keep(page, f"notices-{width}")


def test_a_large_file_without_signing_in(page, ticket):
    path = url_of(FileLink.objects.first()).partition(":8000")[2]
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.goto(path)
        assert not is_wide(page)
    keep(page, "file-link")
    with page.expect_download() as started:
        page.get_by_role("button", name="Download").click()
    assert started.value.suggested_filename.endswith(".pdf")
    assert FileLink.objects.first().downloads == 1
