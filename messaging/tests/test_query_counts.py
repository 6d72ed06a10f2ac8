"""Every endpoint costs the same number of queries at 1, 10 and 10,000 messages."""

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from messaging.models import Conversation, Mailbox, Message, Participant
from messaging.tests.factories import send
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
SIZES = (1, 10, 10_000)


def grow_to(size, sender, recipient):
    """Lengthen one conversation as if it had been written, in a few statements."""
    thread = Conversation.objects.of_pair(sender.pk, recipient.pk).get()
    missing = range(thread.last_seq + 1, size + 1)
    now = timezone.now()
    made = Message.objects.bulk_create(
        Message(conversation=thread, seq=seq, sender=sender, body=f"n{seq}", created_at=now)
        for seq in missing
    )
    if not made:
        return
    thread.last_seq, thread.last_message = size, made[-1]
    thread.save()
    rows = Participant.objects.filter(conversation=thread)
    rows.update(last_message=made[-1], last_activity_at=now)
    rows.filter(user=recipient).update(unread_count=F("unread_count") + len(made))
    Mailbox.objects.filter(pk=recipient.pk).update(unread_count=F("unread_count") + len(made))


def queries(call):
    with CaptureQueriesContext(connection) as captured:
        response = call()
    assert response.status_code < 300, response.content
    if response.streaming:
        b"".join(response.streaming_content)
    return len(captured)


def test_no_endpoint_costs_more_queries_as_messages_grow(marta, oscar, member, other_member):
    send(other_member, member)
    url = "/api/messages"
    counts = {}
    for size in SIZES:
        grow_to(size, other_member, member)
        newest = Message.objects.filter(sender=other_member).order_by("-seq").first()
        # A message of Marta's own, in another conversation, to edit.
        third = UserFactory()
        send(third, member)
        send(member, third)
        mine = send(member, third, f"para editar {size}")
        calls = {
            "conversations": lambda: marta.get(f"{url}/conversations"),
            "with user": lambda: marta.get(f"{url}/{other_member.pk}"),
            "unread count": lambda: marta.get(f"{url}/unread-count"),
            "stream": lambda: marta.get(f"{url}/stream"),
            "blocks": lambda: marta.get(f"{url}/blocks"),
            "preferences": lambda: marta.get(f"{url}/preferences"),
            "send": lambda: marta.post(url, {"recipient": third.pk, "body": f"hola {size}"}),
            "edit": lambda: marta.post(f"{url}/{mine.pk}/edit", {"body": f"otra vez {size}"}),
            "revisions": lambda: marta.get(f"{url}/{mine.pk}/revisions"),
            "report": lambda: marta.post(f"{url}/{newest.pk}/report", {"reason": "spam"}),
            "read": lambda: marta.post(f"{url}/{newest.pk}/read"),
            "hide": lambda: marta.post(f"{url}/{newest.pk}/hide"),
        }
        for name, call in calls.items():
            counts.setdefault(name, []).append(queries(call))
    # The very first call of all also warms what a process keeps.
    uneven = {name: found for name, found in counts.items() if len(set(found[-2:])) > 1}
    assert uneven == {}
    first = {name: found for name, found in counts.items() if len(set(found)) > 1}
    assert set(first) <= {"conversations"}, counts
