"""Backups state which installation made them; those made here so far are this one's."""

import systemadmin.models.backups
from django.conf import settings
from django.db import migrations, models


def name_makers(apps, schema_editor):
    """Name the makers; a backup only found in the storage may be another's and stays unnamed."""
    row, _created = apps.get_model("systemadmin", "Installation").objects.get_or_create(pk=1)
    uid = settings.INSTALLATION_ID or row.uid
    backups = apps.get_model("systemadmin", "Backup").objects
    backups.exclude(trigger="import").update(installation=uid)


class Migration(migrations.Migration):

    dependencies = [
        ('systemadmin', '0003_audit_authentication'),
    ]

    operations = [
        migrations.AddField(
            model_name='backup',
            name='installation',
            field=models.CharField(blank=True, editable=False, max_length=36, verbose_name='made by the installation'),
        ),
        migrations.AddField(
            model_name='backup',
            name='installation_name',
            field=models.CharField(blank=True, editable=False, max_length=200, verbose_name='address of its maker'),
        ),
        migrations.CreateModel(
            name='Installation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='created at')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='updated at')),
                ('uid', models.CharField(default=systemadmin.models.backups.new_uid, max_length=36, unique=True, verbose_name='identity')),
            ],
            options={
                'verbose_name': 'installation',
                'verbose_name_plural': 'installations',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='systemadmin_installation_is_one', violation_error_message='There is one installation per database.')],
            },
        ),
        migrations.RunPython(name_makers, migrations.RunPython.noop),
    ]
