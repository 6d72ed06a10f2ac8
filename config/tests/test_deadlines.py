"""Every call to the outside ends at its deadline, whatever the other side does."""

import time

import pytest
from django.core import mail
from django.core.mail import EmailMessage

from support.models import Mailbox
from support.services import fetching
from support.tests.factories import make_mailbox, make_ticket
from support.tests.mail_servers import SmtpServer
from systemadmin import telegram, webhook_transport
from systemadmin.foundation import deadlines, smtp
from systemadmin.foundation.deadlines import Budget, within
from systemadmin.foundation.outbox import LEASE, DeliveryFailed
from systemadmin.foundation.single_line import single_line
from systemadmin.models import AlertNotice, Notification
from systemadmin.services import alert_delivery, notifications, notify_user
from systemadmin.tests.dripping import dripping
from systemadmin.tests.factories import UserFactory

HTTP = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(autouse=True)
def ends_in_time():
    """A second is the deadline here; without one these calls go on for minutes."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 30


def deliver(port, timeout=1.0):
    return webhook_transport.send(
        f"http://127.0.0.1:{port}/", b"{}", {}, timeout=timeout, allow_private=True
    )


class TestWebhooks:
    def test_a_header_line_now_and_then_is_cut_at_the_deadline(self):
        with dripping(HTTP) as (port, _taken):
            answer = deliver(port)
        assert (answer.status, answer.error) == (None, "no answer in time")
        assert answer.duration_ms < 5000

    def test_a_body_a_byte_at_a_time_too(self):
        with dripping(HTTP + b"Content-Length: 60000\r\n\r\n", b"x") as (port, _taken):
            assert deliver(port).error == "no answer in time"

    def test_provisional_answers_without_end_too(self):
        with dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n") as (port, _taken):
            assert deliver(port).error == "no answer in time"

    def test_a_silent_tls_server_too(self):
        with dripping(b"", b"", greeting_after_read=False) as (port, _taken):
            url = f"https://127.0.0.1:{port}/"
            answer = webhook_transport.send(url, b"{}", {}, timeout=1, allow_private=True)
        assert answer.error == "no answer in time"

    @pytest.mark.parametrize(
        ("first", "drop"),
        [
            (HTTP, b"X-Long: " + b"x" * 60000 + b"\r\n"),
            (HTTP, b"X-Many: 1\r\n" * 200),
            (HTTP + b"X-Long: ", b"x" * 60000),
        ],
    )
    def test_headers_without_end_are_refused(self, first, drop):
        with dripping(first, drop, seconds=0.01) as (port, _taken):
            answer = deliver(port, timeout=20)
        assert answer.status is None
        assert answer.error not in ("", "no answer in time")

    def test_a_resolver_that_does_not_answer(self, monkeypatch):
        monkeypatch.setattr(deadlines.socket, "getaddrinfo", lambda *a, **k: time.sleep(60))
        assert deliver(9).error == "no answer in time"


def test_telegram(settings, monkeypatch):
    monkeypatch.setattr(telegram, "TIMEOUT", 1)
    settings.TELEGRAM_BOT_TOKEN = "1:t"
    with dripping(HTTP) as (port, _taken):
        settings.TELEGRAM_API_URL = f"http://127.0.0.1:{port}"
        with pytest.raises(telegram.TelegramError):
            telegram.send_message("1", "x")


@pytest.mark.django_db
def test_apprise(settings, monkeypatch):
    monkeypatch.setattr(alert_delivery, "APPRISE_SECONDS", 1)
    notice = AlertNotice(channel="apprise:0", text="x")
    with dripping(HTTP) as (port, _taken):
        settings.ALERT_URLS = [f"json://127.0.0.1:{port}/"]
        with pytest.raises(DeliveryFailed, match="in time"):
            alert_delivery._send(notice)


class TestMailServers:
    @pytest.fixture
    def backend(self, settings, monkeypatch):
        monkeypatch.setattr(smtp, "SECONDS", 1)

        def make(port, **options):
            return smtp.EmailBackend(host="127.0.0.1", port=port, **options)

        return make

    @pytest.mark.parametrize("use_ssl", [False, True])
    def test_a_greeting_without_end(self, backend, use_ssl):
        sender = backend
        with (
            dripping(b"", b"220-welcome\r\n", greeting_after_read=False) as (port, _taken),
            pytest.raises(OSError, match=r"in time|timed out|SSL"),
        ):
            sender(port, use_ssl=use_ssl).send_messages([EmailMessage("s", "b", "a@x", ["b@x"])])

    def test_a_good_one_takes_the_mail(self, backend, monkeypatch):
        monkeypatch.setattr(smtp, "SECONDS", 30)
        with SmtpServer() as server:
            sent = backend(server.port).send_messages([EmailMessage("s", "b", "a@x.y", ["b@x.y"])])
            assert sent == 1
            assert len(server.inbox.mails) == 1

    @pytest.mark.django_db
    def test_imap(self, monkeypatch, settings):
        settings.OUTGOING_PRIVATE_HOSTS = ["127.0.0.1"]
        monkeypatch.setattr(fetching, "TIMEOUT", 1)
        with dripping(b"", b"* OK wait\r\n", greeting_after_read=False) as (port, _taken):
            box = make_mailbox(host="127.0.0.1", port=port, use_tls=False)
            assert fetching.fetch(box) == -1
        assert "TimeoutError" in Mailbox.objects.get().last_error

    @pytest.mark.django_db
    def test_a_slow_mailbox_keeps_no_other_from_its_turn(self, monkeypatch):
        slow, waiting = (
            make_mailbox(address=f"{name}@atalaya.test", host="127.0.0.1") for name in "ab"
        )
        fetched = []
        monkeypatch.setattr(fetching, "RUN_SECONDS", -1)
        monkeypatch.setattr(fetching, "fetch", lambda box: fetched.append(box.pk) or 0)
        fetching.fetch_all()
        assert fetched == [], "no time is left"
        monkeypatch.setattr(fetching, "RUN_SECONDS", 100)
        fetching._note(slow, "")
        fetching.fetch_all()
        assert fetched == [waiting.pk, slow.pk]


def test_every_deadline_lies_below_the_lease_of_a_row():
    lease = LEASE.total_seconds()
    assert max(smtp.SECONDS, telegram.TIMEOUT, alert_delivery.APPRISE_SECONDS) < lease


def test_a_budget_is_one_for_all_operations():
    budget = Budget(0.2, 10)
    assert budget.count(10) == 10
    with pytest.raises(deadlines.TooMuch):
        budget.count(1)
    time.sleep(0.25)
    with pytest.raises(TimeoutError):
        budget.left()


def test_what_a_call_raises_or_returns_comes_through():
    assert within(5, lambda: 7) == 7
    assert within(5, lambda: None) is None
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)
    with pytest.raises(TimeoutError):
        within(0.1, lambda: time.sleep(5))


BREAKS = [
    "\r",
    "\n",
    "\r\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\0",
]


class TestLineBreaks:
    @pytest.mark.parametrize("cut", BREAKS)
    def test_one_line_is_left(self, cut):
        assert len(single_line(f"a{cut}Bcc: x@y").splitlines()) == 1

    @pytest.mark.django_db
    @pytest.mark.parametrize("cut", BREAKS)
    def test_a_subject_neither_raises_nor_adds_a_header(self, cut):
        user = UserFactory(email="member@example.com")
        (notice,) = notify_user(
            user=user, kind="k", subject="s", body="b", key="k", channels=("email",)
        )
        # As one stored before the service cleaned it, or by hand.
        if cut != "\0":
            Notification.objects.filter(pk=notice.pk).update(
                subject=f"Hi{cut}Bcc: evil@example.com"
            )
        assert notifications.OUTBOX.deliver(notice.pk)
        (sent,) = mail.outbox
        assert sent.message()["Bcc"] is None
        assert "Bcc" not in sent.message()
        assert sent.recipients() == ["member@example.com"]

    @pytest.mark.django_db
    @pytest.mark.parametrize("cut", BREAKS[:-1])
    def test_a_ticket_neither(self, cut):
        from support.models import OutboundMessage
        from support.services.mail_out import OUTBOX

        make_mailbox(name=f"Desk{cut}Bcc: evil@example.com")
        make_ticket(requester_email="c@example.com", requester_name="C", subject="Help")
        row = OutboundMessage.objects.get()
        OutboundMessage.objects.filter(pk=row.pk).update(subject=f"Hi{cut}Bcc: evil@example.com")
        assert OUTBOX.deliver(row.pk)
        (sent,) = mail.outbox
        assert "Bcc" not in sent.message()
        assert sent.recipients() == ["c@example.com"]
