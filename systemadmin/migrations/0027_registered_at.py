import django.db.models.functions.datetime
import django.utils.timezone
from django.db import migrations, models
from django.db.models import F


def take_date_joined(apps, schema_editor):
    """Give an account in a backup of an older release the moment that it has in the live database."""
    apps.get_model('systemadmin', 'User').objects.update(registered_at=F('date_joined'))


class Migration(migrations.Migration):

    dependencies = [
        ('systemadmin', '0026_fill_webhook_owners'),
    ]

    operations = [
        migrations.AddField(
            model_name='user',
            name='registered_at',
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), default=django.utils.timezone.now, editable=False, verbose_name='registered at'),
        ),
        migrations.RunPython(take_date_joined, migrations.RunPython.noop),
    ]
