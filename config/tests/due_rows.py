"""Three due rows of every batch and outbox, and what shows that they went through."""

from datetime import timedelta
from unittest.mock import patch

from django.utils import timezone

import marketplace.tests.factories as market
import messaging.tests.factories as letters
import riskops.tests.factories as risk
from marketplace import tasks as marketplace_tasks
from marketplace.models import LedgerAccount, Order, PaymentEvent, PaymentHook
from marketplace.services import clock
from messaging import services as messaging
from messaging.models import Broadcast, Mailbox, Message
from riskops.anomalies import detection
from riskops.models import AnomalyRule, RecomputeChunk
from riskops.scores.recompute import start_run, work_on
from support.models import AgentNotice, InboundMessage, OutboundMessage, Ticket
from support.services import store_mail
from support.tests.factories import make_agent, make_mailbox, make_policy, make_ticket
from systemadmin.models import (
    Alert,
    AlertNotice,
    AlertRule,
    PrunedFile,
    PublishedEvent,
    WebhookDelivery,
)
from systemadmin.services import change_settings, notify_user, raise_alert
from systemadmin.services.retention import prune_rules
from systemadmin.tests.factories import UserFactory, request_for_second_person


def ago(**span):
    return timezone.now() - timedelta(**span)


def overdue_orders():
    orders = [market.order() for _ in range(3)]
    for place, order in enumerate(orders):
        Order.objects.filter(pk=order.pk).update(reserved_until=ago(hours=3 - place))
    return [order.pk for order in orders]


def paid_orders():
    orders = [market.paid() for _ in range(3)]
    for place, order in enumerate(orders):
        Order.objects.filter(pk=order.pk).update(paid_at=ago(days=100 - place))
    return [order.pk for order in orders]


def payable_balances():
    sellers = [market.completed().seller for _ in range(3)]
    accounts = LedgerAccount.objects.filter(code="seller_payable", seller__in=sellers)
    return list(accounts.order_by("pk").values_list("pk", flat=True))


def pay_out_today():
    values = {
        "marketplace.payout_schedule": "weekly",
        "marketplace.payout_day": clock.today().isoweekday(),
    }
    change_settings(actor=None, values=values)
    return marketplace_tasks.run_payouts()


def orders(status):
    return lambda: set(Order.objects.filter(status=status).values_list("pk", flat=True))


def unread_mailboxes():
    sender, readers = letters.old_member(), [UserFactory() for _ in range(3)]
    for place, reader in enumerate(readers):
        letters.send(sender, reader)
        Mailbox.objects.filter(pk=reader.pk).update(notice_due_at=ago(hours=3 - place))
    return [reader.pk for reader in readers]


def scheduled_broadcasts():
    author = make_agent()
    made = [
        messaging.create_broadcast(actor=author, title="x", body="y", kind="update")
        for _ in range(3)
    ]
    Broadcast.objects.update(status="scheduled", scheduled_at=ago(hours=1))
    return [one.pk for one in made]


def members_of_a_broadcast():
    members = [UserFactory() for _ in range(3)]
    author = make_agent()
    broadcast = messaging.create_broadcast(actor=author, title="x", body="y", kind="update")
    messaging.send_broadcast(actor=author, broadcast=broadcast)
    return [f"{broadcast.pk}:{member.pk}" for member in members]


def reached():
    rows = Message.objects.filter(broadcast__isnull=False)
    pairs = rows.values_list("broadcast_id", "conversation__lower_id", "conversation__higher_id")
    return {f"{one}:{user}" for one, *both in pairs for user in both}


def sent_messages():
    sender = letters.old_member()
    sent = [letters.send(sender, UserFactory(), f"Hola {n}") for n in range(3)]
    Message.objects.update(created_at=ago(hours=1))
    return [one.pk for one in sent]


def expired_conversations():
    change_settings(actor=None, values={"messaging.retention_days": 30})
    sent = [letters.send(letters.old_member(), UserFactory()) for _ in range(3)]
    Message.objects.update(created_at=ago(days=60))
    return [one.conversation_id for one in sent]


def expire():
    prune_rules(["messages"])


def pruned_files():
    names = [f"gone/{number}.txt" for number in range(3)]
    return [
        PrunedFile.objects.create(field="support.Attachment.file", name=name).pk for name in names
    ]


def files_gone():
    left = set(PrunedFile.objects.values_list("pk", flat=True))
    most = 10_000
    return set(range(1, most + 1)) - left


def overdue_tickets():
    make_policy()
    tickets = [make_ticket() for _ in range(3)]
    for place, ticket in enumerate(tickets):
        Ticket.objects.filter(pk=ticket.pk).update(next_due_at=ago(hours=3 - place))
    return [ticket.pk for ticket in tickets]


def resolved_tickets():
    tickets = [make_ticket() for _ in range(3)]
    for place, ticket in enumerate(tickets):
        Ticket.objects.filter(pk=ticket.pk).update(
            status="resolved", resolved_at=ago(days=100 - place)
        )
    return [ticket.pk for ticket in tickets]


