"""Outgoing mail takes the columns and words that every outbox has."""

import django.utils.timezone
from django.db import migrations, models


def forwards(apps, schema_editor):
    """Set claims to a moment ahead; what a worker held is due again."""
    mails = apps.get_model("support", "OutboundMessage").objects
    mails.filter(status="dead").update(status="failed", next_attempt_at=None)
    mails.filter(status="sending").update(status="pending")


def backwards(apps, schema_editor):
    """Set the older words; skipped mail had none."""
    mails = apps.get_model("support", "OutboundMessage").objects
    mails.filter(status__in=["failed", "skipped"]).update(status="dead")


class Migration(migrations.Migration):
    dependencies = [("support", "0002_search_index")]

    operations = [
        migrations.RemoveField(model_name="outboundmessage", name="claimed_at"),
        migrations.AlterField(
            model_name="outboundmessage",
            name="next_attempt_at",
            field=models.DateTimeField(
                blank=True,
                default=django.utils.timezone.now,
                null=True,
                verbose_name="next attempt at",
            ),
        ),
        migrations.AlterField(
            model_name="outboundmessage",
            name="status",
            field=models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("sent", "Sent"),
                    ("failed", "Given up"),
                    ("skipped", "Skipped"),
                    ("bounced", "Bounced"),
                ],
                default="pending",
                max_length=10,
                verbose_name="status",
            ),
        ),
        migrations.RunPython(forwards, backwards),
    ]
