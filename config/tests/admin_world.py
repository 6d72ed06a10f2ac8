"""At least two of everything that has a page in the admin, for the walk through it."""

from datetime import date, timedelta

from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.utils import timezone
from django_q.models import Schedule, Task

from marketplace import services as market
from marketplace.models import (
    BankLine,
    BankMatch,
    CommissionInvoice,
    InvoiceSeries,
    LedgerEntry,
    PaymentEvent,
    PaymentHook,
    ReasonTemplate,
    SellerStatement,
)
from marketplace.tests import factories as shop
from messaging import services as messaging
from messaging.tests.factories import send
from riskops.anomalies.detection import detect_new
from riskops.anomalies.handling import exempt_account
from riskops.decisions.decide import decide
from riskops.decisions.decision_request import request_for_intended_action
from riskops.decisions.lists import add_list_entry
from riskops.links.clusters import rebuild_clusters
from riskops.links.detect import detect_all
from riskops.links.notes import add_note
from riskops.links.verdicts import confirm_related, share_identifier
from riskops.models import AnomalyRule, Identifier, IngestCheckpoint, IpRange, RelatedAccount
from riskops.scores.outcomes import record_outcome
from riskops.scores.overrides import override_score
from riskops.scores.recompute import recompute_touched, start_run
from riskops.scores.rulesets import current_ruleset, draft_ruleset
from riskops.tests.factories import record
from riskops.tests.test_anomalies import burst
from riskops.tests.worlds import Builder
from support.models import AgentState, InboundMessage, OutboundMessage, SlaBreach, Tag, TicketRating
from support.services import save_macro, store_mail
from support.services.spam import block_sender
from support.tests import factories as desk
from systemadmin.foundation import queue
from systemadmin.foundation.task_packages import RUNNER
from systemadmin.models import (
    AlertNotice,
    AlertSilence,
    BatchFailure,
    Notification,
    StaffIdentity,
    User,
)
from systemadmin.services import change_settings, notify_user, raise_alert, suspend_user, webhooks
from systemadmin.services.blocked_networks import block_network
from systemadmin.services.event_log import dispatch_events
from systemadmin.services.legal_holds import hold_account
from systemadmin.services.maintenance import disable_maintenance, enable_maintenance
from systemadmin.services.service_keys import create_service_key
from systemadmin.tests.backups.factories import BackupFactory, RestoreFactory
from systemadmin.tests.factories import StaffFactory, UserFactory, request_for_second_person

SEAL = "systemadmin.tasks.seal_audit"


def build_world():
    """Fill the database."""
    root = shop.root()
    fill_base(root)
    fill_risk(root)
    fill_support(root)
    fill_market(root)
    fill_messaging(root)
    # What the desks published becomes deliveries to the receivers.
    dispatch_events()


def fill_base(root):
    """Alerts, backups, blocks, windows, roles and the queue."""
    for number in range(4):
        alert = raise_alert(rule="test", key=str(number), severity="warning", summary="Test")
        AlertNotice.objects.create(channel="telegram", text="x", status="failed")
        BackupFactory(is_pinned=number % 2 == 0)
        Group.objects.create(name=f"own {number}")
        StaffIdentity.everything.create(
            user=StaffFactory(username=f"linked{number}"),
            name="provider",
            issuer="https://id.example.test",
            subject=f"subject-{number}",
        )
        create_service_key(actor=root, name=f"Service {number}", networks=["192.0.2.0/24"])
        block_sender(actor=root, address=f"@junk{number}.example.org", reason="Test")
        block_network(actor=root, own_ip="", network=f"198.51.10{number}.0/24", reason="Test")
        queue.enqueue(SEAL)
        failed_task(number)
        Schedule.objects.create(name=f"stray {number}", func="os.system", args="'true'")
        person = UserFactory(username=f"walked{number}")
        if number < 2:
            suspend_user(actor=root, user=person, reason="Test")
        ends_at = timezone.now() + timedelta(days=30)
        hold_account(actor=root, user=person, reason="Test", ends_at=ends_at)
    for number in range(2):
        BatchFailure.objects.create(
            batch="test",
            key=str(number),
            error="x",
            first_failed_at=timezone.now(),
            last_failed_at=timezone.now(),
        )
        RestoreFactory()
        AlertSilence.objects.create(
            rule="test", until=timezone.now(), reason="x", created_by=root, key=str(number)
        )
        enable_maintenance(actor=root, mode="read_only")
        disable_maintenance(actor=root)
        request_for_second_person(asked_by=UserFactory(), subject_id=f"walk {number}")
        notify_user(user=root, kind="test", subject="s", body="b", key=f"walk-{number}")
        Notification.objects.filter(key=f"walk-{number}").update(
            status="failed", next_attempt_at=None
        )
    return alert


