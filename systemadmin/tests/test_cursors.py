"""Cursors: only what a list made comes back, and pages joined together are the whole list."""

import base64
import json
import time
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from django.apps import apps
from django.db.models import F
from django.db.models.functions import Length, NullIf
from django.test import RequestFactory
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.request import Request

from systemadmin.foundation.api import CursorList, cursors
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import problem
from systemadmin.models import User
from systemadmin.tests.factories import UserFactory

BOUND = "/api/things?-at,id"
TYPES = [
    cursors.WHOLE,
    cursors.MOMENT,
    cursors.DAY,
    cursors.DECIMAL,
    cursors.FLOAT,
    cursors.FLAG,
    cursors.UUID,
    cursors.TEXT,
]
VALUES = st.tuples(
    st.integers(-(2**63), 2**63 - 1),
    st.datetimes(timezones=st.just(UTC), min_value=datetime(2, 1, 1)),
    st.dates(),
    st.decimals(-(10**15), 10**15, places=6).filter(
        lambda number: number or not number.is_signed()
    ),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.uuids(),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=400),
)


def encode(values=(5, None), types=(cursors.WHOLE, cursors.MOMENT), bound=BOUND):
    return cursors.encode(list(values), False, types=list(types), bound=bound)


def decode(raw, types=(cursors.WHOLE, cursors.MOMENT), bound=BOUND):
    return cursors.decode(raw, types=list(types), bound=bound)


@given(VALUES, st.sets(st.integers(0, 7)), st.booleans())
def test_values_come_back_as_they_were(values, nulls, backwards):
    row = [None if index in nulls else value for index, value in enumerate(values)]
    raw = cursors.encode(row, backwards, types=TYPES, bound=BOUND)
    assert len(raw) <= cursors.LONGEST
    assert cursors.decode(raw, types=TYPES, bound=BOUND) == (row, backwards)


@given(st.data())
def test_a_change_of_any_byte_is_refused(data):
    raw = encode((data.draw(st.integers(-(10**18), 10**18)), datetime(2026, 6, 1, tzinfo=UTC)))
    place = data.draw(st.integers(0, len(raw) - 1))
    for letter in map(chr, range(256)):
        if letter != raw[place]:
            with pytest.raises(cursors.InvalidCursor):
                decode(raw[:place] + letter + raw[place + 1 :])
    for changed in (raw[:place], raw[:place] + raw[place + 1 :], raw[:place] + "A" + raw[place:]):
        with pytest.raises(cursors.InvalidCursor):
            decode(changed)
    for ending in ("=", "==", "!", "\n", " ", "A"):
        with pytest.raises(cursors.InvalidCursor):
            decode(raw + ending)


@given(st.text(max_size=300))
def test_a_cursor_nobody_made_is_refused(raw):
    with pytest.raises(cursors.InvalidCursor):
        decode(raw)


def test_a_cursor_is_good_for_its_list_and_its_columns_only():
    raw = encode()
    with pytest.raises(cursors.InvalidCursor):
        decode(raw, bound="/api/things?at,id")
    with pytest.raises(cursors.InvalidCursor):
        decode(raw, bound="/api/others?-at,id")
    for types in [(cursors.WHOLE,), (cursors.WHOLE, cursors.MOMENT, cursors.WHOLE)]:
        with pytest.raises(cursors.InvalidCursor):
            decode(raw, types=types)
    with pytest.raises(cursors.InvalidCursor):
        decode(
            encode((5, datetime(2026, 6, 1, tzinfo=UTC))), types=(cursors.MOMENT, cursors.MOMENT)
        )


def test_a_cursor_outlives_a_change_of_the_secret_key(settings):
    raw = encode()
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-" + "1" * 40
    assert decode(raw) == ([5, None], False)
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(cursors.InvalidCursor):
        decode(raw)


@pytest.mark.django_db
@pytest.mark.parametrize("number", ["1e300000", "1e999999", "9" * 100_000])
def test_a_cursor_with_a_huge_number_costs_nothing(api, number):
    payload = {
        "v": [{"t": "2026-06-01T16:00:00+00:00"}, {"n": number}],
        "o": "-listed_at,-id",
        "b": 0,
    }
    raw = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode()
    # The first call of a process loads the addresses.
    assert api.get("/api/products").status_code == 200
    started = time.process_time()
    problem(api.get("/api/products", {"cursor": raw}), 400, "invalid", field="cursor")
    assert time.process_time() - started < 1


