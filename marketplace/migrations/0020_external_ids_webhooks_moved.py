"""Products and orders get the platform's own ids; webhooks go to the base app, for every desk."""

import json

from django.core.management.color import no_style
from django.db import migrations, models

CHUNK = 1000
MOVED = ("WebhookEndpoint", "WebhookDelivery", "WebhookAttempt")
SETTINGS = {
    "marketplace.webhook_timeout_seconds": "webhooks.timeout_seconds",
    "marketplace.webhook_private_addresses": "webhooks.private_addresses",
    "retention.webhook_days": "retention.published_event_days",
}


def copy_rows(apps, schema_editor):
    """Copy endpoints, messages, deliveries and attempts into the tables of the base app."""
    old, new = _models(apps, "marketplace"), _models(apps, "systemadmin")
    _copy(apps.get_model("marketplace", "WebhookMessage"), new["PublishedEvent"], _event)
    for name in MOVED:
        _copy(old[name], new[name], _same(name))
    last = new["PublishedEvent"].objects.aggregate(last=models.Max("sequence"))["last"]
    if last:
        new["EventCounter"].objects.create(pk=1, last=last)
    _reset_sequences(schema_editor, list(new.values()))
    for before, after in SETTINGS.items():
        apps.get_model("systemadmin", "SystemConfig").objects.filter(key=before).update(key=after)
    for name in MOVED:
        apps.get_model("contenttypes", "ContentType").objects.filter(
            app_label="marketplace", model=name.lower()
        ).update(app_label="systemadmin")


def _models(apps, app):
    names = MOVED + (("PublishedEvent", "EventCounter") if app == "systemadmin" else ())
    return {name: apps.get_model(app, name) for name in names}


def _copy(old, new, made):
    rows = old.objects.order_by("pk").values()
    last = 0
    while part := list(rows.filter(pk__gt=last)[:CHUNK]):
        times = {row["id"]: row["created_at"] for row in part}
        new.objects.bulk_create([new(**made(row)) for row in part])
        if new.__name__ != "PublishedEvent":
            # `auto_now_add` wrote the moment of the copy.
            for pk, moment in times.items():
                new.objects.filter(pk=pk).update(created_at=moment)
        last = part[-1]["id"]


def _event(row):
    body = json.loads(row["body"])
    data = body.get("data", {})
    parties = [data.get("buyer"), data.get("seller")] if "buyer" in data else [data.get("seller")]
    return {
        "id": row["id"],
        "event_id": row["message_id"],
        "kind": row["event_type"],
        "key": row["key"],
        "data": data,
        "occurred_at": row["created_at"],
        "sequence": row["id"],
        "user_id": parties[0],
        "other_user_id": parties[1] if len(parties) > 1 else None,
    }


def _same(name):
    def made(row):
        if name == "WebhookDelivery":
            row["event_id"] = row.pop("message_id")
        return row

    return made


def _reset_sequences(schema_editor, changed):
    connection = schema_editor.connection
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), changed):
            cursor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [
        ("marketplace", "0019_fees_on_buyer_fees"),
        ("systemadmin", "0020_published_events"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AddField(
            model_name="order",
            name="external_id",
            field=models.CharField(
                blank=True, max_length=128, null=True, unique=True, verbose_name="external id"
            ),
        ),
        migrations.AddField(
            model_name="product",
            name="external_id",
            field=models.CharField(
                blank=True, max_length=128, null=True, unique=True, verbose_name="external id"
            ),
        ),
        migrations.RunPython(copy_rows, migrations.RunPython.noop, elidable=False),
        migrations.DeleteModel(name="WebhookAttempt"),
        migrations.DeleteModel(name="WebhookDelivery"),
        migrations.DeleteModel(name="WebhookEndpoint"),
        migrations.DeleteModel(name="WebhookMessage"),
    ]
