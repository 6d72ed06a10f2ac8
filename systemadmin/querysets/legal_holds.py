"""Reads of legal holds."""

from typing import Any

from django.apps import apps
from django.db.models import QuerySet
from django.utils import timezone


class LegalHoldQuerySet(QuerySet):
    """Named filters over legal holds."""

    def in_force(self) -> "LegalHoldQuerySet":
        """Return holds that were not released and whose end is not reached."""
        return self.filter(released_at__isnull=True, ends_at__gt=timezone.now())

    def of(self, account_id: int) -> "LegalHoldQuerySet":
        """Return the holds of one account."""
        return self.filter(account_id=account_id)


def held_accounts() -> QuerySet[Any, int]:
    """Return the ids of accounts that are held now, for `exclude(account__in=held_accounts())`.

    The database evaluates it inside the statement that uses it; no id is null.
    """
    return _holds().in_force().order_by().values_list("account_id", flat=True)


def is_held(account_id: int) -> bool:
    """Return whether an account is held now."""
    return _holds().in_force().of(account_id).exists()


def _holds() -> LegalHoldQuerySet:
    # The model takes its manager from this module, so this module cannot import the model.
    return apps.get_model("systemadmin", "LegalHold").objects.all()
