"""Words beyond one row of the index, and words of scripts without spaces found by their middle."""

import django.db.models.deletion
from django.db import migrations, models

from support.search import distinct, extended

BATCH_SIZE = 500
CREATE = """
CREATE INDEX ticket_search_part_words ON support_ticketsearchpart
USING gin (array_to_tsvector(string_to_array(document, ' ')))
"""
DROP = "DROP INDEX IF EXISTS ticket_search_part_words"
# Soft hyphens, zero-width spaces and joiners, and others that nobody sees.
UNSEEN = "[\u00ad\u200b\u200c\u200d\u2060\ufeff]"


def create_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CREATE)


def drop_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


def add_words(apps, schema_editor):
    """Index again what the older words do not show: stored words of plain ASCII stay."""
    using = schema_editor.connection.alias
    searches = apps.get_model("support", "TicketSearch").objects.using(using)
    replies = apps.get_model("support", "Reply").objects.using(using)
    unseen = replies.filter(
        models.Q(body__regex=UNSEEN) | models.Q(original_text__regex=UNSEEN)
    ).values_list("ticket_id", flat=True)
    other = searches.filter(document__regex=r"[^ -~]").values_list("pk", flat=True)
    stale = sorted({*unseen, *other})
    for start in range(0, len(stale), BATCH_SIZE):
        for row in searches.filter(pk__in=stale[start : start + BATCH_SIZE]):
            _index(apps, row, replies.filter(ticket_id=row.pk), using)


def _index(apps, row, replies, using):
    parts = apps.get_model("support", "TicketSearchPart").objects.using(using)
    texts = [text for pair in replies.values_list("body", "original_text") for text in pair]
    texts.append(row.ticket.subject)
    first, *further = extended([row.document], distinct(row.document, *texts))
    type(row).objects.using(using).filter(pk=row.pk).update(document=first)
    parts.bulk_create([parts.model(ticket_id=row.pk, document=text) for text in further])


def index_faqs(apps, schema_editor):
    faqs = apps.get_model("support", "Faq").objects.using(schema_editor.connection.alias)
    for row in faqs.iterator():
        words = " ".join(distinct(row.question, row.answer))
        if words != row.words:
            faqs.filter(pk=row.pk).update(words=words)


class Migration(migrations.Migration):
    dependencies = [("support", "0014_blocked_sender_rules")]

    operations = [
        migrations.CreateModel(
            name="TicketSearchPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("document", models.TextField(blank=True, verbose_name="words")),
                ("ticket", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="search_parts", to="support.ticket", verbose_name="ticket")),
            ],
            options={
                "verbose_name": "further part of a search document",
                "verbose_name_plural": "further parts of search documents",
            },
        ),
        migrations.RunPython(create_index, drop_index),
        migrations.RunPython(add_words, migrations.RunPython.noop),
        migrations.RunPython(index_faqs, migrations.RunPython.noop),
    ]
