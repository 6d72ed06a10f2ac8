"""What is asked: an event that happened, or what an account is about to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from riskops.ingest.validate import CheckedEvent, Refusal, check_row, check_source
from systemadmin.foundation import configuration
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User

# Names of a wish that are an event's by another name.
INTENDED_ACTION_FIELDS = frozenset(
    {"account", "account_external_id", "ip", "device", "wallet", "counterparty_wallet"}
    | {"amount", "currency", "country", "data"}
)


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """One question: `event` in its stored form; only one that happened is recorded."""

    source: str
    external_id: str
    event: CheckedEvent
    happened: bool

    @property
    def fingerprint(self) -> str:
        """A digest of what is asked, equal for equal questions however they are written."""
        event = self.event
        asked = [
            self.happened,
            event.kind,
            event.account_id,
            event.occurred_at.isoformat() if self.happened else "",
            *event_content(event),
        ]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()

    @property
    def data(self) -> dict[str, Any]:
        """The free part of the event."""
        found = json.loads(self.event.data) if self.event.data else {}
        return found if isinstance(found, dict) else {}


def event_content(event: CheckedEvent) -> list[Any]:
    """Return what an event says besides kind, account and moment."""
    return [
        event.ip,
        event.device,
        event.wallet,
        event.counterparty_wallet,
        event.amount,
        event.currency,
        event.country,
        json.loads(event.data) if event.data else None,
    ]


def ask_about_event(row: Mapping[str, Any], *, source: str) -> DecisionRequest:
    """Return the question about an event; raises `InvalidInput` with the field at fault."""
    event = _checked(row, "event.")
    return DecisionRequest(check_source(source), event.external_id, event, happened=True)


def request_for_intended_action(
    values: Mapping[str, Any], *, action: str, key: str, source: str
) -> DecisionRequest:
    """Return the question whether an account may do something, which is not recorded."""
    now = timezone.now()
    row = {name: values[name] for name in INTENDED_ACTION_FIELDS if name in values}
    event = _checked(row | {"kind": action, "occurred_at": now, "external_id": key or "-"}, "")
    return DecisionRequest(check_source(source), key, event, happened=False)


def _checked(row: Mapping[str, Any], place: str) -> CheckedEvent:
    found = check_row(0, row, latest_allowed())
    if isinstance(found, Refusal):
        name = "action" if found.field == "kind" and not place else found.field
        name = "id" if found.field == "external_id" and not place else name
        raise InvalidInput(f"{place}{name}".rstrip("."), found.detail, code=found.code)
    if found.account_external_id:
        known = User.objects.filter(external_id=found.account_external_id)
        found.account_id = known.values_list("pk", flat=True).first() or 0
        if not found.account_id:
            field = f"{place}account_external_id"
            raise InvalidInput(field, _("There is no such account."), code="unknown_account")
    return found


def latest_allowed() -> datetime:
    """Return the latest moment that an event may have happened at."""
    skew = int(configuration.setting("riskops.clock_skew_seconds"))
    return timezone.now() + timedelta(seconds=skew)