def failed_task(number):
    """A record of a task that did not go well."""
    moment = timezone.now()
    Task.objects.create(
        id=f"{number:032d}",
        name=SEAL,
        func=RUNNER,
        args=(SEAL, "", f"key{number}"),
        kwargs={},
        started=moment,
        stopped=moment,
        success=False,
        result="OSError : Traceback …",
    )


def fill_risk(root):
    """A ring of accounts, what the engines say of it, and what staff did."""
    build = Builder(31)
    build.people(60)
    rings = [build.ring(4), build.ring(4)]
    build.done()
    for ring in rings:
        record(*burst(ring[0], "transfer", 10))
    detect_all()
    rebuild_clusters()
    detect_new()
    recompute_touched(cause="event")
    start_run(cause="schedule")
    for pair in RelatedAccount.objects.order_by("pk")[:2]:
        confirm_related(actor=root, pair=pair, note="")
    for number in range(3):
        wish = {"account": rings[0][0]}
        decide(
            request_for_intended_action(wish, action="purchase", key=f"walk{number}", source="shop")
        )
        add_list_entry(
            actor=root, list="watch", kind="device", value=f"walked{number}", reason="Test"
        )
    people = User.objects.filter(pk__in=[pk for ring in rings for pk in ring]).order_by("pk")
    rule = AnomalyRule.objects.order_by("pk").first()
    for account in people[:2]:
        add_note(actor=root, account=account, body="Looked at it.")
        record_outcome(actor=root, account=account, verdict="confirmed_fraud", note="")
        override_score(
            actor=root,
            account=account,
            score=50,
            reason="Test",
            expires_at=timezone.now() + timedelta(days=1),
        )
        exempt_account(actor=root, rule=rule, account=account, reason="Test")
        place = Identifier.objects.filter(is_shared=False).order_by("pk").first()
        share_identifier(actor=root, identifier=place, reason="Test")
        draft_ruleset(actor=root, definition=current_ruleset().definition, note="draft")
        IngestCheckpoint.objects.create(key=str(account.pk), path="events.csv")
        IpRange.objects.create(
            cidr=f"192.0.2.{account.pk % 200}/32",
            first="0" * 32,
            last="0" * 32,
            category="vpn",
            source="test",
        )


def fill_support(root):
    """Tickets in every queue, and what they are answered with."""
    category = desk.make_category()
    member = UserFactory(username="walked-customer")
    for number in range(4):
        ticket = desk.make_ticket(member, subject=f"Ticket {number}")
        desk.make_category(f"walked{number}")
        desk.make_calendar(f"Office {number}")
        policy = desk.make_policy(f"Policy {number}")
        desk.make_template(root, code=f"t{number}")
        desk.make_faq(root, question=f"Question {number}?")
        save_macro(actor=root, values={"name": f"Macro {number}", "status": "resolved"})
        mailbox = desk.make_mailbox(f"box{number}@atalaya.test")
        AgentState.objects.create(user=desk.make_agent())
        Tag.objects.create(name=f"tag{number}")
        OutboundMessage.objects.create(
            ticket=ticket,
            recipient="a@example.test",
            subject="s",
            status="failed",
            kind="received",
            message_id=f"<walk{number}@example.test>",
            key=f"walk{number}",
        )
        SlaBreach.objects.create(
            ticket=ticket,
            clock="first_response",
            cycle=1,
            due_at=timezone.now(),
            detected_at=timezone.now(),
            version=policy.current,
        )
        TicketRating.objects.create(ticket=ticket, score=5, rated_at=timezone.now())
    for number in range(2):
        stray = desk.make_ticket(member, subject=f"Stray {number}")
        store_mail(mailbox=mailbox, raw=b"From: a@example.test\r\n\r\nStray %d" % number)
        mail = InboundMessage.objects.order_by("-pk").first()
        InboundMessage.objects.filter(pk=mail.pk).update(
            ticket=stray, may_belong_to=ticket, status="processed"
        )
    for number in range(3):
        store_mail(mailbox=mailbox, raw=b"From: a@example.test\r\n\r\nHello %d" % number)
    return category


