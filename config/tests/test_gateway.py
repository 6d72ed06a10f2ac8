"""Headers with an underscore override nothing, in real granian processes of both interfaces."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from config import gateway, serve

# What a request is to the application: the address that counts, its headers and its body.
PROBE = """
import json
from io import BytesIO
from django.conf import settings
settings.configure(TRUSTED_PROXY_COUNT=1, ALLOWED_HOSTS=["*"],
                   SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from config.gateway import Gateway, without_underscores
from systemadmin.foundation.client_ip import client_ip

def told(request):
    return json.dumps({
        "ip": client_ip(request), "secure": request.is_secure(), "path": request.path,
        "query": request.META["QUERY_STRING"], "key": request.headers.get("Idempotency-Key"),
        "method": request.method, "body": request.body.decode("latin-1"),
        "host": request.get_host(),
    }).encode()

class Stream:
    streaming = True
    def __iter__(self):
        for number in range(5000):
            yield b"%05d" % number
            if number == 4000 and self.fails:
                raise OSError
    def close(self):
        open(self.mark, "a").write("closed")

def wsgi(environ, start_response):
    request = WSGIRequest(environ)
    start_response("200 OK", [("Content-Type", "application/json")])
    if request.path == "/fails":
        raise RuntimeError
    if request.path in ("/stream", "/broken"):
        stream = Stream()
        stream.mark, stream.fails = environ["QUERY_STRING"], request.path == "/broken"
        return stream
    return [told(request)]

async def asgi(scope, receive, send):
    body = (await receive())["body"]
    request = ASGIRequest(scope, BytesIO(body))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": told(request)})

rsgi_application = Gateway(wsgi)
asgi_application = without_underscores(asgi)
"""


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@contextmanager
def served(interface, application, folder):
    """A real granian that serves one of the probe's applications; its port."""
    port = free_port()
    (folder / "probe.py").write_text(PROBE)
    path = os.pathsep.join([str(folder), str(django_settings.BASE_DIR)])
    command = [str(Path(sys.executable).parent / "granian"), "--interface", interface]
    command += ["--port", str(port), "--no-log", f"probe:{application}"]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, cwd=folder)
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module", params=["rsgi", "asginl"])
def server(request, tmp_path_factory):
    application = f"{request.param[:4]}_application"
    with served(request.param, application, tmp_path_factory.mktemp("probe")) as port:
        yield request.param, port


