"""What is not UTF-8 is refused with a reason, whatever the client names, before it is decoded."""

import asyncio
import bz2
import io
import json
import logging
import time
import tracemalloc
from functools import lru_cache

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client, RequestFactory
from django.utils.module_loading import import_string
from hypothesis import given
from hypothesis import strategies as st

from systemadmin.foundation import request_encoding
from systemadmin.foundation.content_type import content_type_is_plain, utf8_only_asgi
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.request_encoding import undecodable_field
from systemadmin.foundation.testing import problem

LOGIN = "/api/auth/login"
CODECS = [
    "bz2",
    "zlib",
    "hex",
    "base64",
    "quopri",
    "uu",
    "rot13",
    "punycode",
    "idna",
    "utf-7",
    "utf-16",
    "utf-32",
    "utf_8_sig",
    "unicode_escape",
    "raw_unicode_escape",
    "latin-1",
    "ascii",
    "mbcs",
    "undefined",
    "charmap",
    "no-such-codec",
]
TYPES = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "application/json",
        "application/json; charset=utf-8",
        'Application/JSON ;charset="UTF-8"',
        "application/json;charset=utf8;",
        "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxk",
        "multipart/form-data; boundary=a/b:c?d; charset=utf-8",
        'multipart/form-data; boundary="a b"',
    ],
)
def test_a_plain_content_type_is_taken(raw):
    assert content_type_is_plain(raw)


@pytest.mark.parametrize(
    "raw",
    [
        *(f"application/json; charset={name}" for name in CODECS),
        'application/json; charset="bz2"',
        "application/json; charset=utf-8; charset=bz2",
        "application/json; charset*=bz2''x",
        "application/json; charset*0=bz; charset*1=2",
        "application/json; Charset=BZ2",
        "application/json; charset",
        'application/json; charset="utf-8',
        "application/json; charset=utf-8\x00",
        "application/json; a=é",
        "application/json" + "; a=b" * 500,
        "; charset=bz2",
    ],
)
def test_any_other_is_not(raw):
    assert not content_type_is_plain(raw)


@given(st.text(max_size=400))
def test_any_text_as_content_type_is_answered(raw):
    content_type_is_plain(raw)


def test_a_content_type_made_to_be_slow_is_not():
    started = time.process_time()
    for raw in ["a/b" + ";  " * 90, "a/b;" + " ;" * 140 + "é", 'a/b;x="' + "\\" * 280]:
        content_type_is_plain(raw)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"a=1&b=2", None),
        ("a=señal".encode(), None),
        (b"a=se%C3%B1al", None),
        (b"a=1&b=%ff", "b"),
        (b"a=%00", "a"),
        (b"a=\x00", "a"),
        (b"%00=a", "\ufffd"),
        (b"a=%ED%A0%80", "a"),
        (b"a=%C0%80", "a"),
        (b"x=%zz", None),
    ],
)
def test_the_field_that_is_no_text_is_named(raw, field):
    assert undecodable_field(raw) == field


@given(st.binary(max_size=60))
def test_a_query_that_is_taken_is_text(raw):
    if undecodable_field(raw) is None:
        request = RequestFactory().get("/", QUERY_STRING=raw.decode("latin-1"))
        for name, values in request.GET.lists():
            assert "\ufffd" not in name or b"%EF%BF%BD" in raw.upper() or b"\xef\xbf\xbd" in raw
            assert not any("\x00" in value for value in [name, *values])


# -- the whole way, through the entry points -----------------------------------------------


@lru_cache
def entry_point():
    """What the server calls, from the settings."""
    return import_string(django_settings.WSGI_APPLICATION)


def wsgi(path="/api/products", *, method="GET", content_type="", query="", body=b""):
    """Call the WSGI entry point as a server would; return status, headers and body."""

    environ = RequestFactory().generic("GET", path).environ | {
        "REQUEST_METHOD": method,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(body)),
        "QUERY_STRING": query,
        "wsgi.input": io.BytesIO(body),
    }
    seen = {}
    # As Django's test client does: the connection holds the test's transaction.
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    try:
        answer = entry_point()(
            environ, lambda status, headers: seen.update(status=status, headers=headers)
        )
        content = b"".join(answer)
        answer.close()
    finally:
        request_started.connect(close_old_connections)
        request_finished.connect(close_old_connections)
    return int(seen["status"][:3]), dict(seen["headers"]), content


