"""What is read from the log and sent to webhooks: events as messages."""

from collections.abc import Mapping, Sequence
from typing import Any

from systemadmin.foundation.personal_data import masked, masked_texts
from systemadmin.foundation.published_events import EXTERNAL, event_kinds
from systemadmin.models import PublishedEvent, User


def rendered(events: Sequence[PublishedEvent], *, is_masked: bool = False) -> list[dict[str, Any]]:
    """Return the messages of events, with the platform's ids of the accounts they name.

    `is_masked`: these ids, and mentions of people in texts, as staff see them who may see no
    personal data.
    """
    kinds = event_kinds()
    accounts = {
        account
        for event in events
        if event.kind in kinds
        for account in kinds[event.kind].accounts(event.data)
        if account
    }
    names = dict(User.objects.filter(pk__in=accounts).values_list("pk", "external_id"))
    if is_masked:
        names = {account: masked(name) for account, name in names.items() if name}
    return [_message(event, names, is_masked) for event in events]


def _message(
    event: PublishedEvent, names: Mapping[int, str | None], is_masked: bool
) -> dict[str, Any]:
    kind = event_kinds().get(event.kind)
    data = dict(masked_texts(event.data) if is_masked else event.data)
    for name in kind.members if kind else ():
        data.setdefault(name + EXTERNAL, names.get(data.get(name) or 0))
    message = {
        "id": event.event_id,
        "type": event.kind,
        "timestamp": event.occurred_at.isoformat(),
        "sequence": event.sequence,
        "data": data,
    }
    return message | {"test": True} if event.is_test else message
