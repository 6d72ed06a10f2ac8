"""Payments that come with imported orders: how many of them one person records alone."""

from collections import defaultdict
from typing import Any

from django.utils.translation import gettext_lazy as _

from marketplace.models import Order
from marketplace.services.approval_policies import PAYMENT, owed_by_platform
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import NotAllowed
from systemadmin.services.daily_sums import keep_amount, look_at_sum_of_day


class PaymentsByHand:
    """The paid orders that staff import in one transaction, and their sum.

    With what the person recorded alone in the last 24 hours the sum, over all currencies, stays
    below the limit of a payment by hand. A service key is held to the limit per order alone: it
    brings a platform's whole day. Without an actor (the command line) there is no limit.
    """

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.is_counted = actor is not None and actor.is_staff
        self.is_summed = self.is_counted and not actor.is_service
        self.amounts: defaultdict[str, int] = defaultdict(int)
        self.done: int | None = None

    def add(self, order: Order) -> None:
        """Count a paid order, or raise `NotAllowed` where it needs a second person."""
        if not self.is_counted:
            return
        amount = owed_by_platform(order)
        if amount + self._earlier() >= setting(PAYMENT.setting):
            raise _second_person_needed()
        self.amounts[order.currency] += amount

    def keep(self) -> None:
        """Count the orders to the day's sum; raise `NotAllowed` if the sum grew meanwhile.

        Call it last in the transaction that writes the orders: it locks the person's account.
        """
        if not self.is_summed:
            return
        for currency, amount in sorted(self.amounts.items()):
            if PAYMENT.is_reached(self.actor, amount):
                raise _second_person_needed()
            keep_amount(actor=self.actor, kind=PAYMENT.kind, currency=currency, amount=amount)

    def _earlier(self) -> int:
        if not self.is_summed:
            return 0
        if self.done is None:
            self.done = look_at_sum_of_day(actor=self.actor, kind=PAYMENT.kind)
        return self.done + sum(self.amounts.values())


def _second_person_needed() -> NotAllowed:
    return NotAllowed(
        _("So much needs a second person: import it unpaid, then record the payment."),
        code="second_person_needed",
    )
