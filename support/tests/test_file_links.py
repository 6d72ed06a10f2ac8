"""Files too large for a mail go as links; nothing is left out silently, or handed out unsafe."""

import io
import re
import zipfile
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from support.models import FileLink
from support.services import reply_as_staff
from support.services.file_links import revoke_link, url_of
from support.tests.factories import make_mailbox
from support.tests.mail_texts import mail, receive
from systemadmin.foundation.queue import drain
from systemadmin.models import AuditEntry
from systemadmin.services import change_settings

pytestmark = pytest.mark.django_db
MEGABYTE = 1024 * 1024


@pytest.fixture
def ticket(db):
    return receive(make_mailbox(), mail("Help")).ticket


def pdf(megabytes, name):
    return SimpleUploadedFile(name, b"%PDF-1.4 " + b"x" * int(megabytes * MEGABYTE - 9))


def zipped(name, *, is_encrypted=False, padding=0):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, b"x" * int(padding * MEGABYTE))
    raw = content.getvalue()
    at = raw.index(b"PK\x01\x02") + 8  # the flags of the first entry of the directory
    return raw[:at] + b"\x01" + raw[at + 1 :] if is_encrypted else raw


def answer(agent, ticket, *files, **extra):
    return reply_as_staff(actor=agent, ticket=ticket, body="Here", attachments=files, **extra)


def link_in(body):
    return re.search(r"https?://[^/\s]+(/files/\S+)", body)[1]


@pytest.fixture
def large(agent, ticket):
    """An answer of 12 MB: two files fit, the third is a link."""
    return answer(agent, ticket, pdf(5, "a.pdf"), pdf(4, "b.pdf"), pdf(3, "c.pdf"))


class TestTheMail:
    def test_what_fits_is_attached_and_the_rest_is_linked(self, large, mailoutbox):
        drain()
        sent = mailoutbox[-1]
        assert [name for name, _content, _kind in sent.attachments] == ["b.pdf", "c.pdf"]
        assert sum(len(content) for _n, content, _k in sent.attachments) <= 10 * MEGABYTE
        assert "a.pdf" in sent.body
        assert "a.pdf" in sent.alternatives[0][0]
        page = Client().get(link_in(sent.body))
        assert page.status_code == 200
        assert "a.pdf" in page.content.decode()

    def test_the_bound_is_a_setting(self, agent, ticket, mailoutbox):
        change_settings(actor=None, values={"support.mail_attachment_mb": 1})
        answer(agent, ticket, pdf(0.6, "a.pdf"), pdf(0.6, "b.pdf"))
        drain()
        assert len(mailoutbox[-1].attachments) == 1
        assert FileLink.objects.get().attachment.name == "b.pdf"

    def test_the_links_are_not_stored(self, large):
        message = FileLink.objects.get().message
        assert "/files/" not in message.text + message.html

    def test_each_copy_has_a_link_of_its_own(self, agent, ticket):
        ticket.participants.create(address="beto@b.test")
        answer(agent, ticket, pdf(6, "a.pdf"), pdf(5, "b.pdf"), to_all=True)
        first, second = FileLink.objects.all()
        revoke_link(actor=agent, link=first)
        assert Client().get(url_of(first).partition(":8000")[2]).status_code == 410
        assert Client().get(url_of(second).partition(":8000")[2]).status_code == 200

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("a.zip", zipped("setup.EXE", padding=1.5)),
            ("b.zip", zipped("inner.zip", padding=1.5)),
            ("c.zip", zipped("x.pdf", padding=1.5, is_encrypted=True)),
            ("d.gz", b"\x1f\x8b\x08" + b"x" * int(1.5 * MEGABYTE)),
        ],
        ids=["program", "nested", "encrypted", "gzip"],
    )
    def test_what_may_be_unsafe_is_named_and_never_linked(
        self, agent, ticket, desk, mailoutbox, name, content
    ):
        change_settings(actor=None, values={"support.mail_attachment_mb": 1})
        answer(agent, ticket, SimpleUploadedFile(name, content))
        drain()
        sent = mailoutbox[-1]
        assert sent.attachments == []
        assert "may be unsafe" in sent.body
        assert name in sent.body
        assert "/files/" not in sent.body
        row = desk.get(f"/api/admin/tickets/{ticket.pk}/file-links").json()["results"][0]
        assert row["is_withheld"]
        assert Client().get(url_of(FileLink.objects.get()).partition(":8000")[2]).status_code == 410


class TestTheLink:
    @pytest.fixture
    def path(self, large):
        return url_of(FileLink.objects.get()).partition(":8000")[2]

    def test_the_file_is_handed_out_counted_and_audited(self, path, ticket):
        response = Client().post(path)
        assert b"".join(response.streaming_content).startswith(b"%PDF")
        assert response["Content-Disposition"].startswith("attachment")
        assert "sandbox" in response["Content-Security-Policy"]
        link = FileLink.objects.get()
        assert (link.downloads, link.last_download_at is not None) == (1, True)
        entry = AuditEntry.objects.get(action="support.file_link.opened")
        assert entry.metadata == {"link": link.pk, "file": link.attachment_id}

    def test_programs_that_look_at_links_download_nothing(self, path):
        Client().get(path)
        Client().head(path)
        assert FileLink.objects.get().downloads == 0

    def test_the_page_says_nothing_of_the_ticket(self, path, ticket):
        page = Client().get(path)
        assert ticket.number not in page.content.decode()
        assert page["Referrer-Policy"] == "no-referrer"
        assert "no-store" in page["Cache-Control"]

    def test_it_ends(self, path):
        FileLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert Client().post(path).status_code == 410

    def test_a_later_end_does_not_lengthen_an_old_address(self, path):
        FileLink.objects.update(expires_at=timezone.now() + timedelta(days=300))
        assert Client().post(path).status_code == 410

    def test_it_is_bound_to_its_file(self, path, large):
        other = large.attachments.exclude(name="a.pdf").first()
        FileLink.objects.update(attachment=other)
        assert Client().post(path).status_code == 410

    @pytest.mark.parametrize("change", [lambda t: t[:-1] + "x", lambda t: "x", lambda t: t[5:]])
    def test_a_made_up_address_finds_nothing(self, path, change):
        token = path.removeprefix("/files/")
        assert Client().get(f"/files/{change(token)}").status_code == 404

    def test_staff_revoke_it(self, path, ticket, desk):
        link = FileLink.objects.get()
        url = f"/api/admin/tickets/{ticket.pk}/file-links/{link.pk}/revoke"
        assert desk.post(url).json()["revoked_at"]
        assert Client().post(path).status_code == 410
        assert desk.post(url).status_code == 200
        assert AuditEntry.objects.filter(action="support.file_link.revoked").count() == 1

    def test_on_the_page_of_the_ticket(self, path, ticket, agent, admin_client_for):
        client = admin_client_for(agent)
        url = reverse("admin:support_ticket_change", args=[ticket.pk])
        assert "fetched 0 times" in client.get(url).content.decode()
        client.post(url, {"operation": "revoke_link", "key": FileLink.objects.get().pk})
        assert Client().get(path).status_code == 410
