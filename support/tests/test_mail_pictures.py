"""Pictures of a mail stand where they stood, and nothing is fetched from anybody's server."""

import base64
import io
import re

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from support.mail_parsing import parse_mail
from support.mail_safe_html import placed_html, safe_html
from support.services import process_mail, reply_as_staff, store_mail
from support.services.mail_pictures import attach_picture
from support.tests.factories import make_mailbox
from support.tests.mail_texts import multipart, receive
from systemadmin.foundation.queue import drain
from systemadmin.foundation.testing import processor_seconds
from systemadmin.tests.factories import UserFactory
from systemadmin.tests.pictures import png

PNG = png()
PART = "Content-Type: image/png\nContent-Transfer-Encoding: base64\nContent-ID: <{}>"


@pytest.fixture
def box(db):
    return make_mailbox()


def html_mail(html, *parts, **fields):
    return multipart(
        ("Content-Type: text/html; charset=utf-8", html), *parts, subtype="related", **fields
    )


def shot(content_id="Shot%1@Mail", **_):
    return (PART.format(content_id), base64.encodebytes(PNG))


def original(client, message, side="admin/"):
    base = f"/api/{side}tickets/{message.ticket_id}"
    return client.get(f"{base}/replies/{message.reply_id}/original")


class TestInPlace:
    # Without Content-Disposition, with space in the address, percent-encoded, in another case.
    @pytest.mark.parametrize(
        "address", ["cid:Shot%251@Mail", "\n  CID:shot%251@mail ", "cid:SHOT%251%40MAIL"]
    )
    def test_staff_see_a_picture_where_it_stood(self, box, desk, address):
        html = f"<p>before <IMG\n SRC = '{address}' alt=\"Label\"> after</p>"
        message = receive(box, html_mail(html, shot()))
        shown = original(desk, message).json()["html"]
        src = re.search(r'before <img src="([^"]+)" alt="Label" loading="lazy"> after', shown)[1]
        answer = desk.get(src)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
        assert "sandbox" in answer["Content-Security-Policy"]

    def test_the_member_sees_their_own(self, box, mine, member, as_user):
        message = receive(box, html_mail("<img src='cid:a'>", shot("a"), sender=member.email))
        shown = original(mine, message, "").json()["html"]
        src = re.search(r'src="(/api/tickets/[^"]+)"', shown)[1]
        assert mine.get(src).status_code == 200
        assert as_user(UserFactory()).get(src).status_code == 404

    def test_no_picture_of_a_note_reaches_the_member(self, box, mine, member, agent):
        message = receive(box, html_mail("<img src='cid:a'>", shot("a"), sender=member.email))
        file = message.reply.attachments.get()
        message.reply.kind, message.reply.is_from_customer = "internal", False
        message.reply.save()
        base = f"/api/tickets/{message.ticket_id}"
        assert mine.get(f"{base}/attachments/{file.pk}/inline").status_code == 404
        assert original(mine, message, "").status_code == 404

    def test_on_the_page(self, box, agent, admin_client_for):
        message = receive(box, html_mail("<p>x <img src='cid:a' alt='Box'></p>", shot("a")))
        client = admin_client_for(agent)
        page = client.get(reverse("admin:support_ticket_change", args=[message.ticket_id]))
        src = re.search(r'<img src="([^"]+/inline/)" alt="Box"', page.content.decode())[1]
        assert client.get(src).status_code == 200

    def test_a_file_that_no_mail_shows_is_never_shown_in_our_origin(self, box, desk):
        header = 'Content-Type: image/png; name="a.png"\nContent-Transfer-Encoding: base64'
        message = receive(box, html_mail("<p>x", (header, base64.encodebytes(PNG))))
        file = message.reply.attachments.get()
        url = f"/api/admin/tickets/{message.ticket_id}/attachments/{file.pk}"
        assert desk.get(url).status_code == 200
        assert desk.get(f"{url}/inline").status_code == 404

    def test_a_picture_written_into_the_html_becomes_a_file(self, box, desk):
        data = base64.b64encode(PNG).decode()
        message = receive(box, html_mail(f"<p>a<img src='data:image/png;base64,{data}'>b</p>"))
        assert message.reply.attachments.get().content_type == "image/png"
        assert re.search(r'a<img src="[^"]+/inline"', original(desk, message).json()["html"])

    def test_an_answer_of_ours_has_no_original(self, box, desk, agent):
        message = receive(box, html_mail("<p>x</p>"))
        reply = reply_as_staff(actor=agent, ticket=message.ticket, body="Hola")
        url = f"/api/admin/tickets/{message.ticket_id}/replies/{reply.pk}/original"
        assert desk.get(url).json() == {"text": "Hola", "html": ""}


