"""What is kept of the event log and its receivers."""

from django.db.models import Exists, OuterRef, Q

from systemadmin.foundation.retention import Rows, Span, Table
from systemadmin.models import WebhookDelivery

EVENTS = [
    Table(
        model="systemadmin.PublishedEvent",
        holds="what happened, with numbers of accounts, and titles and reasons of products",
        purpose="telling the platform, and letting it catch up",
        owners=["user", "other_user"],
        rules=[
            Rows(
                name="published_events",
                span=Span(setting="retention.published_event_days"),
                moment="occurred_at",
                where=~Q(
                    Exists(WebhookDelivery.objects.filter(event=OuterRef("pk"), status="pending"))
                )
                & Q(Q(sequence__isnull=False) | Q(is_test=True)),
            )
        ],
    ),
    Table(
        model="systemadmin.EventCounter",
        holds="the last number of the event log",
        purpose="numbers without gaps",
        kept="for ever: it is one number",
    ),
    Table(
        model="systemadmin.WebhookEndpoint",
        holds="receivers of webhooks with encrypted secrets",
        purpose="configuration",
        kept="until staff delete it",
    ),
    Table(
        model="systemadmin.WebhookAttempt",
        holds="what a receiver answered",
        purpose="finding out why a delivery failed",
        rules=[
            Rows(
                name="webhook_attempts",
                span=Span(setting="retention.webhook_attempt_days"),
                moment="created_at",
                where=~Q(delivery__status="pending"),
            )
        ],
    ),
    Table(
        model="systemadmin.WebhookDelivery",
        holds="which event went to which receiver",
        purpose="sending once",
        kept="as long as the event",
    ),
]
