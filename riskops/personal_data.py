"""What the risk engines hold about a person; see systemadmin/foundation/personal_data.py.

An export gives what is known of the account's own acts and its present score. Rules, weights,
links to other accounts and the notes of analysts stay out: they would show others how to get past
them, and they speak of other people (GDPR art. 15(4)).
"""

from typing import Any, Final

from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from riskops.models import (
    AccountCountry,
    AccountEvent,
    AccountFacts,
    AccountNote,
    Anomaly,
    AnomalyExemption,
    AnomalyHit,
    AnomalyStatus,
    ClusterMember,
    Dealing,
    Decision,
    EventOutcome,
    EventSum,
    Identifier,
    ListEntry,
    PendingLink,
    PendingScore,
    RelatedAccount,
    RiskOutcome,
    RiskOverride,
    RiskScore,
    RiskScoreHistory,
    Sighting,
)
from systemadmin.foundation.personal_data import OnErasure, OpenBusiness, PersonalTable
from systemadmin.models import User

_RULES: Final = "It would show how the protection against fraud works (GDPR art. 15(4))."
_CHUNK: Final = 500


def _of(*lookups: str) -> Any:
    def rows(account: Any) -> Q:
        found = Q()
        for lookup in lookups:
            found |= Q(**{lookup: account})
        return found

    return rows


def _listed(account: Any) -> Q:
    """Return entries that name the account or its e-mail address."""
    named = Q(account=account)
    email = User.objects.filter(pk=getattr(account, "pk", account)).values("email")
    return named | Q(kind="email", value__in=email.annotate(low=Lower("email")).values("low"))


def _erase_sightings(account: Any) -> int:
    """Forget a chunk of what the account was seen with, and identifiers that nobody else has."""
    seen = list(Sighting.objects.filter(account=account)[:_CHUNK])
    dealt = list(Dealing.objects.filter(account=account)[:_CHUNK])
    keys = sorted({row.identifier_id for row in (*seen, *dealt)})
    # In the order of keys, as the ingest of events locks them.
    list(Identifier.objects.filter(pk__in=keys).order_by("pk").select_for_update().values("pk"))
    for rows, counter in ((seen, "accounts"), (dealt, "dealers")):
        used = [row.identifier_id for row in rows]
        positive = Identifier.objects.filter(pk__in=used, **{f"{counter}__gt": 0})
        positive.update(**{counter: F(counter) - 1})
    Sighting.objects.filter(pk__in=[row.pk for row in seen]).delete()
    Dealing.objects.filter(pk__in=[row.pk for row in dealt]).delete()
    unused = Identifier.objects.filter(pk__in=keys, is_shared=False)
    for name in ("ip", "device", "wallet", "counterparty_wallet"):
        used_by_others = AccountEvent.objects.filter(**{f"{name}__in": keys})
        unused = unused.exclude(pk__in=used_by_others.values(name))
    unused = unused.exclude(
        pk__in=Sighting.objects.filter(identifier__in=keys).values("identifier")
    )
    unused = unused.exclude(pk__in=Dealing.objects.filter(identifier__in=keys).values("identifier"))
    unused.delete()
    return len(seen) + len(dealt)


TABLES = [
    PersonalTable(
        model=AccountEvent,
        rows=_of("account"),
        on_erasure=OnErasure.DELETE,
        columns=("kind", "occurred_at", "source", "ip__value", "device__value", "wallet__value",
                 "amount", "currency", "country", "data"),
    ),
    PersonalTable(
        model=Sighting,
        rows=_of("account"),
        on_erasure=OnErasure.DELETE,
        columns=("identifier__kind", "identifier__value", "first_seen", "last_seen", "hits"),
        erase=_erase_sightings,
    ),
    PersonalTable(
        model=Dealing,
        rows=_of("account"),
        on_erasure=OnErasure.DELETE,
        columns=("identifier__kind", "identifier__value", "first_seen", "last_seen", "hits"),
    ),
    PersonalTable(
        model=AccountCountry,
        rows=_of("account"),
        on_erasure=OnErasure.DELETE,
        columns=("country", "first_seen", "last_seen", "logins"),
    ),
    PersonalTable(
        model=RiskScore,
        rows=_of("account"),
        on_erasure=OnErasure.DELETE,
        columns=("score", "level", "calculated_at"),
    ),
    PersonalTable(
        model=Decision,
        rows=_of("account"),
        on_erasure=OnErasure.DELETE,
        columns=("kind", "outcome", "decided_at"),
    ),
    *(
        PersonalTable(
            model=model, rows=rows, on_erasure=OnErasure.DELETE, not_exported=_RULES
        )
        for model, rows in (
            (RiskScoreHistory, _of("account")),
            (RiskOverride, _of("account")),
            (RiskOutcome, _of("account")),
            (EventOutcome, _of("account")),
            (AnomalyHit, _of("account")),
            (Anomaly, _of("account")),
            (AnomalyExemption, _of("account")),
            (AccountNote, _of("account")),
            (RelatedAccount, _of("low", "high")),
            (ClusterMember, _of("account")),
            (ListEntry, _listed),
        )
    ),
    *(
        PersonalTable(
            model=model,
            rows=_of("account"),
            on_erasure=OnErasure.DELETE,
            not_exported="Counted from the events, which are in the export.",
        )
        for model in (AccountFacts, EventSum, PendingScore, PendingLink)
    ),
]  # fmt: skip

OPEN_BUSINESS = [
    OpenBusiness(
        code="open_anomalies",
        title=_("Open anomalies"),
        count=lambda account: Anomaly.objects.filter(
            account=account, status=AnomalyStatus.OPEN
        ).count(),
    ),
    OpenBusiness(
        code="open_review",
        title=_("Waiting for a fraud review"),
        count=lambda account: RiskScore.objects.filter(
            account=account, review_since__isnull=False
        ).count(),
    ),
]
