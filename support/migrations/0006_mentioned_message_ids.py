"""Mark the message ids that mails of a ticket only mentioned: they prove nothing any more."""

from django.db import migrations
from django.db.models import Exists, OuterRef


def mark_mentions(apps, schema_editor):
    def known(model):
        rows = apps.get_model("support", model).objects
        return Exists(rows.filter(message_id=OuterRef("message_id")))

    references = apps.get_model("support", "InboundReference").objects
    references.exclude(known("InboundMessage")).exclude(known("OutboundMessage")).update(
        is_mention=True
    )


class Migration(migrations.Migration):
    dependencies = [("support", "0005_mail_participants_and_original_text")]

    operations = [migrations.RunPython(mark_mentions, migrations.RunPython.noop, elidable=True)]
