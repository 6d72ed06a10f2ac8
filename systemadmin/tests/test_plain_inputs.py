"""The same strict reading in forms, input serializers and lists of the admin."""

import pytest
from django import forms
from django.contrib.admin import site
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.test import RequestFactory
from rest_framework import serializers

from systemadmin.foundation.admin import AtalayaModelAdmin
from systemadmin.foundation.api import StrictSerializer
from systemadmin.foundation.forms import (
    LineField,
    PlainDecimalField,
    PlainFloatField,
    PlainIntegerField,
)
from systemadmin.models import AuditEntry


class Everything(StrictSerializer):
    """One field of each kind."""

    whole = serializers.IntegerField(required=False)
    wholes = serializers.ListField(child=serializers.IntegerField(), required=False)
    number = serializers.DecimalField(max_digits=20, decimal_places=2, required=False)
    fraction = serializers.FloatField(required=False)
    at = serializers.DateTimeField(required=False)
    day = serializers.DateField(required=False)
    ip = serializers.IPAddressField(required=False)
    title = serializers.CharField(max_length=200, required=False)
    body = serializers.CharField(max_length=5000, required=False)
    password = serializers.CharField(max_length=100, required=False, trim_whitespace=False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("whole", "²"),
        ("whole", "٣"),
        ("whole", "1_000"),
        ("whole", "007"),
        ("whole", "9" * 900),
        ("wholes", ["1", "٣"]),
        ("number", "1e3"),
        ("number", "٣"),
        ("fraction", "nan"),
        ("fraction", "1_0"),
        ("at", "0001-01-01T00:00:00Z"),
        ("at", "9999-12-31T23:59:59-14:00"),
        ("at", "2026-W01-1T00:00:00Z"),
        ("day", "9999-12-31"),
        ("day", "20260101"),
        ("ip", "1.2.3.4%eth0"),
        ("title", "a\rb"),
        ("title", "a\nb"),
        ("title", "a\u2028b"),
        ("title", "a\x85b"),
    ],
)
def test_an_input_is_read_strictly(field, value):
    serializer = Everything(data={field: value})
    assert not serializer.is_valid()
    assert list(serializer.errors) == [field]


def test_what_is_written_plainly_is_taken():
    data = {
        "whole": "12",
        "wholes": [1, "2"],
        "number": "12.50",
        "fraction": "1.5e3",
        "at": "2026-06-01T10:00:00+02:00",
        "day": "2026-06-01",
        "ip": "192.0.2.1",
        "title": " Señal ñ ",
        "body": "one\r\ntwo",
        "password": "a\tb",
    }
    serializer = Everything(data=data)
    assert serializer.is_valid(), serializer.errors


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (PlainIntegerField(), "٣"),
        (PlainIntegerField(), "1_000"),
        (PlainDecimalField(), "1e300000"),
        (PlainFloatField(), "nan"),
        (LineField(max_length=200), "a\rb"),
        (LineField(max_length=100), "a\u2029b"),
    ],
)
def test_a_form_field_reads_strictly(field, text):
    with pytest.raises(ValidationError):
        field.clean(text)


def test_long_texts_and_passwords_are_written_freely():
    assert LineField(max_length=5000).clean("a\nb") == "a\nb"
    assert LineField(max_length=100, widget=forms.Textarea).clean("a\nb") == "a\nb"
    assert PlainIntegerField().clean(" 12 ") == 12


class DatedAdmin(AtalayaModelAdmin):
    """A list by dates."""

    date_hierarchy = "occurred_at"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    [
        {"occurred_at__year": "9" * 20},
        {"occurred_at__year": "2026", "occurred_at__month": "9" * 20},
        {"occurred_at__year": "2026", "occurred_at__month": "2", "occurred_at__day": "31"},
    ],
)
def test_a_list_of_the_admin_goes_back_to_the_whole_list(superuser, query):
    request = RequestFactory().get("/", query)
    request.user = superuser
    with pytest.raises(IncorrectLookupParameters):
        DatedAdmin(AuditEntry, site).get_changelist_instance(request)
