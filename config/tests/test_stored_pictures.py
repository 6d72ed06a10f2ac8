"""Pictures on every way in, and those that were stored before."""

import hashlib
from email.message import EmailMessage

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command

from marketplace import services as market
from marketplace.models import ProductImage
from marketplace.tests import factories as shop
from messaging.models import Attachment as MessageAttachment
from messaging.tests.factories import old_member
from support.models import Attachment, InboundMessage
from support.services import process_mail, store_mail
from support.tests.factories import make_mailbox, make_ticket
from systemadmin.services.stored_pictures import clean_stored_pictures
from systemadmin.tests import pictures
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def upload(name="a.jpg", content=None):
    return SimpleUploadedFile(name, content or pictures.photo())


def stored(file):
    with file.open("rb") as opened:
        return opened.read()


def test_a_product_shows_no_place(api, member):
    product = shop.approved(member)
    market.add_image(actor=member, product=product, file=upload())
    image = ProductImage.objects.get()
    assert pictures.MARKER not in stored(image.file)
    assert pictures.opened(stored(image.file)).size == (20, 40)


def test_a_message_brings_no_place(as_user):
    sender, other = old_member(), old_member()
    body = {"recipient": other.pk, "body": "Look", "attachment": upload()}
    assert as_user(sender).post("/api/messages", body, format="multipart").status_code == 201
    attachment = MessageAttachment.objects.get()
    content = stored(attachment.file)
    assert pictures.MARKER not in content
    assert attachment.size == len(content)
    assert attachment.sha256 == hashlib.sha256(content).hexdigest()


def test_a_ticket_shows_staff_no_place(as_user, member):
    ticket = make_ticket(member)
    body = {"body": "Look", "attachments": [upload("IMG.heic", pictures.HEIC)]}
    url = f"/api/tickets/{ticket.pk}/reply"
    assert as_user(member).post(url, body, format="multipart").status_code == 201
    attachment = Attachment.objects.get()
    assert (attachment.name, attachment.content_type) == ("IMG.jpg", "image/jpeg")
    assert pictures.MARKER not in stored(attachment.file)


def test_an_unreadable_picture_is_refused_by_name(as_user, member):
    ticket = make_ticket(member)
    body = {"body": "Look", "attachments": [upload("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 50)]}
    refused = as_user(member).post(f"/api/tickets/{ticket.pk}/reply", body, format="multipart")
    assert refused.status_code == 400
    error = refused.json()["errors"][0]
    assert (error["field"], error["code"]) == ("attachments", "picture_unreadable")


def test_a_mail_keeps_the_picture_as_it_came_in_its_raw_bytes_alone(member):
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = member.email, "help@atalaya.test", "Broken"
    mail["Message-ID"] = "<one@example.test>"
    mail.set_content("See the picture")
    mail.add_attachment(pictures.photo(), maintype="image", subtype="jpeg", filename="a.jpg")
    message, _new = store_mail(mailbox=make_mailbox(), raw=mail.as_bytes())
    process_mail(message.pk)
    assert pictures.MARKER not in stored(Attachment.objects.get().file)
    raw = bytes(InboundMessage.objects.get().raw)
    assert b"image/jpeg" in raw


def old_picture(product, content, kind="image/jpeg"):
    image = ProductImage(product=product, key=kind[:8] + str(len(content)), name="a.jpg")
    image.content_type = kind
    image.file.save("a.jpg", ContentFile(content), save=True)
    return image


def test_what_was_stored_before_is_cleaned_once(capsys, django_capture_on_commit_callbacks):
    product = shop.approved(UserFactory())
    dated = old_picture(product, pictures.photo())
    plain = old_picture(product, pictures.png(), "image/png")
    broken = old_picture(product, b"\xff\xd8\xff\xe0" + b"\0" * 99)
    storage, names = dated.file.storage, (dated.file.name, plain.file.name)
    with django_capture_on_commit_callbacks(execute=True):
        call_command("strip_image_metadata")
    said = capsys.readouterr()
    assert said.out == "1 clean, 1 cleaned, 1 unreadable\n"
    assert said.err == f"marketplace.ProductImage {broken.pk}: unreadable\n"
    dated.refresh_from_db()
    assert pictures.MARKER not in stored(dated.file)
    assert not storage.exists(names[0])
    assert storage.exists(names[1])
    assert sorted(one.what for one in clean_stored_pictures()) == ["clean", "clean", "unreadable"]
