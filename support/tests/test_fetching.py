"""The fetcher against a real IMAP server, and killed wherever it can be killed."""

import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from support.models import InboundMessage, Mailbox, Reply, Ticket
from support.services import fetching, process_mail
from support.tests.factories import make_mailbox
from support.tests.mail_servers import DOVECOT, ImapServer
from support.tests.test_mail_in import CORPUS, raw
from systemadmin.foundation.testing import run_threads
from systemadmin.models import Alert, BatchFailure

needs_dovecot = pytest.mark.skipif(not DOVECOT, reason="needs dovecot-imapd")
needs_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="needs a database that processes share"
)


@pytest.fixture
def imap(settings, monkeypatch):
    # For this process, and for the ones that a test starts.
    settings.OUTGOING_PRIVATE_HOSTS = ["127.0.0.1"]
    monkeypatch.setenv("OUTGOING_PRIVATE_HOSTS", "127.0.0.1")
    with ImapServer() as server:
        yield server


def mailbox_of(imap, **kwargs):
    box = make_mailbox(host="127.0.0.1", port=imap.port, use_tls=False, username="desk", **kwargs)
    fetching.set_password(box, "secret")
    box.save()
    return box


@needs_dovecot
@pytest.mark.django_db(transaction=True)
class TestFetching:
    def test_mail_is_stored_then_marked(self, imap):
        box = mailbox_of(imap)
        imap.put(raw("one"), raw("two"))
        assert fetching.fetch(box) == 2
        assert InboundMessage.objects.count() == 2
        assert all(b"Seen" in flags and b"AtalayaFetched" in flags for flags in imap.flags())
        assert fetching.fetch(box) == 0

    def test_what_a_colleague_has_read_is_fetched_all_the_same(self, imap):
        box = mailbox_of(imap)
        imap.put(raw("one"))
        session = imap.session()
        session.select("INBOX")
        session.store("1", "+FLAGS", r"(\Seen)")
        session.logout()
        assert fetching.fetch(box) == 1

    def test_a_folder_for_what_is_done(self, imap):
        box = mailbox_of(imap, done_folder="Done")
        imap.put(raw("one"), raw("two"))
        assert fetching.fetch(box) == 2
        assert imap.flags() == []
        assert len(imap.flags("Done")) == 2
        assert fetching.fetch(box) == 0

    def test_the_whole_corpus_comes_through(self, imap):
        mailbox_of(imap)
        files = sorted(CORPUS.glob("*.eml"))
        imap.put(*(path.read_bytes() for path in files))
        out = io.StringIO()
        call_command("fetch_mail", stdout=out)
        assert f"{len(files)} new" in out.getvalue()
        assert InboundMessage.objects.filter(status="received").count() == 0
        assert InboundMessage.objects.filter(status="processed").count() == len(files) - 5

    def test_a_wrong_password_alerts_and_stops_nobody(self, imap):
        good = mailbox_of(imap)
        bad = mailbox_of(imap, address="bad@atalaya.test")
        fetching.set_password(bad, "wrong")
        bad.save()
        imap.put(raw("one"))
        counts = fetching.fetch_all()
        assert counts == {bad.address: -1, good.address: 1}
        assert Alert.objects.get(rule="support.mailbox_failed").key == bad.address
        bad.refresh_from_db()
        assert "secret" not in bad.last_error
        with pytest.raises(CommandError):
            call_command("fetch_mail", stdout=io.StringIO())
        fetching.set_password(bad, "secret")
        bad.save()
        fetching.fetch(bad)
        assert Alert.objects.get().status == Alert.Status.RESOLVED

    def test_a_server_that_is_away(self, imap):
        box = mailbox_of(imap)
        box.port = 1
        assert fetching.fetch(box) == -1

    def test_no_mail_is_acknowledged_that_is_not_stored(self, imap, monkeypatch):
        box = mailbox_of(imap)
        imap.put(raw("one"))

        def full(**kwargs):
            raise OSError("disk full")

        with monkeypatch.context() as patch:
            patch.setattr(fetching, "store_mail", full)
            assert fetching.fetch(box) == -1
        assert not any(b"Seen" in flags for flags in imap.flags())
        assert "disk full" in BatchFailure.objects.get().error
        assert fetching.fetch(box) == 0, "not at once"
        BatchFailure.objects.update(next_attempt_at=timezone.now())
        assert fetching.fetch(box) == 1
        assert not BatchFailure.objects.exists()

    @needs_postgres
    def test_many_fetchers_at_once(self, imap):
        box = mailbox_of(imap)
        imap.put(*(raw(f"mail {i}", message_id=f"<{i}@x.test>") for i in range(6)))
        outcomes = run_threads(lambda _i: fetching.fetch(box), 5)
        assert not [o for o in outcomes if isinstance(o, Exception)]
        fetching.fetch(box)
        pks = list(InboundMessage.objects.values_list("pk", flat=True))
        assert len(pks) == 6
        run_threads(lambda i: [process_mail(pk) for pk in pks[i % 6 :] + pks], 6)
        assert Counter(Reply.objects.values_list("body", flat=True)) == Counter(
            f"mail {i}" for i in range(6)
        )


