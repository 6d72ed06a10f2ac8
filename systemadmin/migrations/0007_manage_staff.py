"""Who may suspend staff is a permission of its own."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ("systemadmin", "0006_notification_address"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="user",
            options={
                "permissions": [
                    ("suspend_user", "Can suspend and reinstate accounts"),
                    ("verify_user", "Can mark accounts as verified"),
                    ("view_personal_data", "Can see personal data unmasked"),
                    ("end_sessions", "Can end sessions of other accounts"),
                    ("set_password", "Can set the password of other accounts"),
                    ("reset_two_factor", "Can take the second factor off other accounts"),
                    ("manage_staff", "Can suspend and reinstate staff"),
                ],
                "verbose_name": "user",
                "verbose_name_plural": "users",
            },
        ),
    ]
