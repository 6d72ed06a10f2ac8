"""Notices take the columns and words that every outbox has."""

import django.utils.timezone
from django.db import migrations, models


def make_due(apps, schema_editor):
    """Make due what was never tried and had no moment; the sweep looks for one that has come."""
    for name in ("AlertNotice", "Notification"):
        waiting = apps.get_model("systemadmin", name).objects.filter(status="pending")
        waiting.filter(next_attempt_at=None).update(next_attempt_at=django.utils.timezone.now())


class Migration(migrations.Migration):

    dependencies = [
        ('systemadmin', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='alertnotice',
            name='last_error',
            field=models.TextField(blank=True, verbose_name='last error'),
        ),
        migrations.AlterField(
            model_name='alertnotice',
            name='next_attempt_at',
            field=models.DateTimeField(blank=True, default=django.utils.timezone.now, null=True, verbose_name='next attempt at'),
        ),
        migrations.AlterField(
            model_name='alertnotice',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('sent', 'Sent'), ('failed', 'Given up'), ('skipped', 'Skipped')], default='pending', max_length=10, verbose_name='status'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='next_attempt_at',
            field=models.DateTimeField(blank=True, default=django.utils.timezone.now, null=True, verbose_name='next attempt at'),
        ),
        migrations.AlterField(
            model_name='notification',
            name='status',
            field=models.CharField(choices=[('pending', 'Pending'), ('sent', 'Sent'), ('failed', 'Given up'), ('skipped', 'Skipped')], default='pending', max_length=10, verbose_name='status'),
        ),
        migrations.RunPython(make_due, migrations.RunPython.noop),
    ]
