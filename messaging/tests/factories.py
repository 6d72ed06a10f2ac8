"""Messages for tests, sent the way members send them."""

from datetime import timedelta

from django.utils import timezone

from messaging import services
from messaging.models import Message, Participant
from riskops.models import RiskRuleset, RiskScore
from riskops.models.scores import LEVEL_BY_CODE
from systemadmin.tests.factories import UserFactory


def send(sender, recipient, body="Hola", **kwargs):
    """A message through the service."""
    return services.send_message(actor=sender, recipient=recipient, body=body, **kwargs).message


def old_member(**kwargs):
    """A verified member of long standing."""
    now = timezone.now()
    defaults = {"date_joined": now - timedelta(days=400), "verified_at": now - timedelta(days=90)}
    return UserFactory(**{**defaults, **kwargs})


def true_unread(user):
    """Unread by counting the messages: what the stored counters have to equal."""
    total = 0
    for row in Participant.objects.filter(user=user):
        count = (
            Message.objects.filter(
                conversation=row.conversation_id,
                seq__gt=row.last_read_seq,
                is_hidden_for_recipient=False,
                erased_at__isnull=True,
            )
            .exclude(sender=user)
            .count()
        )
        assert row.unread_count == count
        total += count
    return total


def at_risk(user, level):
    """Give an account a level of the risk engine."""
    score = {"low": 10, "elevated": 50, "high": 70, "critical": 90}[level]
    RiskScore.objects.create(
        account=user,
        raw=score,
        computed=score,
        standing=score,
        score=score,
        level=LEVEL_BY_CODE[level],
        ruleset=RiskRuleset.objects.create(note="for this test"),
        fingerprint=1,
        calculated_at=timezone.now(),
    )
    return user
