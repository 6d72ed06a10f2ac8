"""What must hold of the messages as a whole."""

from django.db.models import F, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from messaging.models import Mailbox, Participant
from messaging.services.unread import with_true_unread
from systemadmin.foundation.integrity import IntegrityCheck


def check_unread_counts() -> list[str]:
    """Each conversation counts its unread messages, each mailbox those of its conversations."""
    theirs = (
        Participant.objects.filter(user_id=OuterRef("pk"))
        .order_by()
        .values("user_id")
        .annotate(number=Sum("unread_count"))
    )
    conversations = with_true_unread(Participant.objects.all()).exclude(unread_count=F("true"))
    mailboxes = Mailbox.objects.annotate(
        true=Coalesce(Subquery(theirs.values("number")), 0)
    ).exclude(unread_count=F("true"))
    found = []
    if number := conversations.count():
        found.append(f"{number} conversations count their unread messages wrongly")
    if number := mailboxes.count():
        found.append(f"{number} mailboxes differ from the sum of their conversations")
    return found


CHECKS = [IntegrityCheck(name="unread messages", run=check_unread_counts, repairable=True)]
