"""Erased messages no longer count as unread: count anew where some do."""

from django.db import migrations
from django.db.models import Count, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

CHUNK = 1000


def recount(apps, schema_editor):
    """Count the unread messages of every conversation that holds an erased one."""
    Message = apps.get_model("messaging", "Message")
    Participant = apps.get_model("messaging", "Participant")
    Mailbox = apps.get_model("messaging", "Mailbox")
    unread = (
        Message.objects.filter(
            conversation_id=OuterRef("conversation_id"),
            seq__gt=OuterRef("last_read_seq"),
            is_hidden_for_recipient=False,
            erased_at__isnull=True,
        )
        .exclude(sender_id=OuterRef("user_id"))
        .order_by()
        .values("conversation_id")
        .annotate(number=Count("pk"))
        .values("number")
    )
    total = (
        Participant.objects.filter(user_id=OuterRef("pk"))
        .order_by()
        .values("user_id")
        .annotate(number=Sum("unread_count"))
        .values("number")
    )
    erased = Message.objects.filter(erased_at__isnull=False).values("conversation_id")
    rows = Participant.objects.filter(unread_count__gt=0, conversation_id__in=erased)
    affected = list(rows.values_list("pk", "user_id"))
    for start in range(0, len(affected), CHUNK):
        chunk = affected[start : start + CHUNK]
        Participant.objects.filter(pk__in=[pk for pk, _user in chunk]).update(
            unread_count=Coalesce(Subquery(unread), 0)
        )
        Mailbox.objects.filter(pk__in=[user for _pk, user in chunk]).update(
            unread_count=Coalesce(Subquery(total), 0)
        )


class Migration(migrations.Migration):
    dependencies = [("messaging", "0002_block_any_account")]

    operations = [migrations.RunPython(recount, migrations.RunPython.noop)]
