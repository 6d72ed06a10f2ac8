"""The ticket of a mail in a real browser: its pictures in place, and the page of a large file."""

import base64
import os
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from support.models import FileLink, OutboundMessage, Ticket
from support.services import reply_as_staff
from support.services.file_links import url_of
from support.tests.factories import make_mailbox
from support.tests.mail_texts import mail, multipart, receive
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
    ids = dict(OutboundMessage.objects.filter(reply=reply).values_list("recipient", "message_id"))
    for raw in what_comes_back(ids["ana@example.com"], ids["beto@b.example"]):
        receive(ticket.mailbox, raw)
    return ticket


def what_comes_back(to_ana, to_beto):
    """Beto's copy bounces, another desk confirms, and somebody answers what Ana forwarded."""
    yield multipart(
        ("Content-Type: text/plain", "550 5.1.1 The mailbox beto@b.example does not exist."),
        ("Content-Type: message/delivery-status", "Reporting-MTA: dns; mx.b.example\n\n"
         "Final-Recipient: rfc822; beto@b.example\nAction: failed\nStatus: 5.1.1"),
        ("Content-Type: text/rfc822-headers", f"Message-ID: <{to_beto}>"),
        subtype='report; report-type="delivery-status"', sender="MAILER-DAEMON@mx.b.example",
        subject="Undelivered Mail Returned to Sender",
    )  # fmt: skip
    yield mail(
        "Your request #7 has been received.", sender="Works <desk@works.example>",
        subject="[Request received] Broken lamp", answers=f"<{to_ana}>",
        Auto_Submitted="auto-replied",
    )  # fmt: skip
    yield mail(
        "I am Ana's sister: she is away until Friday.", sender="Carla Ruiz <carla@c.example>",
        subject="Re: Broken lamp", answers=f"<{to_ana}>",
    )  # fmt: skip


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
    page.set_viewport_size({"width": width, "height": 1_500})
    page.get_by_text("Your request #7 has been received.").last.scroll_into_view_if_needed()
    keep(page, f"ticket-mail-tall-{width}")


def test_the_ticket_of_somebody_whom_nothing_proves_to_take_part(page, sign_in, superuser, ticket):
    other = Ticket.objects.get(requester_email="carla@c.example")
    sign_in(superuser)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        page.goto(reverse("admin:support_ticket_change", args=[other.pk]))
        assert page.get_by_text(ticket.number).count()
        assert not is_wide(page)
        keep(page, f"ticket-stranger-{width}")


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
