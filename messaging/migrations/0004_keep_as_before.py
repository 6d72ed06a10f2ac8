"""Messages are kept for three years by default; where there are some, staff decide first."""

from django.db import migrations

KEY = "messaging.retention_days"


def keep_for_ever(apps, _schema_editor):
    """Keep what an installation with messages did until now: the status page warns of it."""
    if not apps.get_model("messaging", "Message").objects.exists():
        return
    stored = apps.get_model("systemadmin", "SystemConfig").objects
    stored.get_or_create(key=KEY, defaults={"value": 0})


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0003_erased_is_not_unread"),
        ("systemadmin", "0012_personal_data"),
    ]

    operations = [migrations.RunPython(keep_for_ever, migrations.RunPython.noop)]
