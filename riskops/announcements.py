"""What the risk desk publishes in the event log."""

from collections.abc import Iterable, Sequence

from riskops.models import Anomaly, RelatedAccount
from systemadmin.foundation.context import new_request_id
from systemadmin.services.event_log import NewEvent, publish_event, publish_events


def announce_levels(changed: Iterable[tuple[int, str, str, int]]) -> None:
    """Publish levels that were crossed: account, level, the one before, score."""
    run = new_request_id()
    publish_events(
        NewEvent(
            kind="risk.level_changed",
            key=f"risk-{account}-{run}",
            data={"user": account, "level": level, "previous_level": before, "score": score},
        )
        for account, level, before, score in changed
    )


def announce_link(pair: RelatedAccount) -> None:
    """Publish what staff decided about two accounts."""
    publish_event(
        f"link.{pair.status}",
        key=f"link-{pair.pk}-v{pair.version}",
        data={
            "id": pair.pk,
            "user": pair.low_id,
            "other_user": pair.high_id,
            "status": pair.status,
            "strength": int(pair.strength),
        },
    )


def announce_anomalies(anomalies: Sequence[Anomaly], what: str, rule: str) -> None:
    """Publish anomalies of one rule that were opened or resolved."""
    publish_events(
        NewEvent(
            kind=f"anomaly.{what}",
            key=f"anomaly-{one.pk}-{what}",
            data={
                "id": one.pk,
                "user": one.account_id,
                "rule": rule,
                "severity": one.severity,
                "status": one.status,
                "outcome": one.outcome,
            },
        )
        for one in anomalies
    )
