from django.db import migrations


def forget_names(apps, schema_editor):
    """Delete what failed sign-ins left in clear: people type passwords into the name field."""
    for name in ("AccessAttempt", "AccessFailureLog", "AccessLog"):
        rows = apps.get_model("axes", name).objects.using(schema_editor.connection.alias)
        rows.all().delete()


class Migration(migrations.Migration):
    dependencies = [
        ("systemadmin", "0007_manage_staff"),
        ("axes", "0010_accessattemptexpiration"),
    ]

    operations = [migrations.RunPython(forget_names, migrations.RunPython.noop)]
