from django.db import migrations


ACTIONS = (
    'systemadmin.webhook_endpoint.created',
    'systemadmin.webhook_endpoint.secret_rotated',
)


def name_owners(apps, schema_editor):
    """Take whoever last saw the secret, by the audit trail."""
    endpoints = apps.get_model('systemadmin', 'WebhookEndpoint').objects.all()
    entries = apps.get_model('systemadmin', 'AuditEntry').objects.filter(
        action__in=ACTIONS, target_type='systemadmin.webhookendpoint', actor__isnull=False
    )
    for endpoint in endpoints:
        last = entries.filter(target_id=str(endpoint.pk)).order_by('-id').first()
        if last is not None:
            endpoint.owner_id = last.actor_id
            endpoint.save(update_fields=['owner'])


class Migration(migrations.Migration):

    dependencies = [
        ('systemadmin', '0025_webhook_owners'),
    ]

    operations = [
        migrations.RunPython(name_owners, migrations.RunPython.noop),
    ]