def ask(port, *headers, method="GET", path="/a", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(method, path, skip_host=True)
    for name, value in (("Host", "desk.test"), *headers):
        connection.putheader(name, value)
    if isinstance(body, bytes):
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def told(port, *headers, **kwargs):
    status, body = ask(port, *headers, **kwargs)
    assert status == 200, body
    return json.loads(body)


REAL = ("X-Forwarded-For", "203.0.113.7")


@pytest.mark.slow
class TestHeaders:
    @pytest.mark.parametrize("name", ["X_Forwarded_For", "X-Forwarded_For", "x_forwarded-for"])
    def test_an_underscore_overrides_nothing_before_or_after(self, server, name):
        forged = (name, "6.6.6.6")
        for headers in ((REAL, forged), (forged, REAL), (forged, REAL, forged)):
            assert told(server[1], *headers)["ip"] == "203.0.113.7"
        assert told(server[1], forged)["ip"] == "127.0.0.1"

    def test_repeated_headers_are_counted_from_the_right(self, server):
        assert told(server[1], ("X-Forwarded-For", "6.6.6.6"), REAL)["ip"] == "203.0.113.7"

    def test_garbage_is_the_peer(self, server):
        assert told(server[1], ("X-Forwarded-For", "unknown"))["ip"] == "127.0.0.1"
        assert told(server[1], ("Forwarded", "for=6.6.6.6"))["ip"] == "127.0.0.1"

    def test_the_scheme_is_the_proxys_word_alone(self, server):
        assert told(server[1], ("X_Forwarded_Proto", "https"))["secure"] is False
        assert told(server[1], ("X-Forwarded-Proto", "https"))["secure"] is True

    def test_no_other_header_is_taken_for_one_with_dashes(self, server):
        assert told(server[1], ("Idempotency_Key", "x"))["key"] is None
        assert told(server[1], ("Idempotency-Key", "y"), ("Idempotency_Key", "x"))["key"] == "y"

    def test_the_request_arrives_whole(self, server):
        got = told(
            server[1], method="POST", path="/a%20b/%C3%A9?q=%20x&e=%C3%A9", body=b"\x00\xff" * 2000
        )
        assert got["path"] == "/a b/é"
        assert got["query"] == "q=%20x&e=%C3%A9"
        assert got["body"].encode("latin-1") == b"\x00\xff" * 2000
        assert (got["method"], got["host"]) == ("POST", "desk.test")


@pytest.fixture
def gateway_port(server):
    if server[0] != "rsgi":
        pytest.skip("of the gateway")
    return server[1]


def is_closed(mark):
    """Whether a stream's close() ran; it may come after the last byte."""
    for _ in range(100):
        if mark.exists():
            return mark.read_text() == "closed"
        time.sleep(0.05)
    return False


@pytest.mark.slow
class TestGateway:
    @pytest.mark.parametrize("value", [b"\xff, 1.2.3.5", "é".encode(), b'"999\xff"'])
    @pytest.mark.parametrize("name", ["X-Forwarded-For", "If-Match", "Idempotency-Key"])
    def test_a_value_that_is_not_ascii_is_refused(self, gateway_port, name, value):
        status, body = ask(gateway_port, (name, value))
        assert status == 400
        assert name.lower().encode() in body

    def test_a_user_agent_in_another_encoding_is_served(self, gateway_port):
        assert told(gateway_port, ("User-Agent", b"\xe9diteur"), REAL)["ip"] == "203.0.113.7"

    def test_a_chunked_body_is_read(self, gateway_port):
        headers = (("Transfer-Encoding", "chunked"),)
        chunks = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
        connection = http.client.HTTPConnection("127.0.0.1", gateway_port, timeout=20)
        connection.putrequest("POST", "/a")
        for header in headers:
            connection.putheader(*header)
        connection.endheaders()
        connection.send(chunks)
        assert json.loads(connection.getresponse().read())["body"] == "hello world"

    def test_a_stream_is_sent_whole_and_closed(self, gateway_port, tmp_path):
        status, body = ask(gateway_port, path=f"/stream?{tmp_path / 'mark'}")
        assert (status, body) == (200, b"".join(b"%05d" % number for number in range(5000)))
        assert is_closed(tmp_path / "mark")

    def test_a_stream_that_breaks_is_closed_and_the_next_request_answered(
        self, gateway_port, tmp_path
    ):
        _status, body = ask(gateway_port, path=f"/broken?{tmp_path / 'mark'}")
        assert len(body) < 5 * 5000
        assert is_closed(tmp_path / "mark")
        assert told(gateway_port)["path"] == "/a"

    def test_a_failure_of_the_application_is_a_500(self, gateway_port):
        assert ask(gateway_port, path="/fails") == (500, b"Internal error.")
        assert told(gateway_port)["path"] == "/a"

    def test_requests_run_side_by_side(self, gateway_port):
        got = []
        threads = [
            threading.Thread(
                target=lambda n=n: got.append(told(gateway_port, path=f"/{n}")["path"])
            )
            for n in range(40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == sorted(f"/{n}" for n in range(40))

    def test_a_body_that_is_too_large_is_refused_unread(self, gateway_port):
        length = str(gateway.LARGEST_BODY + 1)
        connection = http.client.HTTPConnection("127.0.0.1", gateway_port, timeout=20)
        connection.putrequest("POST", "/a")
        connection.putheader("Content-Length", length)
        connection.endheaders()
        assert connection.getresponse().status == 413


@pytest.mark.slow
def test_granians_wsgi_interface_is_not_served_behind_a_proxy(tmp_path):
    with served("wsgi", "rsgi_application", tmp_path) as port:
        status, body = ask(port, REAL, ("X_Forwarded_For", "9.9.9.9"))
    assert status == 500
    assert b"9.9.9.9" not in body


@pytest.mark.parametrize(
    ("arguments", "variables", "is_refused"),
    [
        (["--interface", "wsgi"], {}, True),
        (["--interface=wsgi"], {}, True),
        ([], {"GRANIAN_INTERFACE": "WSGI"}, True),
        (["--interface", "rsgi"], {"GRANIAN_INTERFACE": "wsgi"}, False),
        (["--interface", "asgi"], {}, False),
        ([], {}, False),
    ],
)
def test_the_supervisor_refuses_it(arguments, variables, is_refused):
    assert bool(serve.refusal(arguments, variables)) is is_refused


def test_the_refusal_ends_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["serve", "--interface", "wsgi", "config.wsgi:application"])
    assert serve.main() == 2
    assert "--interface rsgi" in capsys.readouterr().err


def test_the_entry_points_drop_such_headers():
    from config import asgi, wsgi

    assert isinstance(wsgi.application, gateway.Gateway)
    assert asgi.application.__qualname__.startswith("without_underscores")
