"""A required text shows something; a name never reorders what stands around it."""

import unicodedata

import pytest
from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import serializers

from systemadmin.foundation.admin import AtalayaModelAdmin
from systemadmin.foundation.api import StrictSerializer
from systemadmin.foundation.forms import LineField
from systemadmin.foundation.readable_text import (
    MOST_MARKS,
    Blank,
    check_readable,
    has_stacked_marks,
    is_visible,
    isolated,
    visible_text,
    without_direction,
)
from systemadmin.foundation.single_line import single_line
from systemadmin.foundation.testing import processor_seconds
from systemadmin.models import Notification, User
from systemadmin.services import notify_user
from systemadmin.tests.factories import UserFactory

# One of each kind: spaces, zero width, joiners, selectors alone, fillers, blanks by design, tags,
# hyphens, controls of direction and of text, marks alone, private use, unassigned, noncharacters.
POINTS = """
    0020 00a0 1680 2003 3000 2028 200b 200c 200d 2060 2063 feff 180e fe0f e0101 180b 115f 1160 3164
    ffa0 17b4 2800 fffc 1d159 13441 e0041 e007f 00ad 034f 202a 202e 2066 2069 200e 200f 061c 206a
    fff9 0001 007f 0085 0301 20dd 0903 0e31 e000 f0000 0378 e0fff fdd0 ffff 1d173 d800
"""
INVISIBLE = [chr(int(point, 16)) for point in POINTS.split()]
VISIBLE = [
    "a",
    "ñ",
    "n\u0303",
    "·",
    "…",
    "7",
    "한",
    "ㄱ",
    "नि",
    "ไทย",
    "\u0600",
    "👍🏽",
    "👩‍👩‍👧‍👦",
    "❤️",
    "🇪🇸",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
    "1️⃣",
    "🏽",
    "\u200b\u3164x\u202e",
]
STACKED = "a" + "\u0301\u0327" * MOST_MARKS


class Ask(StrictSerializer):
    """A text of each kind."""

    title = serializers.CharField(max_length=100, required=False)
    reason = serializers.CharField(required=False)
    body = serializers.CharField(trim_whitespace=False, max_length=5000, required=False)
    note = serializers.CharField(allow_blank=True, required=False)
    password = serializers.CharField(max_length=128, trim_whitespace=False, required=False)


@pytest.mark.parametrize("text", INVISIBLE, ids=ascii)
def test_a_text_that_shows_nothing_is_blank(text):
    assert not is_visible(text)
    assert visible_text(f" {text}\u200b\u0301 ") == ""
    with pytest.raises(Blank):
        check_readable(text)
    check_readable(text, may_be_blank=True)


@pytest.mark.parametrize("text", VISIBLE, ids=ascii)
def test_a_text_that_shows_something_is_kept_as_it_is(text):
    assert visible_text(f" {text}\n") == text.strip()
    check_readable(text)


@pytest.mark.parametrize("field", ["title", "reason", "body"])
@pytest.mark.parametrize("text", ["\u200b", "\u2800", "\U000e0041", "\u0301"], ids=ascii)
def test_an_input_that_needs_a_text_refuses_an_invisible_one(field, text):
    serializer = Ask(data={field: text})
    assert not serializer.is_valid()
    assert serializer.errors[field][0].code == "blank"


def test_what_may_be_blank_or_is_secret_may_be_invisible():
    serializer = Ask(data={"note": "\u200b", "password": "\u200b\u3164\u0301" + STACKED})
    assert serializer.is_valid(), serializer.errors


@pytest.mark.parametrize("widget", [forms.TextInput, forms.Textarea])
def test_a_form_field_refuses_an_invisible_text_where_one_is_required(widget):
    with pytest.raises(ValidationError) as refused:
        LineField(max_length=100, widget=widget).clean("\u3164")
    assert refused.value.code == "blank"
    assert LineField(max_length=100, required=False, widget=widget).clean("\u3164") == "\u3164"


def test_long_texts_of_admin_pages_are_checked_too():
    page = AtalayaModelAdmin(Notification, admin.site)
    field = page.formfield_for_dbfield(Notification._meta.get_field("body"), None)
    assert isinstance(field, LineField)
    assert isinstance(field.widget, forms.Textarea)


# -- marks on marks ------------------------------------------------------------------


def test_a_character_carries_a_bounded_number_of_marks():
    assert has_stacked_marks(STACKED)
    assert has_stacked_marks("hola " + "e" + "\u200d\u0301" * (MOST_MARKS + 1))
    with pytest.raises(ValueError, match="10"):
        check_readable(STACKED, may_be_blank=True)
    for field in ("title", "reason", "body", "note"):
        assert not Ask(data={field: STACKED}).is_valid()


@pytest.mark.parametrize("text", ["בְּרֵאשִׁ֖ית", "ที่นี่", "བསྒྲུབས", "Việt Nam", "ক্ষ্ম্য", "👩🏽‍❤️‍💋‍👨🏿"])
def test_no_writing_of_people_is_refused_for_its_marks(text):
    check_readable(text)
    check_readable(unicodedata.normalize("NFD", text))


# -- direction -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "mark", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u206a\ufff9"
)
def test_a_line_holds_no_control_of_direction(mark):
    assert not Ask(data={"title": f"Support {mark} moc.knab"}).is_valid()
    with pytest.raises(ValidationError):
        LineField(max_length=100).clean(f"a{mark}b")


def test_names_of_every_script_are_lines():
    for name in ("دعم", "שלום", "می\u200cخواهم", "O\u2019Neill", "José 👩🏽‍🔧"):
        assert Ask(data={"title": name}).is_valid()


def test_old_names_are_shown_without_controls():
    user = User(first_name="Support \u202e moc.knab", last_name="\u202eTeam\r\nBcc: x@y.example")
    assert user.get_full_name() == "Support  moc.knab Team Bcc: x@y.example"
    assert single_line("a\u2066b\u202ec\r\nd") == "abc d"
    assert without_direction("\u202dabc\u2069") == "abc"


def test_a_name_between_words_is_isolated_where_it_needs_to_be():
    assert isolated("\u202eOscar") == "Oscar"
    assert isolated("שלום\u202e") == "\u2068שלום\u2069"


@pytest.mark.django_db
def test_a_notice_has_no_control_of_direction_in_its_subject():
    notices = notify_user(user=UserFactory(), kind="x", subject="By \u202eeman", body="b", key="k1")
    assert notices
    assert {notice.subject for notice in notices} == {"By eman"}


# -- any text ------------------------------------------------------------------------


@given(st.text(max_size=200))
def test_any_text_is_judged(text):
    assert (visible_text(text) != "") == is_visible(text)
    assert "\u202e" not in isolated(text)
    assert single_line(single_line(text)) == single_line(text)


@pytest.mark.parametrize(
    "piece", ["\u0301", "\u200d", "a\u0301", "🇪🇸", "👩‍", "क्", "\u1100", "\ufe0f\u0301"]
)
def test_any_text_is_judged_in_linear_time(piece):
    text = piece * (100_000 // len(piece))

    def judge():
        return is_visible(text), has_stacked_marks(text), isolated(text)

    assert processor_seconds(judge) < 2
