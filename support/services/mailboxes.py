"""The mailboxes of the desk."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _

from support.errors import InUse
from support.models import Mailbox
from support.services.confinement import check_confinement, set_readers
from support.services.fetching import set_password
from systemadmin import audit
from systemadmin.audited_rows import delete_audited, save_audited
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.outgoing import AddressRefused, check_host_to_save
from systemadmin.models import User
from systemadmin.services.demo_limits import check_shared

FIELDS = (
    "address",
    "name",
    "signature",
    "quotes_history",
    "is_confined",
    "category",
    "host",
    "port",
    "use_tls",
    "username",
    "folder",
    "done_folder",
    "is_active",
)

# Whom the password is told to, and how.
SERVER = ("host", "port", "use_tls", "username")


@transaction.atomic
def save_mailbox(
    *, actor: User, mailbox: Mailbox | None = None, values: Mapping[str, Any]
) -> Mailbox:
    """Create or change a mailbox; an empty password keeps the present one.

    Raises Django's `ValidationError`, `OwnInterest` for whoever lets themselves read a confined
    one, and `InvalidInput` for a host in our own network and where
    the present password would go to another server.
    """
    check_shared(actor)
    kept = Mailbox() if mailbox is None else lock_row(Mailbox.objects.all(), pk=mailbox.pk)
    check_confinement(actor=actor, place=kept, values=values, act="support.save_mailbox")
    password = values.get("password") or ""
    if not password:
        _check_same_server(kept, values)

    def check_and_seal(row: Mailbox) -> None:
        _check_host(row)
        if password:
            set_password(row, password)

    names = (*FIELDS, "readers")
    changed = [name for name in names if name in values] + ["password"] * bool(password)
    # Readers need a stored mailbox, and the audit row needs them.
    readers = {} if kept.pk is None else set_readers(kept, values)
    saved = save_audited(
        kept,
        values,
        actor=actor,
        action="support.mailbox.saved",
        fields=FIELDS,
        before_save=check_and_seal,
        metadata={"changed": changed, **readers},
    )
    if mailbox is None:
        _note_first_readers(actor, saved, values)
    return saved


def _note_first_readers(actor: User, mailbox: Mailbox, values: Mapping[str, Any]) -> None:
    """Set the readers of a new mailbox, which had no id before."""
    readers = set_readers(mailbox, values)
    if readers:
        metadata = {"changed": ["readers"], **readers}
        audit.record("support.mailbox.saved", actor=actor, target=mailbox, metadata=metadata)


def _check_same_server(mailbox: Mailbox, values: Mapping[str, Any]) -> None:
    """Refuse to send the stored password elsewhere: whoever runs that server would read it."""
    moved = [name for name in SERVER if name in values and values[name] != getattr(mailbox, name)]
    if mailbox.sealed_password and moved:
        raise InvalidInput(
            "password",
            _("Type the password again: the server or the user name is another one."),
            code="required",
        )


def _check_host(mailbox: Mailbox) -> None:
    """Refuse a host inside our own network, unless the operator permits it."""
    if mailbox.host and mailbox.port:
        try:
            check_host_to_save(mailbox.host, mailbox.port)
        except AddressRefused as refused:
            raise InvalidInput("host", str(refused)) from refused


@transaction.atomic
def delete_mailbox(*, actor: User, mailbox: Mailbox) -> None:
    """Delete a mailbox to which no mail came; raises `InUse`."""
    check_shared(actor)
    locked = lock_row(Mailbox.objects.all(), pk=mailbox.pk)
    try:
        delete_audited(locked, actor=actor, action="support.mailbox.deleted", fields=FIELDS)
    except ProtectedError:
        raise InUse(_("Mail came to this mailbox. Deactivate it instead.")) from None
