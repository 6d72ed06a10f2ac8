"""Fetching mail by IMAP: each mail is stored and committed before the server hears of it."""

import imaplib
import logging
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from support.models import Mailbox
from support.services.mail_in import store_mail
from systemadmin.foundation.batches import Batch
from systemadmin.foundation.crypto import decrypt_secret, encrypt_secret
from systemadmin.foundation.deadlines import Budget, TooMuch, within
from systemadmin.foundation.locks import named_lock
from systemadmin.foundation.outgoing import connect_address
from systemadmin.services import raise_alert, resolve_alert

logger = logging.getLogger("atalaya.mail")

PURPOSE = "support-mailbox"
# Seconds and bytes for one command with its answer.
TIMEOUT = 30
MOST_BYTES = 64 * 1024 * 1024
# No new mail, and no new mailbox, is begun after so many seconds: below the queue's time-out.
MAILBOX_SECONDS = 60
RUN_SECONDS = 180
FAILED_RULE = "support.mailbox_failed"
BROKEN = (imaplib.IMAP4.abort, ConnectionError, TimeoutError, TooMuch, ssl.SSLError)
FETCHING = Batch("support.fetch_mail", is_atomic=False)


def set_password(mailbox: Mailbox, password: str) -> None:
    """Keep a mailbox's password sealed; the caller saves."""
    mailbox.sealed_password = encrypt_secret(password, purpose=PURPOSE) if password else ""


def fetch_all() -> dict[str, int]:
    """Fetch every active mailbox; one that fails alerts and does not stop the others."""
    counts = {}
    started = time.monotonic()
    boxes = Mailbox.objects.filter(is_active=True).exclude(host="")
    # The one that waited longest first, so that slow servers cannot keep any from its turn.
    for mailbox in boxes.order_by(F("fetched_at").asc(nulls_first=True), "pk"):
        if time.monotonic() - started > RUN_SECONDS:
            break
        counts[mailbox.address] = fetch(mailbox)
    return counts


def fetch(mailbox: Mailbox) -> int:
    """Fetch one mailbox; returns how many new mails came, or -1 when it could not be read."""
    with named_lock(f"support.fetch:{mailbox.pk}") as held:
        if not held:
            return 0
        try:
            with _session(mailbox) as server:
                # Marked by a keyword of our own where the server keeps such, so that a
                # colleague reading the mailbox does not make a mail look fetched.
                mark = FETCHED if _keeps_keywords(server) else ""
                new, failed = _take_all(server, mailbox, mark)
        except Exception as error:
            logger.exception("a mailbox could not be read", extra={"mailbox": mailbox.pk})
            _note(mailbox, f"{type(error).__name__}: {error}")
            return -1
        if failed:
            _note(
                mailbox,
                _("Mails that could not be taken: %(n)d. They are tried again.") % {"n": failed},
            )
            return new or -1
        _note(mailbox, "")
        return new


def _take_all(server: imaplib.IMAP4, mailbox: Mailbox, mark: str) -> tuple[int, int]:
    """Take what waits; return how many were new, and how many could not be taken.

    A mail that could not be taken comes last at the next run, and only some times.
    """
    waiting = {f"{mailbox.pk}:{uid}": uid for uid in _waiting(server, mailbox, mark)}
    started = time.monotonic()

    def take(key: str) -> int:
        if time.monotonic() - started > MAILBOX_SECONDS:
            return 0  # the rest at the next run
        return _take(server, mailbox, waiting[key], mark)

    # With the connection goes the session: the mail it broke at is noted, and the next run begins
    # with the others.
    held = set(FETCHING.held())
    keys = [key for key in waiting if key not in held]
    taken = FETCHING.each(keys, take, ends=BROKEN)
    return sum(taken), len(keys) - len(taken)


