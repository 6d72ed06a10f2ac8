"""Pictures of a mail that take long to write anew: each in a task of its own, the mail goes on."""

from django.db import transaction
from django.utils.translation import gettext as _

from support.mail_parsing import IncomingMail, parse_mail
from support.models import InboundMessage
from support.services.attachments import attach_mailed, slow_pictures
from support.services.mail_places import own_addresses
from support.services.replies import add_system_note
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.queue import enqueue

ATTACH = "support.tasks.attach_mailed_picture"


def attach_files(message: InboundMessage, mail: IncomingMail) -> list[str]:
    """Store the files of a mail with its reply; returns the names of what stays in the raw mail.

    Slow pictures follow, so that no sender can hold up the mail of others with them.
    """
    assert message.reply is not None  # noqa: S101 - set before its files
    slow = slow_pictures(mail.attachments)
    files = [file for at, file in enumerate(mail.attachments) if at not in slow]
    left = attach_mailed(message.reply, files)
    for at in slow:
        enqueue(ATTACH, message.pk, at)
    return left


@transaction.atomic
def attach_picture(pk: int, at: int) -> None:
    """Store the file of a mail that stands at this place; what is refused is named in a note."""
    message = lock_row(InboundMessage.objects.select_related("reply__ticket"), pk=pk)
    reply = message.reply
    files = parse_mail(bytes(message.raw), own=own_addresses()).attachments if reply else ()
    if reply is None or at >= len(files):
        return
    known = set(reply.attachments.values_list("pk", flat=True))
    left = attach_mailed(reply, files[at : at + 1], stored=len(known))
    for new in reply.attachments.exclude(pk__in=known):
        same = reply.attachments.filter(pk__in=known, sha256=new.sha256, name=new.name)
        if same.exists():  # run twice
            new.file.delete(save=False)
            new.delete()
    if left:
        names = _("Files left in the raw mail: %(names)s") % {"names": ", ".join(left)}
        add_system_note(ticket=reply.ticket, body=names[:2000])
