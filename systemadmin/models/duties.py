"""Money that one person moved alone, below the limits from which a second person is asked."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class AmountDoneAlone(models.Model):
    """One act over money that needed nobody else; those of a day are added up for the next one."""

    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        on_delete=models.CASCADE,
        related_name="+",
        db_index=False,  # actor, kind and currency are indexed together
    )
    kind = models.CharField(_("kind"), max_length=40)
    currency = models.CharField(_("currency"), max_length=3)
    amount = models.BigIntegerField(_("amount in minor units"))
    done_at = models.DateTimeField(_("done at"), default=timezone.now)

    class Meta:
        verbose_name = _("amount done alone")
        verbose_name_plural = _("amounts done alone")
        indexes = [
            # The sum of a person's last day.
            models.Index(
                fields=["actor", "kind", "currency", "done_at"], name="amount_alone_of_day"
            ),
            # What retention removes.
            models.Index(fields=["done_at"], name="amount_alone_done"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_id} {self.kind}: {self.amount} {self.currency}"
