"""For every batch and outbox: rows that are due, how to run it, where one can be poisoned."""

from django.utils import timezone

import config.tests.due_rows as rows
from marketplace.models import LedgerAccount
from messaging import services as messaging
from messaging.models import Broadcast
from riskops.models import RecomputeChunk
from riskops.tasks import recompute_touched_accounts
from support.models import AgentNotice, InboundMessage, OutboundMessage, Ticket
from systemadmin.models import (
    Alert,
    AlertNotice,
    AlertRule,
    ApprovalRequest,
    Notification,
    WebhookDelivery,
)


class Case:
    """Three due rows of one batch.

    `make` returns their keys in the order in which they are handled; `poison` names a function
    that raises for one of them, told by `key_of` its arguments (one key, or a list); `task` runs
    the batch; `done` returns the keys that went through; `listed` those with an error that staff
    see, of the list of failed rows unless it is an outbox; `again` tries those, if not `task`.
    """

    def __init__(
        self, make, poison, task, done, key_of=lambda first: first, listed=None, again=None
    ):
        self.make, self.poison, self.task = make, poison, task
        self.done, self.key_of, self.listed, self.again = done, key_of, listed, again or task


def _with_error(model, field="last_error"):
    return lambda: set(model.objects.exclude(**{field: ""}).values_list("pk", flat=True))


CASES = {
    "systemadmin.expire_approvals": Case(
        rows.overdue_requests,
        "systemadmin.services.approvals._decide",
        "systemadmin.tasks.expire_approvals",
        lambda: set(ApprovalRequest.objects.filter(state="expired").values_list("pk", flat=True)),
        key_of=lambda _actor, row, *rest: row.pk,
    ),
    "marketplace.expire_reservations": Case(
        rows.overdue_orders,
        "marketplace.services.orders.save_step",
        "marketplace.tasks.expire_reservations",
        rows.orders("expired"),
        key_of=lambda _actor, order, *rest: order.pk,
    ),
    "marketplace.payment_events": Case(
        rows.payment_events,
        "marketplace.services.payment_events._notice",
        "marketplace.tasks.process_payment_events",
        rows.payment_events_done,
        key_of=lambda event: event.pk,
    ),
    "marketplace.complete_due_orders": Case(
        rows.paid_orders,
        "marketplace.services.orders.record_sale",
        "marketplace.tasks.complete_due_orders",
        rows.orders("completed"),
        key_of=lambda order: order.pk,
    ),
    "marketplace.run_payouts": Case(
        rows.payable_balances,
        "marketplace.services.payouts.create_payout",
        rows.pay_out_today,
        lambda: set(
            LedgerAccount.objects.filter(
                code="seller_payable", seller__payouts__isnull=False
            ).values_list("pk", flat=True)
        ),
        key_of=lambda seller, **rest: (
            LedgerAccount.objects.get(code="seller_payable", seller=seller).pk
        ),
    ),
    "messaging.send_due_notices": Case(
        rows.unread_mailboxes,
        "messaging.services.notices._tell",
        "messaging.tasks.send_due_notices",
        lambda: set(Notification.objects.values_list("user_id", flat=True)),
        key_of=lambda box, *rest: box.pk,
    ),
    "messaging.start_due_broadcasts": Case(
        rows.scheduled_broadcasts,
        "messaging.services.delivery.send_broadcast",
        "messaging.tasks.start_due_broadcasts",
        lambda: set(Broadcast.objects.exclude(status="scheduled").values_list("pk", flat=True)),
        key_of=lambda actor, broadcast: broadcast.pk,
    ),
    "messaging.deliver_broadcast": Case(
        rows.members_of_a_broadcast,
        "messaging.services.delivery._deliver",
        lambda: messaging.deliver_broadcast(Broadcast.objects.get().pk),
        rows.reached,
        key_of=lambda broadcast, members: [f"{broadcast.pk}:{one.pk}" for one in members],
        again="messaging.tasks.start_due_broadcasts",
    ),
    "messaging.report_to_risk_engine": Case(
        rows.sent_messages,
        "messaging.services.risk.record_events",
        "messaging.tasks.report_to_risk_engine",
        rows.reported,
        key_of=lambda facts, source: [int(one.external_id.split("-")[1]) for one in facts],
    ),
    "messaging.expire_messages": Case(
        rows.expired_conversations,
        "messaging.services.retention._expire_conversation",
        rows.expire,
        rows.emptied,
        key_of=lambda pk, cutoff: pk,
    ),
    "systemadmin.pruned_files": Case(
        rows.pruned_files,
        "systemadmin.services.retention.files._delete",
        "systemadmin.services.retention.files._delete_noted",
        rows.files_gone,
        key_of=lambda pk: pk,
    ),
    "support.sweep_sla": Case(
        rows.overdue_tickets,
        "support.services.clocks.refresh",
        "support.tasks.sweep_sla",
        lambda: set(
            Ticket.objects.exclude(next_due_at__lt=timezone.now()).values_list("pk", flat=True)
        ),
        key_of=lambda ticket, now: ticket.pk,
    ),
    "support.send_agent_notices": Case(
        rows.agents_with_news,
        "support.services.agent_notices._in_sight",
        "support.tasks.send_agent_notices",
        lambda: set(AgentNotice.objects.exclude(sent_at=None).values_list("user", flat=True)),
        key_of=lambda person, rows: person.pk,
    ),
    "support.close_resolved": Case(
        rows.resolved_tickets,
        "support.services.tickets.update_ticket",
        "support.tasks.close_resolved",
        lambda: set(Ticket.objects.filter(status="closed").values_list("pk", flat=True)),
        key_of=lambda actor, ticket, changes: ticket.pk,
    ),
    "support.sweep_inbox": Case(
        rows.stored_mails,
        "support.services.mail_in._process",
        "support.tasks.sweep_mail",
        lambda: set(InboundMessage.objects.filter(status="processed").values_list("pk", flat=True)),
        key_of=lambda pk, again: pk,
        listed=_with_error(InboundMessage, "reason"),
    ),
    "systemadmin.alert_rules": Case(
        rows.alert_rules,
        "systemadmin.services.alert_rules._evaluate",
        "systemadmin.tasks.tell_and_retry",
        lambda: set(AlertRule.objects.exclude(last_value=None).values_list("pk", flat=True)),
        key_of=lambda rule, value, now: rule.pk,
    ),
    "systemadmin.alert_notices": Case(
        rows.alerts,
        "systemadmin.services.alert_delivery._write",
        "systemadmin.tasks.tell_and_retry",
        lambda: {f"{alert.pk}:{alert.told_status}" for alert in Alert.objects.all()},
        key_of=lambda alerts: [f"{alert.pk}:firing" for alert in alerts],
    ),
    "riskops.recompute_chunks": Case(
        rows.chunks,
        "riskops.scores.recompute.work_on_chunk",
        rows.work_on_chunks,
        lambda: set(RecomputeChunk.objects.exclude(done_at=None).values_list("pk", flat=True)),
        key_of=lambda run, chunk: chunk.pk,
    ),
    "riskops.recompute_touched": Case(
        rows.touched,
        "riskops.scores.recompute.score_accounts",
        recompute_touched_accounts,
        rows.scored,
        key_of=lambda accounts, **_rest: list(accounts.ids),
    ),
    "riskops.anomaly_rules": Case(
        rows.anomaly_rules,
        "riskops.anomalies.detection._write",
        rows.detect,
        lambda: set(rows.struck),
        key_of=lambda rule, parameters, span: rule.code,
    ),
    # -- outboxes: the row itself says why
    "systemadmin.tasks.deliver_webhook": Case(
        rows.webhooks,
        "systemadmin.webhook_signing.headers",
        "systemadmin.tasks.deliver_due_webhooks",
        rows.sent(WebhookDelivery),
        key_of=lambda secrets, message_id, *rest: (
            WebhookDelivery.objects.get(event__event_id=message_id).pk
        ),
        listed=_with_error(WebhookDelivery),
    ),
    "support.tasks.deliver_mail": Case(
        rows.mails_out,
        "support.services.mail_out.compose",
        "support.tasks.sweep_mail",
        rows.sent(OutboundMessage),
        key_of=lambda message: message.pk,
        listed=_with_error(OutboundMessage),
    ),
    "systemadmin.tasks.deliver_notification": Case(
        rows.notifications,
        "systemadmin.services.notifications._send_mail",
        "systemadmin.tasks.tell_and_retry",
        rows.sent(Notification),
        key_of=lambda notice: notice.pk,
        listed=_with_error(Notification),
    ),
    "systemadmin.tasks.send_alert_notice": Case(
        rows.alert_notices,
        "systemadmin.telegram.send_message",
        "systemadmin.tasks.tell_and_retry",
        rows.sent(AlertNotice),
        key_of=lambda chat, text: AlertNotice.objects.get(text=text).pk,
        listed=_with_error(AlertNotice),
    ),
}

