"""Fetching mail by IMAP: each mail is stored and committed before the server hears of it."""

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.utils import timezone

from support.models import Mailbox
from support.services.mail_in import store_mail
from systemadmin.foundation.crypto import decrypt_secret, encrypt_secret
from systemadmin.foundation.locks import named_lock
from systemadmin.foundation.outgoing import AddressRefused, connect_address
from systemadmin.services import raise_alert, resolve_alert

PURPOSE = "support-mailbox"
TIMEOUT = 30
FAILED_RULE = "support.mailbox_failed"
Failure = (imaplib.IMAP4.error, OSError, ValueError, AddressRefused)


def set_password(mailbox: Mailbox, password: str) -> None:
    """Keep a mailbox's password sealed; the caller saves."""
    mailbox.sealed_password = encrypt_secret(password, purpose=PURPOSE) if password else ""


def fetch_all() -> dict[str, int]:
    """Fetch every active mailbox; one that fails alerts and does not stop the others."""
    counts = {}
    for mailbox in Mailbox.objects.filter(is_active=True).exclude(host=""):
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
                uids = _waiting(server, mailbox, mark)
                new = sum(_take(server, mailbox, uid, mark) for uid in uids)
        except Failure as error:
            _note(mailbox, f"{type(error).__name__}: {error}")
            return -1
        _note(mailbox, "")
        return new


class _Checked(imaplib.IMAP4):
    """Connects to the address that was checked, whatever the name says by then."""

    def _create_socket(self, timeout: float | None) -> socket.socket:
        address = connect_address(self.host, int(self.port))
        return socket.create_connection((address, int(self.port)), timeout)


class _CheckedTLS(imaplib.IMAP4_SSL):
    """The same, with the certificate checked against the name."""

    def _create_socket(self, timeout: float | None) -> socket.socket:
        address = connect_address(self.host, int(self.port))
        plain = socket.create_connection((address, int(self.port)), timeout)
        return self.ssl_context.wrap_socket(plain, server_hostname=self.host)


@contextmanager
def _session(mailbox: Mailbox) -> Iterator[imaplib.IMAP4]:
    if mailbox.use_tls:
        server: imaplib.IMAP4 = _CheckedTLS(
            mailbox.host, mailbox.port, ssl_context=ssl.create_default_context(), timeout=TIMEOUT
        )
    else:
        server = _Checked(mailbox.host, mailbox.port, timeout=TIMEOUT)
    try:
        password = decrypt_secret(mailbox.sealed_password, purpose=PURPOSE)
        server.login(mailbox.username, password)
        _ok(server.select(_quoted(mailbox.folder)))
        yield server
    finally:
        server.shutdown()


FETCHED = "AtalayaFetched"


def _keeps_keywords(server: imaplib.IMAP4) -> bool:
    """Whether the server lets us mark mail as ours; asked once, the answer is used up."""
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
            summary=f"{mailbox.address}: mail cannot be fetched",
            detail=error[:1000],
            key=mailbox.address,
        )
    else:
        resolve_alert(rule=FAILED_RULE, key=mailbox.address)