def is_refusal(answer, caplog, status=415):
    got, headers, content = answer
    assert got == status, content
    assert headers["X-Request-ID"]
    assert content
    if headers["Content-Type"] == "application/problem+json":
        assert json.loads(content)["request_id"] == headers["X-Request-ID"]
    return True


@pytest.fixture
def lines(caplog):
    """What the project logs."""
    entry_point()  # it sets the logging up anew
    with caplog.at_level(logging.INFO):
        yield caplog


@pytest.fixture
def with_cookie(db):
    """Ask for a page with a `Cookie` header, as it would come."""
    return lambda path, cookie: Client().get(path, headers={"cookie": cookie})


@pytest.mark.django_db
class TestEntryPoint:
    @pytest.mark.parametrize(
        ("codec", "kind", "path"),
        [
            *((codec, TYPES[0], LOGIN) for codec in CODECS),
            *(("bz2", kind, "/admin/login/") for kind in TYPES),
            *(("hex", kind, "/api/products") for kind in TYPES),
            ("idna", TYPES[1], "/nowhere"),
        ],
    )
    def test_another_charset_is_a_415(self, codec, kind, path, lines):
        answer = wsgi(path, method="POST", content_type=f"{kind}; charset={codec}", query="a=%41")
        assert is_refusal(answer, lines)
        assert any("415" in line.getMessage() for line in lines.records)

    @pytest.mark.parametrize("path", [LOGIN, "/admin/login/"])
    def test_an_extended_charset_is_a_415(self, path, lines):
        kind = "application/json; charset*=bz2''x"
        assert is_refusal(wsgi(path, method="POST", content_type=kind), lines)

    def test_a_bomb_is_not_unpacked(self, lines):
        bomb = bz2.compress(b" " * 40_000_000)
        kind = "application/json; charset=bz2"
        wsgi(LOGIN, method="POST", content_type=kind)  # load what is loaded once
        tracemalloc.start()
        started = time.process_time()
        assert is_refusal(wsgi(LOGIN, method="POST", content_type=kind, body=bomb), lines)
        assert time.process_time() - started < 1
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
        tracemalloc.stop()

    @pytest.mark.parametrize("query", ["search=%ff", "search=%00", "search=\xff", "%ED%A0%80=1"])
    @pytest.mark.parametrize("path", ["/api/products", "/admin/login/"])
    def test_a_query_that_is_no_text_is_a_400(self, path, query, lines):
        assert is_refusal(wsgi(path, query=query), lines, 400)

    @pytest.mark.parametrize("path", ["/api/products", LOGIN, "/admin/", "/nowhere"])
    def test_a_cookie_made_of_escapes_is_not_read(self, path, with_cookie):
        started = time.process_time()
        answer = with_cookie(path, 'sessionid="' + "\\" * 60_000 + '"')
        assert time.process_time() - started < 1
        assert answer.status_code == 400

    def test_a_cookie_with_some_escapes_is_read(self, with_cookie):
        answer = with_cookie("/api/products", 'django_language="' + "\\" * 100 + '"')
        assert answer.status_code == 200

    def test_utf8_is_taken(self, lines):
        status, _headers, content = wsgi(query="search=se%C3%B1al")
        assert status == 200, content
        body = b'{"username": "a", "password": "b"}'
        kind = "application/json; charset=utf-8"
        assert wsgi(LOGIN, method="POST", content_type=kind, body=body)[0] == 401

    @pytest.mark.parametrize(
        ("headers", "query", "status"),
        [
            ([(b"content-type", b"application/json; charset=bz2")], b"", 415),
            ([(b"content-type", b"text/plain"), (b"content-type", b"a/b; charset=hex")], b"", 415),
            ([(b"content-type", b"a/b; charset*=bogus''x")], b"", 415),
            ([], b"search=\xff\xfe", 400),
            ([], b"search=%00", 400),
            ([], "search=señal".encode(), 200),
        ],
    )
    def test_the_event_streams_process_refuses_alike(self, headers, query, status, monkeypatch):
        """Only the door: what it hands on, and what the middleware says to that."""
        seen = {}

        async def django(scope, receive, send):
            seen.update(scope)

        door = utf8_only_asgi(django)
        scope = {"type": "http", "method": "GET", "path": "/api/products", "headers": headers}
        asyncio.run(door({**scope, "query_string": query}, None, None))
        from django.core.handlers.asgi import ASGIRequest

        request = ASGIRequest(seen, io.BytesIO())
        refusal = request_encoding._refusal_of(request)
        assert (refusal.status if refusal else 200) == status


