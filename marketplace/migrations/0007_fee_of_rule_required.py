"""Every rule belongs to a fee."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("marketplace", "0006_rules_in_fees")]

    operations = [
        migrations.AlterField(
            model_name="commissionrule",
            name="fee",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="rules",
                to="marketplace.commissionfee",
                verbose_name="fee",
            ),
        ),
    ]