@pytest.mark.django_db
@pytest.mark.parametrize("raw", ["x", "\x00", "é", "AAAA", "A" * 5000, "%F0", "[]", "\ud800"])
def test_a_cursor_we_never_made_is_a_problem(api, raw):
    raw = raw.encode("utf-8", "surrogatepass").decode("latin-1")
    problem(api.get("/api/products", {"cursor": raw}), 400)


@pytest.mark.parametrize(
    "size", ["000001000000", "0", "101", "²", "٣", "1_0", "+5", " 5", "5.0", "1e1", ""]
)
def test_a_page_size_is_a_plain_number(api, db, size):
    problem(api.get("/api/products", {"page_size": size}), 400, "invalid", field="page_size")


@pytest.fixture
def crowd(db):
    """Accounts with ties and nulls in every ordering column."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for index in range(17):
        UserFactory(
            country=["", "ES", "FR"][index % 3],
            external_id=f"x{index}" if index % 4 else None,
            verified_at=start + timedelta(microseconds=index // 5) if index % 3 else None,
            is_active=bool(index % 2),
            date_joined=start + timedelta(days=index // 6),
        )
    return User.objects.annotate(length=Length("country"), nothing=NullIf(F("id"), F("id")))


def _page(rows, terms, size, url=None):
    request = Request(RequestFactory().get(url or f"/api/things?page_size={size}"))
    paginator = CursorList()
    paginator.ordering = tuple(terms)
    found = paginator.paginate_queryset(rows, request)
    return [row.pk for row in found], paginator.get_paginated_response([]).data


COLUMNS = ["country", "external_id", "verified_at", "is_active", "date_joined", "length", "nothing"]
ORDERINGS = st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(*(st.sampled_from([name, f"-{name}"]) for name in names))
)


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(terms=ORDERINGS, tie=st.sampled_from(["id", "-id"]), size=st.integers(1, 20))
def test_pages_in_any_order_have_no_gap_and_no_double(crowd, terms, tie, size):
    ids, links = _page(crowd, (*terms, tie), size)
    pages = [ids]
    while links["next"]:
        ids, links = _page(crowd, (*terms, tie), size, links["next"])
        pages.append(ids)
    walked = [pk for page in pages for pk in page]
    expected = [
        F(term.lstrip("-")).desc(nulls_last=True)
        if term.startswith("-")
        else F(term).asc(nulls_last=True)
        for term in (*terms, tie)
    ]
    assert walked == list(crowd.order_by(*expected).values_list("pk", flat=True))
    for page in reversed(pages[:-1]):
        ids, links = _page(crowd, (*terms, tie), size, links["previous"])
        assert ids == page
    assert links["previous"] is None


def test_a_changed_link_is_a_400_of_the_list(crowd):
    _ids, links = _page(crowd, ("country", "id"), 3)
    raw = parse_qs(urlsplit(links["next"]).query)["cursor"][0]
    for place in range(len(raw)):
        changed = raw[:place] + ("A" if raw[place] != "A" else "B") + raw[place + 1 :]
        with pytest.raises(InvalidInput):
            _page(crowd, ("country", "id"), 3, f"/api/things?page_size=3&cursor={changed}")
    with pytest.raises(InvalidInput):
        _page(crowd, ("country", "id"), 3, f"/api/others?page_size=3&cursor={raw}")


def test_types_follow_the_columns():
    field = cursors.column_of(User.objects.all(), "date_joined")
    assert cursors.type_of(field) is cursors.MOMENT
    orders = apps.get_model("marketplace", "Order").objects.all()
    assert cursors.type_of(cursors.column_of(orders, "buyer_id")) is cursors.WHOLE
    with pytest.raises(TypeError):
        cursors.type_of(
            cursors.column_of(apps.get_model("marketplace", "Product").objects.all(), "images")
        )
    assert cursors.DECIMAL.read(cursors.DECIMAL.write(Decimal("1.50"))) == Decimal("1.5")
    assert cursors.DAY.read(cursors.DAY.write(date(2026, 6, 1))) == date(2026, 6, 1)
    assert cursors.UUID.read(cursors.UUID.write(uuid.UUID(int=7))) == uuid.UUID(int=7)