# Jobs of a few parts, each a function of its own: the parts, and how the job is run.
PARTS = {
    "support.sweep_mail": (
        {
            "outgoing": "support.services.mail_out.Outbox.deliver_due",
            "incoming": "support.services.mail_in.sweep_inbox",
        },
        "support.tasks.sweep_mail",
    ),
    "support.close_and_forget": (
        {
            "tickets": "support.services.tickets.close_resolved",
            "presence": "support.services.presence.forget_old",
        },
        "support.tasks.close_resolved",
    ),
    "systemadmin.prune": (
        {
            "lift_expired_blocks": "systemadmin.services.retention.nightly.lift_expired",
            "audit": "systemadmin.retention.records.retire_audit_entries",
            "refused_files": "riskops.retention.delete_refused_files",
            "stream_events": "messaging.services.prune_stream",
            "pruned_files": "systemadmin.services.retention.nightly.delete_files",
            "table_sizes": "systemadmin.services.retention.nightly.sample_tables",
        },
        "systemadmin.tasks.prune_expired",
    ),
    "systemadmin.alerts": (
        {
            "firing": "systemadmin.services.alert_rules.evaluate_rules",
            "notices": "systemadmin.services.alert_delivery.send_due_notices",
            "notifications": "systemadmin.services.notifications.Outbox.deliver_due",
        },
        "systemadmin.tasks.tell_and_retry",
    ),
}
