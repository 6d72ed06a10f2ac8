"""What is kept of notices, alerts and blocked networks."""

from django.db.models import Q

from systemadmin.foundation.retention import Rows, Span, Table

ALERTS = Span(setting="retention.alert_days")
DELIVERED = Q(status__in=["sent", "failed", "skipped"])

MESSAGES = [
    Table(
        model="systemadmin.Notification",
        holds="notices to accounts by e-mail and Telegram",
        purpose="sending once, and proof that it was sent",
        owners=["user"],
        rules=[
            Rows(
                name="notice_texts",
                span=Span(setting="retention.notice_text_days"),
                moment="created_at",
                # What was given up can still be sent again by staff.
                where=Q(status__in=["sent", "skipped"]),
                blank={"subject": "", "body": "", "address": ""},
            ),
            Rows(
                name="notices",
                span=Span(setting="retention.notice_days"),
                moment="created_at",
                where=DELIVERED,
            ),
        ],
    ),
    Table(
        model="systemadmin.Alert",
        holds="alerts to staff",
        purpose="what went wrong and who looked at it",
        rules=[Rows(name="alerts", span=ALERTS, moment="resolved_at", where=Q(status="resolved"))],
        kept="while it is open",
    ),
    Table(
        model="systemadmin.AlertNotice",
        holds="messages to the alert channels",
        purpose="sending once",
        rules=[
            Rows(
                name="alert_notices",
                span=Span(setting="retention.alert_notice_days"),
                moment="created_at",
                where=DELIVERED,
            )
        ],
    ),
    Table(
        model="systemadmin.AlertNotice_alerts",
        holds="which alerts a message names",
        purpose="sending once",
        kept="as long as the message and the alert",
    ),
    Table(
        model="systemadmin.AlertRule",
        holds="thresholds of alerts",
        purpose="configuration",
        kept="until staff delete it",
    ),
    Table(
        model="systemadmin.AlertSilence",
        holds="silences with reasons",
        purpose="which alerts are not sent",
        owners=["created_by"],
        rules=[Rows(name="alert_silences", span=ALERTS, moment="until")],
    ),
    Table(
        model="systemadmin.BlockedNetwork",
        holds="blocked networks with reasons",
        purpose="keeping out whoever floods the service",
        rules=[Rows(name="lifted_blocks", span=ALERTS, moment="lifted_at")],
        kept="while the block is in force",
    ),
]
