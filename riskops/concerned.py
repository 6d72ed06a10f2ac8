"""Whom a judgement concerns: the accounts that may not pass it themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _

from riskops.models import (
    AccountCluster,
    Anomaly,
    ClusterMember,
    Dealing,
    Identifier,
    RelatedAccount,
    Sighting,
)
from systemadmin.foundation.errors import NotAllowed
from systemadmin.models import User
from systemadmin.services.duties import accounts_of, is_own_case


def check_not_own(user: User, account_id: int) -> None:
    """Raise `NotAllowed` for the score of one's own account: a member does not see it either."""
    if is_own_case(user, [account_id]):
        raise NotAllowed(_("Nobody reads the risk score of their own account."))


def account(*, account: User, **_rest: Any) -> list[int]:
    """Return the account that is judged."""
    return [account.pk]


def account_of_anomaly(*, anomaly: Anomaly, **_rest: Any) -> list[int]:
    """Return the account that the anomaly was found on."""
    return [anomaly.account_id]


def both_accounts(*, pair: RelatedAccount, **_rest: Any) -> list[int]:
    """Return the two accounts of a pair."""
    return [pair.low_id, pair.high_id]


def own_members(*, actor: User, cluster: AccountCluster, **_rest: Any) -> Iterable[int]:
    """Return the accounts of the actor in a cluster, which may be large."""
    members = ClusterMember.objects.filter(cluster=cluster, account_id__in=accounts_of(actor.pk))
    return members.values_list("account_id", flat=True)


def own_behind(*, actor: User, identifier: Identifier, **_rest: Any) -> Iterable[int]:
    """Return the accounts of the actor behind an identifier, which may be a crowd.

    Whoever moved money to or from a wallet stands behind it too.
    """
    own = {"identifier": identifier, "account_id__in": accounts_of(actor.pk)}
    return {
        pk
        for rows in (Sighting.objects, Dealing.objects)
        for pk in rows.filter(**own).values_list("account_id", flat=True)
    }