class _Imap(imaplib.IMAP4):
    """Every command with its answer has a deadline and a most length."""

    def __init__(self, budget: Budget, *args: Any, **kwargs: Any) -> None:
        self.budget = budget
        super().__init__(*args, **kwargs)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        # To the address that was checked, whatever the name says by then.
        port = int(self.port)
        address = within(self.budget.left(), lambda: connect_address(self.host, port))
        return self.budget.connect((address, port))

    def _command(self, name: str, *args: Any) -> Any:
        self.budget.renew()
        return super()._command(name, *args)


class _ImapOverTls(_Imap):
    def _create_socket(self, timeout: float | None) -> socket.socket:
        plain = super()._create_socket(timeout)
        return self.budget.tls_context().wrap_socket(plain, server_hostname=self.host)


@contextmanager
def _session(mailbox: Mailbox) -> Iterator[imaplib.IMAP4]:
    budget = Budget(TIMEOUT, MOST_BYTES)
    server = (_ImapOverTls if mailbox.use_tls else _Imap)(budget, mailbox.host, mailbox.port)
    try:
        password = decrypt_secret(mailbox.sealed_password, purpose=PURPOSE)
        server.login(mailbox.username, password)
        _ok(server.select(_quoted(mailbox.folder)))
        yield server
    finally:
        server.shutdown()


FETCHED = "AtalayaFetched"


def _keeps_keywords(server: imaplib.IMAP4) -> bool:
    """Return whether the server lets us mark mail as ours; asked once, the answer is used up."""
    _kind, data = server.response("PERMANENTFLAGS")
    flags = b" ".join(item for item in data if isinstance(item, bytes)) if data else b""
    return rb"\*" in flags or FETCHED.encode() in flags


def _waiting(server: imaplib.IMAP4, mailbox: Mailbox, mark: str) -> list[str]:
    criterion = "ALL" if mailbox.done_folder else f"UNKEYWORD {FETCHED}" if mark else "UNSEEN"
    data = _ok(server.uid("SEARCH", criterion))
    return data[0].decode().split() if data and data[0] else []


def _take(server: imaplib.IMAP4, mailbox: Mailbox, uid: str, mark: str) -> int:
    data = _ok(server.uid("FETCH", uid, "(BODY.PEEK[])"))
    raw = next((part[1] for part in data if isinstance(part, tuple)), None)
    if raw is None:  # gone meanwhile
        return 0
    _message, is_new = store_mail(mailbox=mailbox, raw=raw)
    if connection.in_atomic_block:
        raise ValueError("fetching inside a transaction would acknowledge what may be undone")
    _acknowledge(server, mailbox, uid, mark)
    return int(is_new)


def _acknowledge(server: imaplib.IMAP4, mailbox: Mailbox, uid: str, mark: str) -> None:
    if mailbox.done_folder:
        _ok(server.uid("COPY", uid, _quoted(mailbox.done_folder)))
        _ok(server.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted \Seen)"))
        server.expunge()
        return
    flags = rf"(\Seen {mark})" if mark else r"(\Seen)"
    _ok(server.uid("STORE", uid, "+FLAGS.SILENT", flags))


def _ok(answer: tuple[str, list]) -> list:
    status, data = answer
    if status != "OK":
        raise imaplib.IMAP4.error(f"the server answered {status}: {data!r}"[:500])
    return data


def _quoted(folder: str) -> str:
    if re.search(r'[\r\n\x00"\\]', folder):
        raise ValueError("a folder name without quotes or control characters, please")
    return f'"{folder}"'


def _note(mailbox: Mailbox, error: str) -> None:
    Mailbox.objects.filter(pk=mailbox.pk).update(fetched_at=timezone.now(), last_error=error[:1000])
    if error:
        raise_alert(
            rule=FAILED_RULE,
            severity="warning",
            summary=gettext_noop("%(address)s: mail cannot be fetched"),
            facts={"address": mailbox.address},
            detail=error[:1000],
            key=mailbox.address,
        )
    else:
        resolve_alert(rule=FAILED_RULE, key=mailbox.address)