def fetch_and_die(kind, count):
    settings_dict = connection.settings_dict
    address = f"postgres://{settings_dict['USER']}:{settings_dict['PASSWORD']}@" + (
        f"{settings_dict['HOST']}:{settings_dict['PORT']}/{settings_dict['NAME']}"
    )
    environment = {
        **os.environ,
        "DATABASE_URL": address,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DJANGO_SECRET_KEY": django_settings.SECRET_KEY,
        "DJANGO_DEBUG": "1",
        "PYTHONPATH": str(django_settings.BASE_DIR),
    }
    script = Path(__file__).with_name("killed_fetch.py")
    return subprocess.run(
        [sys.executable, str(script), kind, str(count)],
        env=environment,
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        timeout=120,
    )


@needs_dovecot
@needs_postgres
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("kind", "points"), [("sql", range(8, 400, 31)), ("imap", range(3, 20, 2))]
)
def test_killed_anywhere_it_loses_and_doubles_nothing(imap, kind, points):
    """SIGKILL before this statement or that command; the next run takes up where it died."""
    mailbox_of(imap)
    bodies = [f"mail {i}" for i in range(4)]
    imap.put(*(raw(body, message_id=f"<{body[-1]}@x.test>") for body in bodies))
    deaths = 0
    for count in points:
        run = fetch_and_die(kind, count)
        if run.returncode == 0:
            break
        error = Mailbox.objects.get().last_error
        assert run.returncode == -9, run.stderr.decode() + error
        deaths += 1
        # Whatever is marked on the server is safe with us.
        fetched = sum(b"AtalayaFetched" in flags for flags in imap.flags())
        assert InboundMessage.objects.count() >= fetched
    assert fetch_and_die(kind, 0).returncode == 0
    assert deaths >= 3
    assert Counter(Reply.objects.values_list("body", flat=True)) == Counter(bodies)
    assert Ticket.objects.count() == len(bodies)
    assert all(b"AtalayaFetched" in flags for flags in imap.flags())


class TestPipe:
    @pytest.fixture
    def pipe(self, monkeypatch):
        def run(data, address="support@atalaya.test"):
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
            out = io.StringIO()
            call_command("receive_mail", address, stdout=out)
            return out.getvalue()

        return run

    @pytest.mark.django_db
    def test_takes_a_mail(self, pipe):
        make_mailbox()
        assert pipe(raw("x")).startswith("processed")
        assert Reply.objects.get().body == "x"

    @pytest.mark.django_db
    def test_what_cannot_be_read_is_kept_and_not_sent_back(self, pipe):
        make_mailbox()
        assert pipe(b"\x00").startswith("failed")
        assert bytes(InboundMessage.objects.get().raw) == b"\x00"

    @pytest.mark.django_db
    def test_an_unknown_mailbox_is_refused(self, pipe):
        with pytest.raises(CommandError) as refusal:
            pipe(raw("x"), "nobody@atalaya.test")
        assert refusal.value.returncode == 67

    @pytest.mark.django_db
    def test_the_mail_server_keeps_what_we_could_not_store(self, pipe, monkeypatch):
        make_mailbox()

        def full(**kwargs):
            raise OSError("disk full")

        monkeypatch.setattr("support.management.commands.receive_mail.store_mail", full)
        with pytest.raises(CommandError) as refusal:
            pipe(raw("x"))
        assert refusal.value.returncode == 75
