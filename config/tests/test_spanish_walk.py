"""A walk through the admin in Spanish: no page shows a text of the product in English.

A text counts as English when the Spanish catalogues have another text for it, or when it speaks in
the plain words of English sentences. What people wrote, names of people and codes of the interface
are not looked at: the world that is walked through marks them.
"""

import gettext
import re
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django_otp import DEVICE_ID_SESSION_KEY

from config.tests.admin_world import build_world
from systemadmin.foundation.configuration import declared_settings
from systemadmin.tests.factories import StaffFactory, totp_device_for

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.same_on_both]

PLAIN_PAGES = ("/admin/", "/admin/status/", "/admin/retention/", "/admin/second-person/")
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
# Words of English sentences that are no words of Spanish, nor of names and codes.
ENGLISH = re.compile(
    r"\b(the|is|are|was|were|with|this|that|which|when|than|will|been|its|since|until|could|"
    r"should|cannot|yours?|their|there|these|those|every|nobody|somebody|whoever|by|of|and)\b"
)
# What the people of the world wrote: names, codes and notes, a work out, a mail to a customer.
WRITTEN = re.compile(
    r"^(Orders|orders|[Cc]ommission|[Tt]est|draft|Answer|10 % of 2000 is 200\.|"
    r".*We have received your message.*)$",
    re.S,
)
# Elements whose text is a value, a code or what somebody wrote.
VALUES = {"script", "style", "pre", "code", "textarea", "option", "blockquote"}
SHOWN_ATTRIBUTES = {"title", "placeholder", "aria-label", "alt"}


class Texts(HTMLParser):
    """Collects what a page says: text and the attributes that are read to people."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.inside = 0
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.inside += tag in VALUES
        self.found += [value for name, value in attrs if name in SHOWN_ATTRIBUTES and value]

    def handle_endtag(self, tag):
        self.inside -= tag in VALUES and self.inside > 0

    def handle_data(self, data):
        if not self.inside:
            self.found.append(data)

    def texts(self):
        return {" ".join(text.split()).rstrip(":") for text in self.found} - {""}


def english_texts():
    """The English of every text whose Spanish is another one."""
    known = set()
    for folder in settings.LOCALE_PATHS:
        with open(Path(folder) / "es/LC_MESSAGES/django.mo", "rb") as handle:
            catalog = gettext.GNUTranslations(handle)._catalog
        for key, text in catalog.items():
            source = key[0] if isinstance(key, tuple) else key
            source = source.rpartition("\x04")[2]
            if text.casefold() != source.casefold() and "%" not in source and len(source) > 3:
                known |= {source, source[:1].upper() + source[1:]}
    return known


@pytest.fixture(scope="module")
def pages(django_db_setup, django_db_blocker):
    """Every page with the texts that it shows to a superuser in Spanish."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("messaging.services.rules.windows_of", lambda tier: ())
        patch.setattr("django.conf.settings.RATELIMIT_ENABLE", False)
        with transaction.atomic():
            call_command("setup", verbosity=0)
            # By one person, as the tests themselves act.
            single = declared_settings()["duties.single_person"]
            object.__setattr__(single, "default", True)
            build_world()
            object.__setattr__(single, "default", False)
            yield walked(reader())
            transaction.set_rollback(True)


def reader():
    user = StaffFactory(username="lectora", is_superuser=True, language="es")
    client = Client(HTTP_ACCEPT_LANGUAGE="es")
    client.force_login(user, backend="systemadmin.backends.AccountBackend")
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = totp_device_for(user).persistent_id
    session.save()
    return client


def addresses():
    yield from PLAIN_PAGES
    for model in MODELS:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        row = model._default_manager.order_by("-pk").first()
        for page, args in (("add", []), ("change", [row.pk] if row else None)):
            try:
                if args is not None:
                    yield reverse(f"{name}_{page}", args=args)
            except NoReverseMatch:
                continue


def walked(client):
    found = {}
    for address in addresses():
        answer = client.get(address)
        if answer.status_code == 200 and not answer.streaming:
            parser = Texts()
            parser.feed(answer.content.decode())
            found[address] = parser.texts()
    return found


def test_no_page_shows_an_english_text_that_has_a_spanish_one(pages):
    assert len(pages) > 120
    known, wrong = english_texts(), defaultdict(list)
    for address, texts in pages.items():
        for text in texts & known:
            if not WRITTEN.match(text):
                wrong[text].append(address)
    assert wrong == {}


def test_no_page_speaks_in_english_sentences(pages):
    wrong = defaultdict(list)
    for address, texts in pages.items():
        for text in texts:
            if len(ENGLISH.findall(text)) > 1 and not WRITTEN.match(text):
                wrong[text].append(address)
    assert wrong == {}
