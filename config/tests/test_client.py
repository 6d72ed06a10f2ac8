"""The client's own manners: repeating, paging, editing, listening, and what it says of refusals."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from config.client import (
    Client,
    Conflict,
    InvalidInput,
    NotSignedIn,
    RateLimited,
    RetryPolicy,
    StaleVersion,
    Unavailable,
)
from config.client.base import UNSET, decode, encode
from config.client.stream import Lines

TICKET = {"id": 7, "number": "T-7", "subject": "Lost", "created_at": "2026-11-20T10:00:00Z"}


class Service:
    """Answers from a list, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.slept = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **options):
        http = httpx.Client(transport=httpx.MockTransport(self))
        return Client("https://atalaya.test", http=http, sleep=self.slept.append, **options)

    @property
    def keys(self):
        return [request.headers.get("Idempotency-Key") for request in self.requests]


def refused(status, code="x", headers=None, **extra):
    return httpx.Response(status, json={"code": code, "detail": "No.", **extra}, headers=headers)


def test_the_client_needs_nothing_of_the_server():
    seen = subprocess.run(
        [sys.executable, "-c", "import sys, config.client; print(*sorted(sys.modules))"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    ours = {*settings.ATALAYA_APPS, "django", "rest_framework"}
    assert ours & {name.split(".")[0] for name in seen} == set()


def test_a_post_is_repeated_under_one_key_and_waits_as_asked():
    service = Service(
        refused(429, headers={"Retry-After": "3"}),
        httpx.ConnectError("gone"),
        refused(503, headers={"Retry-After": "5"}),
        httpx.Response(201, json=TICKET),
    )
    ticket = service.client().tickets.create(subject="Lost", body="It never came.")
    assert ticket.number == "T-7"
    assert ticket.created_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert len(set(service.keys)) == 1
    assert service.keys[0]
    assert service.slept[0] == 3
    assert service.slept[2] == 5


def test_every_post_has_a_key_of_its_own_unless_one_is_given():
    service = Service(*[httpx.Response(201, json=TICKET) for _ in range(3)])
    tickets = service.client().tickets
    tickets.create(subject="a", body="b")
    tickets.create(subject="a", body="b")
    tickets.create(subject="a", body="b", idempotency_key="order-17")
    assert len(set(service.keys)) == 3
    assert service.keys[2] == "order-17"


def test_what_could_have_happened_already_is_not_repeated_without_a_key():
    service = Service(httpx.ReadTimeout("no answer"))
    with pytest.raises(httpx.ReadTimeout):
        service.client().auth.login(username="marta", password="x")
    assert service.keys == [None]


def test_a_request_in_flight_is_waited_for():
    service = Service(
        refused(409, "idempotency_key_in_flight", headers={"Retry-After": "1"}),
        httpx.Response(201, json=TICKET),
    )
    assert service.client().tickets.create(subject="a", body="b").id == 7


def test_a_rule_that_refuses_is_not_asked_again():
    service = Service(refused(409, "ticket_already_closed", closed_at="2026-01-01"))
    with pytest.raises(Conflict) as caught:
        service.client().tickets.reply(7, body="Hello?")
    assert caught.value.code == "ticket_already_closed"
    assert caught.value.extra == {"closed_at": "2026-01-01"}
    assert service.slept == []


def test_it_gives_up_after_its_attempts_and_never_waits_longer_than_it_may():
    service = Service(*[refused(503, headers={"Retry-After": "1"}) for _ in range(9)])
    with pytest.raises(Unavailable):
        service.client(retry=RetryPolicy(attempts=3)).tickets.get(7)
    assert len(service.requests) == 3
    service = Service(refused(429, headers={"Retry-After": "3600"}))
    with pytest.raises(RateLimited) as caught:
        service.client().tickets.get(7)
    assert caught.value.retry_after == 3600
    assert service.slept == []


def test_a_field_error_says_which_field():
    errors = [{"field": "subject", "code": "required", "detail": "Required."}]
    service = Service(refused(400, "invalid", errors=errors, request_id="abc"))
    with pytest.raises(InvalidInput, match="subject: Required") as caught:
        service.client().tickets.create(subject="", body="b")
    assert caught.value.errors[0].field == "subject"
    assert caught.value.request_id == "abc"


def test_an_answer_that_is_no_problem_document_is_still_told():
    with pytest.raises(NotSignedIn, match="401"):
        Service(httpx.Response(401, text="<html>")).client().auth.me()


def test_pages_follow_next_and_the_token_stays_at_home():
    first = {"next": "https://elsewhere.test/api/tickets?page=2&page_size=1", "results": [TICKET]}
    last = {"next": None, "results": [{**TICKET, "id": 8}]}
    service = Service(httpx.Response(200, json=first), httpx.Response(200, json=last))
    found = service.client(token="secret").tickets.list(page_size=1, status=["new", "closed"])
    assert [ticket.id for ticket in found] == [7, 8]
    asked = [str(request.url) for request in service.requests]
    assert asked == [
        "https://atalaya.test/api/tickets?page_size=1&status=new&status=closed",
        "https://atalaya.test/api/tickets?page=2&page_size=1",
    ]


def test_a_page_is_fetched_only_when_it_is_needed():
    page = {"next": "https://atalaya.test/api/tickets?page=2", "count": 9, "results": [TICKET]}
    service = Service(httpx.Response(200, json=page), httpx.Response(200, json=page))
    tickets = service.client().tickets.list()
    assert service.requests == []
    assert tickets.first().id == 7
    assert tickets.count() == 9
    assert len(service.requests) == 2


def test_an_edit_names_the_version_read_and_starts_again_when_it_is_stale():
    rule = {"id": 3, "version": 1}
    service = Service(
        httpx.Response(200, json=rule, headers={"ETag": '"1"'}),
        refused(412, "stale_version"),
        httpx.Response(200, json={**rule, "version": 2}, headers={"ETag": '"2"'}),
        httpx.Response(200, json={**rule, "version": 3}),
    )
    client = service.client()
    rules = client.admin.commission_rules
    changed = client.edit(
        lambda: rules.get(3), lambda seen: rules.update(3, name="New", if_match=seen)
    )
    assert changed.version == 3
    sent = [request.headers.get("If-Match") for request in service.requests]
    assert sent == [None, '"1"', None, '"2"']
    service.answers = [httpx.Response(200, json=rule), refused(412)] * 2
    with pytest.raises(StaleVersion):
        client.edit(lambda: rules.get(3), lambda seen: rules.update(3, if_match=seen), attempts=2)


def test_only_what_is_given_is_sent_and_none_is_null():
    service = Service(httpx.Response(201, json=TICKET))
    service.client().tickets.create(subject="a", body="b", category=None)
    assert json.loads(service.requests[0].content) == {
        "subject": "a",
        "body": "b",
        "category": None,
    }


def test_files_go_as_multipart():
    service = Service(httpx.Response(201, json=TICKET))
    service.client().tickets.create(
        subject="a", body="b", category=None, attachments=[("receipt.txt", b"paid")]
    )
    request = service.requests[0]
    assert request.headers["Content-Type"].startswith("multipart/form-data")
    assert b'name="attachments"; filename="receipt.txt"' in request.content
    assert b'name="category"' not in request.content


def test_a_download_is_written_as_it_comes(tmp_path: Path):
    service = Service(httpx.Response(200, content=b"x" * 100_000))
    path = service.client().admin.backups.download(1).save(tmp_path / "backup")
    assert path.stat().st_size == 100_000


def test_the_stream_is_taken_up_after_the_last_event():
    first = (
        'retry: 100\n\nevent: ready\nid: 4\ndata: {"position": 4}\n\n: heartbeat\n\n'
        'event: message\nid: 5\ndata: {"user": 2,\ndata: "message": {"body": "Hi"}}\n\n'
    )
    service = Service(
        httpx.Response(200, text=first),
        httpx.ConnectError("gone"),
        httpx.Response(200, text='event: read\nid: 6\ndata: {"user": 2}\n\n'),
        refused(401),
    )
    events = service.client(token="t").listen()
    seen = [next(events) for _ in range(3)]
    with pytest.raises(NotSignedIn):
        next(events)
    assert [(event.event, event.id) for event in seen] == [
        ("ready", "4"),
        ("message", "5"),
        ("read", "6"),
    ]
    assert seen[1].data["message"]["body"] == "Hi"
    assert service.slept == [0.1, 1.0, 1.0]
    sent = [request.headers.get("Last-Event-ID") for request in service.requests]
    assert sent == [None, "5", "5", "6"]


def test_half_an_event_is_none():
    lines = Lines()
    assert lines.feed("event: message") is None
    assert lines.feed('data: {"user": 1}') is None
    assert lines.feed("").data == {"user": 1}
    assert lines.feed("") is None


def test_values_travel_there_and_back():
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    assert encode({"a": moment, "b": UNSET, "c": [None]}) == {"a": moment.isoformat(), "c": [None]}
    assert decode(dict[str, datetime], {"a": "2026-01-02T00:00:00Z"}) == {"a": moment}
    assert decode(list[int] | None, None) is None


def test_it_can_be_installed_by_itself(tmp_path):
    pytest.importorskip("setuptools")
    source = tmp_path / "source"
    shutil.copytree(Path(settings.BASE_DIR) / "config" / "client", source)
    # What pip does in the end, without fetching a build environment.
    build = ["-c", "import setuptools; setuptools.setup()", "--quiet", "build_py"]
    subprocess.run(
        [sys.executable, *build, "--build-lib", str(tmp_path / "site")], cwd=source, check=True
    )
    seen = subprocess.run(
        [sys.executable, "-c", "import atalaya_client as a; print(a.__file__, a.Client)"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert str(tmp_path) in seen