def fill_market(root):
    """Products, orders, disputes, payouts and webhooks in several states."""
    for number in range(4):
        shop.rule(name=f"Rule {number}", ppm=100_000, is_active=number == 0)
        hook = PaymentHook.objects.create(name=f"hook-{number}", secret="x")
        PaymentEvent.objects.create(
            hook=hook, event_id=f"evt_{number}", kind="charge.refunded", status="failed"
        )
        ReasonTemplate.objects.create(
            code=f"w{number}", action="reject", title=f"Reason {number}", body="Because."
        )
        shop.category(f"Empty {number}")
        webhooks.create_endpoint(actor=root, url=f"https://hooks.example.test/{number}")
    market_settings = {
        "marketplace.platform_legal_name": "Atalaya",
        "marketplace.platform_iban": "ES9121000418450200051332",
    }
    change_settings(actor=root, values=market_settings)
    for number in range(3):
        seller = UserFactory()
        product = shop.approved(seller, price=20_00, stock=None)
        market.update_product(
            actor=seller, product=product, price=60_00, description="Something else, quite new."
        )
        order = shop.completed(product)
        market.open_dispute(actor=order.buyer, order=order, reason="damaged", body="Broken.")
        market.refund_order(actor=None, order=shop.completed(product), amount=1_00)
        market.save_seller_profile(actor=root, seller=seller, level=f"level-{number}")
        month = date(2025, 1 + number, 1)
        values = {"seller": seller, "month": month.replace(year=2024), "currency": "EUR"}
        SellerStatement.objects.create(opening=0, closing=0, **values)
        series, _made = InvoiceSeries.objects.get_or_create(name="C2025")
        InvoiceSeries.objects.update(last_number=number + 1)
        CommissionInvoice.objects.create(
            series=series, number=number + 1, net=1, tax=0, total=1, issued_on=month, **values
        )
        market.post_journal_entry(
            actor=root,
            kind="credit",
            currency="EUR",
            lines=market.usual_lines(kind="credit", amount=1_00, seller=seller),
            reason="Test",
            booked_on=month,
        )
        market.close_month(actor=root, month=date(2025, 1 + number, 1))
        market.import_bank_statement(
            actor=root,
            file=ContentFile(f"date,amount\n2026-01-0{number + 1},5.00\n".encode(), "bank.csv"),
            format="csv",
            account="bank",
            currency="EUR",
        )
        BankMatch.objects.create(
            line=BankLine.objects.latest("pk"),
            entry=LedgerEntry.objects.filter(bank_match__isnull=True).latest("pk"),
        )
        lines = market.usual_lines(kind="dispute_fee", amount=15_00)
        market.post_journal_entry(
            actor=root, kind="dispute_fee", currency="EUR", lines=lines, reason="Test"
        )
        market.create_fee(actor=root, code=f"fee-{number}", name=f"Fee {number}")
        market.create_fee_tax_rate(actor=root, country=("DE", "AT", "IT")[number], ppm=190_000)
        payout = market.create_payout(actor=root, seller=seller, currency="EUR")
        market.save_seller_profile(
            actor=root, seller=seller, legal_name="Ana", iban="ES9121000418450200051332"
        )
        if number < 2:
            market.create_payout_batch(actor=root, currency="EUR")
        if number == 1:
            market.fail_payout(actor=root, payout=payout, reason="Test")
        shop.completed(product)
        paused = shop.approved(seller, price=20_00, stock=None)
        market.pause_product(actor=root, product=paused, reason="Test")
        shop.order(product)
        shop.paid(product)
        waiting = shop.draft(UserFactory())
        market.submit_product(actor=waiting.seller, product=waiting)
    for _number in range(2):
        shop.completed(shop.approved(UserFactory(), price=20_00, stock=None))


def fill_messaging(root):
    """Conversations, reports, blocks and broadcasts."""
    anna, boris, clara = (UserFactory() for _ in range(3))
    for other in (boris, clara):
        letter = send(anna, other, f"Hello {other.pk}")
        messaging.report_message(actor=other, message=letter, reason="fraud", note="x")
        letter = send(other, anna, "Answer")
        messaging.report_message(actor=anna, message=letter, reason="spam", note="x")
        messaging.block_member(actor=other, user_id=anna.pk)
        messaging.create_broadcast(
            actor=root, kind="information", title=f"News {other.pk}", body="Hello"
        )
