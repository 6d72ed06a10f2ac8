"""What one person moves alone within 24 hours, so that a large sum is not split into small ones."""

from datetime import timedelta
from typing import Any, Final

from django.db.models import Sum
from django.utils import timezone

from systemadmin.models import AmountDoneAlone, ServiceKey, User
from systemadmin.services.duties import accounts_of

WINDOW: Final = timedelta(hours=24)


def sum_of_day(*, actor: Any, kind: str) -> int:
    """Return what the actor, with all confirmed accounts and keys of theirs, did alone in 24 hours.

    Minor units of all currencies are added up, because the limits are one number for all of them.
    Without rates of exchange this is the only sum that many currencies do not make smaller.

    Call it inside the transaction of the act, last of all that the act locks: the accounts are
    locked until it ends, so that of two acts at once the second one sees the first.
    """
    people = accounts_of(actor.pk)
    # Without the key: rows that name the actor as their author hold a share lock on it already.
    locked = User.objects.select_for_update(no_key=True).filter(pk__in=people).order_by("pk")
    list(locked.values_list("pk"))
    return _sum(people, kind)


def look_at_sum_of_day(*, actor: Any, kind: str) -> int:
    """Return what `sum_of_day` returns, without a lock: for a look before anything is done."""
    return _sum(accounts_of(actor.pk), kind)


def _sum(people: set[int], kind: str) -> int:
    done = AmountDoneAlone.objects.filter(
        actor__in=people,
        kind=kind,
        done_at__gt=timezone.now() - WINDOW,
    )
    return done.aggregate(sum=Sum("amount"))["sum"] or 0


def keep_amount(*, actor: Any, kind: str, currency: str, amount: int) -> None:
    """Count an act that is done alone now; what a service key does counts as its owner's.

    So a person, all keys of theirs and keys that they hand over later share one sum.
    """
    owner = ServiceKey.objects.filter(account=actor.pk).values_list("owner", flat=True).first()
    AmountDoneAlone.objects.create(
        actor_id=owner or actor.pk, kind=kind, currency=currency, amount=amount
    )
