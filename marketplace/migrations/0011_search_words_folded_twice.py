"""Fold stored search words twice, as queries do: "㎓" was stored as "GHz" and never found."""

import unicodedata

from django.db import migrations

BATCH_SIZE = 5_000


def folded(word):
    decomposed = unicodedata.normalize("NFKD", word.casefold()).casefold()
    return "".join(char for char in decomposed if not unicodedata.combining(char))[:40]


def refold(apps, schema_editor):
    words = apps.get_model("marketplace", "ProductWord").objects.using(schema_editor.connection.alias)
    stale, fresh = [], []
    for row in words.order_by("pk").iterator(chunk_size=BATCH_SIZE):
        if folded(row.word) != row.word:
            stale.append(row.pk)
            fresh.append(type(row)(product_id=row.product_id, word=folded(row.word)))
    for start in range(0, len(stale), BATCH_SIZE):
        # Another word of the product may fold to the same one already.
        words.bulk_create(fresh[start : start + BATCH_SIZE], ignore_conflicts=True)
        words.filter(pk__in=stale[start : start + BATCH_SIZE]).delete()


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0010_closed_months")]

    operations = [migrations.RunPython(refold, migrations.RunPython.noop, elidable=True)]
