"""Webhook deliveries take the columns and words that every outbox has."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


def rename(old, new):
    """Return a step that turns one status into another."""

    def run(apps, schema_editor):
        rows = apps.get_model("marketplace", "WebhookDelivery").objects.filter(status=old)
        rows.update(status=new)

    return run


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0003_product_images")]

    operations = [
        # First: its old reverse name is the new name of a column.
        migrations.AlterField(
            model_name="webhookattempt",
            name="delivery",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="log",
                to="marketplace.webhookdelivery",
            ),
        ),
        migrations.RenameField("webhookdelivery", "attempts_made", "attempts"),
        migrations.AlterField(
            model_name="webhookdelivery",
            name="attempts",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="attempts"),
        ),
        migrations.RenameField("webhookdelivery", "delivered_at", "sent_at"),
        migrations.AlterField(
            model_name="webhookdelivery",
            name="sent_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="sent at"),
        ),
        migrations.AddField(
            model_name="webhookdelivery",
            name="last_error",
            field=models.TextField(blank=True, verbose_name="last error"),
        ),
        migrations.AlterField(
            model_name="webhookdelivery",
            name="next_attempt_at",
            field=models.DateTimeField(
                blank=True,
                default=django.utils.timezone.now,
                null=True,
                verbose_name="next attempt at",
            ),
        ),
        migrations.AlterField(
            model_name="webhookdelivery",
            name="status",
            field=models.CharField(
                choices=[
                    ("pending", "Pending"),
                    ("sent", "Sent"),
                    ("failed", "Given up"),
                    ("skipped", "Skipped"),
                ],
                default="pending",
                max_length=10,
                verbose_name="status",
            ),
        ),
        migrations.RunPython(rename("delivered", "sent"), rename("sent", "delivered")),
    ]