def stored_mails():
    box = make_mailbox()
    mails = [
        store_mail(
            mailbox=box,
            raw=b"From: a@example.com\nSubject: %d\nMessage-ID: <%d@x>\n\nHi" % (number, number),
        )[0]
        for number in range(3)
    ]
    InboundMessage.objects.update(updated_at=ago(hours=1))
    return [one.pk for one in mails]


def agents_with_news():
    ticket = make_ticket()
    agents = [make_agent() for _ in range(3)]
    AgentNotice.objects.bulk_create(
        AgentNotice(user=agent, ticket=ticket, event="assigned", key="k", by_mail=True)
        for agent in agents
    )
    AgentNotice.objects.update(created_at=ago(hours=1))
    return [agent.pk for agent in agents]


def mails_out():
    for _ in range(3):
        make_ticket(requester_email="customer@example.com", requester_name="C")
    return list(OutboundMessage.objects.order_by("pk").values_list("pk", flat=True)[:3])


def notifications():
    user = UserFactory()
    return [
        notify_user(
            user=user, kind="k", subject="s", body="b", key=f"k{number}", channels=("email",)
        )[0].pk
        for number in range(3)
    ]


def alert_notices():
    return [AlertNotice.objects.create(channel="telegram", text=f"x{n}").pk for n in range(3)]


def alerts():
    AlertRule.objects.update(is_enabled=False)
    change_settings(actor=None, values={"alerts.group_wait_seconds": 0})
    alerts = [
        raise_alert(rule=f"r{number}", severity="critical", summary="x") for number in range(3)
    ]
    Alert.objects.update(created_at=ago(hours=1))
    return [f"{alert.pk}:firing" for alert in alerts]


def alert_rules():
    AlertRule.objects.all().delete()
    made = [
        AlertRule.objects.create(
            code=f"c{number}", title="t", metric="queue_depth", comparison="above", threshold=-1
        )
        for number in range(3)
    ]
    return [one.pk for one in made]


def payment_events():
    hook = PaymentHook.objects.create(name="stripe", secret="x")
    made = [
        PaymentEvent.objects.create(
            hook=hook, event_id=f"e{number}", kind="x", body={"data": {"object": {}}}
        )
        for number in range(3)
    ]
    return [one.pk for one in made]


def payment_events_done():
    return set(PaymentEvent.objects.filter(status="ignored").values_list("pk", flat=True))


def webhooks():
    from systemadmin.services import webhooks
    from systemadmin.services.event_log import dispatch_events

    endpoint, _secret = webhooks.create_endpoint(
        actor=market.root(), url="https://example.com/in", description="", event_types=[]
    )
    assert endpoint.is_active
    for number in range(3):
        PublishedEvent.objects.create(kind="order.created", key=f"k{number}", event_id=f"m{number}")
    dispatch_events()
    return list(WebhookDelivery.objects.order_by("pk").values_list("pk", flat=True))


def sent(model):
    return lambda: set(model.objects.filter(status="sent").values_list("pk", flat=True))


def chunks():
    risk.record(*[risk.event(UserFactory()) for _ in range(3)])
    run = start_run(cause="schedule", chunk_size=1)
    first = list(run.chunks.order_by("low"))
    for extra in first[3:]:
        extra.delete()
    return [one.pk for one in first[:3]]


def work_on_chunks():
    work_on(RecomputeChunk.objects.first().run)


def touched():
    members = [UserFactory() for _ in range(3)]
    risk.record(*[risk.event(member) for member in members])
    return [member.pk for member in members]


def scored():
    from riskops.models import RiskScore

    return set(RiskScore.objects.values_list("account_id", flat=True))


struck = []


def anomaly_rules():
    struck.clear()
    risk.record(risk.event(UserFactory()))
    codes = list(AnomalyRule.objects.enabled().values_list("code", flat=True))[:3]
    AnomalyRule.objects.exclude(code__in=codes).update(is_enabled=False)
    return codes


def overdue_requests():
    return [
        request_for_second_person(
            subject_id=str(number), expires_at=timezone.now() - timedelta(hours=3 - number)
        ).pk
        for number in range(3)
    ]


def detect():
    write = detection.write_hits

    def noted(rule, hits):
        written = write(rule, hits)
        struck.append(rule.code)
        return written

    with patch("riskops.anomalies.detection.write_hits", noted):
        detection.detect_new()


def not_overdue():
    overdue = Ticket.objects.filter(next_due_at__lt=timezone.now())
    return set(Ticket.objects.exclude(pk__in=overdue).values_list("pk", flat=True))


def reported():
    from riskops.models import AccountEvent

    found = AccountEvent.objects.filter(external_id__startswith="message-")
    return {int(one.split("-")[1]) for one in found.values_list("external_id", flat=True)}


def emptied():
    from messaging.models import Conversation

    kept = Message.objects.values("conversation_id")
    return set(Conversation.objects.exclude(pk__in=kept).values_list("pk", flat=True))
