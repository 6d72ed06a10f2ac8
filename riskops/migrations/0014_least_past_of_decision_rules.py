"""Write into decision rules from before that one past event was enough for a habit."""

from django.db import migrations


def keep_one(apps, schema_editor):
    rules = apps.get_model("riskops", "DecisionRule").objects.using(schema_editor.connection.alias)
    for rule in rules.iterator():
        habits = [
            one["measure"]
            for one in rule.conditions
            if (one.get("measure") or {}).get("aggregate") == "habit"
        ]
        for measure in habits:
            measure.setdefault("least_past", 1)
        if habits:
            rule.save(update_fields=["conditions"])


class Migration(migrations.Migration):
    dependencies = [("riskops", "0001_squashed_0013_paid_events")]

    operations = [migrations.RunPython(keep_one, migrations.RunPython.noop)]