@pytest.mark.django_db
class TestForms:
    @pytest.mark.parametrize(
        ("body", "field"),
        [(b"username=%ff", "username"), (b"a=1&next=%00", "next"), (b"b=\xc3", "b")],
    )
    def test_a_form_that_is_no_text_is_refused(self, body, field):
        response = Client().post(
            "/admin/login/", body, content_type="application/x-www-form-urlencoded"
        )
        assert response.status_code == 400
        assert field in response.content.decode()

    def test_a_form_that_is_too_large_is_a_413(self, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
        response = Client().post(
            "/admin/login/", b"a=" + b"b" * 200, content_type="application/x-www-form-urlencoded"
        )
        assert response.status_code == 413


def multipart(*parts, boundary="b0undary"):
    lines = b"".join(
        b"--" + boundary.encode() + b"\r\n" + headers + b"\r\n\r\n" + body + b"\r\n"
        for headers, body in parts
    )
    return lines + b"--" + boundary.encode() + b"--\r\n"


PLAIN = b'Content-Disposition: form-data; name="username"'
BAD_PARTS = [
    (PLAIN, b"\xff\xfe"),
    (PLAIN, b"a\x00b"),
    (PLAIN + b"\r\nContent-Type: text/plain; charset=bz2", b"a"),
    (PLAIN + b"\r\nContent-Type: text/plain; charset*=bogus''x", b"a"),
    (PLAIN + b"\r\nContent-Transfer-Encoding: uuencode", b"a"),
    (b'Content-Disposition: form-data; name="\xff"', b"a"),
    (b"Content-Disposition: form-data; name*=bz2''a", b"a"),
    (b"Content-Disposition: form-data; name=\"a\"; filename*=bogus''a", b"a"),
    (b"Content-Disposition: form-data; name=\"a\"; filename*=punycode''a", b"a"),
    (b"Content-Disposition: form-data; name=\"a\"; filename*0*=bz2''a", b"a"),
    (b'Content-Disposition: form-data; name="a"; name="b"', b"a"),
    (b'Content-Disposition: form-data; name="a\x00"', b"a"),
    (b'Content-Disposition: form-data; name="a', b"a"),
    (b"no colon", b"a"),
    (PLAIN + b"\r\nX: " + b"a" * 9000, b"a"),
]


@pytest.mark.django_db
class TestMultipart:
    @pytest.mark.parametrize("part", BAD_PARTS)
    @pytest.mark.parametrize("path", [LOGIN, "/admin/login/"])
    def test_a_part_that_is_no_text_is_refused(self, part, path):
        body = multipart((PLAIN, b"first"), part, (PLAIN, b"last"))
        kind = "multipart/form-data; boundary=b0undary"
        response = Client().post(path, body, content_type=kind)
        assert response.status_code == 400, response.content
        if path == LOGIN:
            assert response["Content-Type"] == "application/problem+json"

    def test_a_part_is_checked_wherever_a_chunk_ends(self):
        from systemadmin.foundation.uploads import _CheckedParts

        body = multipart((PLAIN, b"x" * 50), (PLAIN + b"\r\nContent-Type: a/b; charset=bz2", b"a"))
        for size in range(1, 60):
            stream = _CheckedParts(io.BytesIO(body), b"b0undary")
            with pytest.raises(InvalidInput):
                list(iter(lambda stream=stream, size=size: stream.read(size), b""))

    @given(
        fields=st.dictionaries(
            st.sampled_from(["a", "ñ", "b c"]),
            st.text(
                st.characters(exclude_characters="\x00\r\n", exclude_categories=["Cs"]), max_size=30
            ),
        ),
        content=st.binary(max_size=300),
    )
    def test_what_is_utf8_comes_through_unchanged(self, fields, content):
        file = SimpleUploadedFile("señal ñ.bin", content or b"x", "image/png; charset=utf-8")
        request = RequestFactory().post("/", {**fields, "file": file})
        assert request.POST.dict() == fields
        assert request.FILES["file"].name == "señal ñ.bin"
        assert request.FILES["file"].read() == (content or b"x")

    def test_an_extended_file_name_in_utf8_is_taken(self):
        part = b"Content-Disposition: form-data; name=\"f\"; filename*=UTF-8''se%C3%B1al.txt"
        kind = "multipart/form-data; boundary=b0undary"
        request = RequestFactory().generic("POST", "/", multipart((part, b"x")), kind)
        assert request.FILES["f"].name == "señal.txt"


BAD_JSON = [
    (b'{"username": "a\\u0000b", "password": "x"}', "username"),
    (b'{"username": "\\ud800", "password": "x"}', "username"),
    (b'{"username": 1e999999, "password": "x"}', "username"),
    (b'{"username": ' + b"9" * 5000 + b', "password": "x"}', "username"),
    (b'{"username": 9223372036854775808, "password": "x"}', "username"),
    (b'{"username": NaN, "password": "x"}', "username"),
    (b'{"username": -Infinity, "password": "x"}', "username"),
    (b'{"device": {"screen": ["a", {"b": 1e400}]}}', "device.screen.1.b"),
    (b'{"username": "a", "username": "b"}', "username"),
    (b'{"a\\u0000": 1}', "a\ufffd"),
    (b"[" * 33 + b"]" * 33, ""),
    (b"[" * 100_000, ""),
    (b'{"a":' * 100_000, ""),
]


@pytest.mark.django_db
class TestJson:
    @pytest.mark.parametrize(("body", "field"), BAD_JSON)
    def test_a_value_that_cannot_be_stored_names_its_field(self, api, body, field):
        response = api.post(LOGIN, body, content_type="application/json")
        found = problem(response, 400, "invalid", field=field)
        assert found["errors"][0]["detail"]

    @pytest.mark.parametrize(
        "body", [b"\xff", b'{"a":', "{}".encode("utf-16"), b"\xef\xbb\xbf{}", b"{} {}"]
    )
    def test_what_is_no_json_in_utf8_is_a_problem(self, api, body):
        problem(api.post(LOGIN, body, content_type="application/json"), 400, "parse_error")

    def test_a_body_beyond_the_bound_is_a_413(self, api, settings):
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
        body = json.dumps({"username": "a" * 1000})
        problem(api.post(LOGIN, body, content_type="application/json"), 413, "too_large")

    @pytest.mark.parametrize(
        "body",
        [
            b"[" + b"1," * 499_999 + b"1]",
            b"[" + b"9" * 4299 + b"," * 1 + (b"9" * 4299 + b",") * 230 + b"1]",
            b"[" + b"1e400," * 160_000 + b"1]",
            b'{"a":1,' * 30 + b'"a":[' + b"{}," * 300_000 + b"{}]" + b"}" * 30,
            b'"' + b"\\u0000" * 160_000 + b'"',
            b"[" + b"[]," * 300_000 + b"[]]",
            b"{" + b",".join(b'"%d":0' % n for n in range(90_000)) + b"}",
            b"{" + b'"a":0,' * 160_000 + b'"a":0}',
        ],
    )
    def test_a_hostile_megabyte_costs_less_than_a_second(self, api, body):
        # The first call of a process loads the addresses.
        problem(api.post(LOGIN, b"{}", content_type="application/json"), 400)
        started = time.process_time()
        problem(api.post(LOGIN, body, content_type="application/json"), 400)
        assert time.process_time() - started < 1
