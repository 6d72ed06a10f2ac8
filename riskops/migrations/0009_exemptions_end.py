"""Exemptions have an end: those without one get a year from now."""

from datetime import timedelta

from django.db import migrations, models
from django.utils import timezone


def give_ends(apps, _schema_editor):
    """Let each exemption without an end last one more year."""
    rows = apps.get_model("riskops", "AnomalyExemption").objects.filter(expires_at__isnull=True)
    rows.update(expires_at=timezone.now() + timedelta(days=365))


class Migration(migrations.Migration):
    # PostgreSQL does not alter a table with pending trigger events of the same transaction.
    atomic = False

    dependencies = [("riskops", "0008_identifiers_by_beginning")]

    operations = [
        migrations.RunPython(give_ends, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="anomalyexemption",
            name="expires_at",
            field=models.DateTimeField(verbose_name="expires at"),
        ),
    ]