class TestNothingFromElsewhere:
    def test_remote_pictures_become_a_notice(self):
        html, _files = safe_html("<p>a<img src='https://spy.test/x.png' alt='Logo'>b</p>")
        shown = placed_html(html, {})
        assert "spy.test" not in html + shown
        assert shown == "<p>a<em>[Picture from another server, not loaded: Logo]</em>b</p>"

    def test_a_pixel_leaves_nothing(self):
        assert safe_html("<p>a<img width=1 height='1' src='//spy.test/p'></p>")[0] == "<p>a</p>"

    def test_one_that_did_not_come_says_so(self):
        html, _files = safe_html("<img src='cid:gone'>")
        assert placed_html(html, {}) == "<em>[Picture that did not come with the mail]</em>"

    @pytest.mark.parametrize(
        "source",
        [
            "<script>alert(1)</script>", "<p onclick=alert(1) style='background:url(//e.test)'>x",
            "<a href='javascript:alert(1)'>x</a>", "<a href=' java\nscript:alert(1)'>x</a>",
            "<svg><script>alert(1)</script></svg>", "<math><mi xlink:href='javascript:x'>",
            "<iframe src=//e.test></iframe>", "<object data=x>", "<form action=//e.test><input>",
            "<link rel=stylesheet href=//e.test>", "<base href=//e.test>", "<video src=//e.test>",
            "<img src=x onerror=alert(1)>", "<img src='cid:\"onerror=alert(1)'>",
            "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
            "<style><img src='</style><img src=x onerror=alert(1)>'>",
            "<table background=//e.test><td background=//e.test>x", "<meta http-equiv=refresh>",
            "<textarea><img src=x onerror=alert(1)></textarea>", "<img srcset=//e.test>",
        ],
    )  # fmt: skip
    def test_nothing_runs_and_nothing_is_fetched(self, source):
        shown = placed_html(safe_html(source)[0], {})
        assert not re.search(r"<[^>]*(\son\w+=|script|style|e\.test|\bsrc)", shown), shown

    @given(st.text(alphabet="<>\"'&/= abcdimgsrp:\n", max_size=200))
    def test_elements_are_known_and_balanced(self, source):
        shown = placed_html(safe_html(source)[0], {})
        tags = re.findall(r"<(/?)([^\s>]+)[^>]*>", shown)
        depth = []
        for end, name in tags:
            if name in ("br", "hr"):
                continue
            if end:
                assert depth.pop() == name
            else:
                depth.append(name)
        assert not depth

    def test_links_open_without_telling_where_from(self):
        html, _files = safe_html("<a href='https://a.test/?x=1&y=2'>go</a>")
        expected = '<a href="https://a.test/?x=1&amp;y=2" rel="noopener noreferrer nofollow">'
        assert html.startswith(expected)


@pytest.mark.parametrize(
    "piece", ["<div>", "<b><p>", "<b><div></b>", "<img src=cid:a>", "<a href=x>", "<table><td>"]
)
def test_a_megabyte_of_anything_costs_little(piece):
    source = piece * (1_000_000 // len(piece))
    assert processor_seconds(lambda: safe_html(source)) < 3


def test_the_parts_of_a_mixed_mail_are_one_html():
    read = parse_mail(
        multipart(("Content-Type: text/plain", "1 < 2"), ("Content-Type: text/html", "<b>two</b>"))
    )
    assert read.html == "<pre>1 &lt; 2</pre>\n<div><b>two</b></div>"


class TestManyAndLarge:
    """What anybody can send must not hold up the mail of others."""

    HEADER = "Content-Type: image/png; name={}.png\nContent-Transfer-Encoding: base64"

    def parts(self, content, names):
        encoded = base64.encodebytes(content)
        return [(self.HEADER.format(name), encoded) for name in names]

    def test_all_photos_of_a_mail_are_files(self, box):
        text = ("Content-Type: text/plain", "See")
        message = receive(box, multipart(text, *self.parts(PNG, range(15))))
        assert message.reply.attachments.count() == 15

    def test_large_ones_come_after_the_mail(self, box):
        out = io.BytesIO()
        Image.new("1", (7_000, 7_000)).save(out, "PNG")  # 49 million pixels in 6 kB
        text = ("Content-Type: text/plain", "See")
        raw = multipart(text, *self.parts(out.getvalue(), "ab"), *self.parts(PNG, "c"))
        message, _new = store_mail(mailbox=box, raw=raw)
        assert processor_seconds(lambda: process_mail(message.pk)) < 2
        message.refresh_from_db()
        assert [file.name for file in message.reply.attachments.all()] == ["c.png"]
        drain()
        attach_picture(message.pk, 0)
        names = message.reply.attachments.values_list("name", flat=True)
        assert sorted(names) == ["a.png", "b.png", "c.png"]
        assert not message.ticket.replies.filter(kind="internal").exists()
