"""Note the mailbox of tickets that came by mail: answers leave from there."""

from django.db import migrations
from django.db.models import OuterRef, Subquery


def fill(apps, schema_editor):
    mails = apps.get_model("support", "InboundMessage").objects.filter(ticket=OuterRef("pk"))
    first = mails.order_by("pk").values("mailbox")[:1]
    tickets = apps.get_model("support", "Ticket").objects
    tickets.filter(mailbox=None, channel="email").update(mailbox_id=Subquery(first))


class Migration(migrations.Migration):
    dependencies = [("support", "0009_notices_confined_places_and_spam")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
