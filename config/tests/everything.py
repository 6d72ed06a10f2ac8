"""One member with data in every table, marked so that it can be found again anywhere."""

from datetime import timedelta
from email.message import EmailMessage

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from marketplace import services as market
from marketplace.models import CommissionRule, PaymentEvent, PaymentHook, ProductReview, Refund
from marketplace.tests import factories as shop
from messaging import services as messaging
from messaging.models import Message, Preferences, StreamEvent
from messaging.tests.factories import old_member, send
from riskops.anomalies.handling import exempt_account
from riskops.decisions.lists import add_list_entry
from riskops.links.notes import add_note
from riskops.models import (
    AccountCluster,
    Anomaly,
    AnomalyHit,
    AnomalyRule,
    ClusterMember,
    Decision,
    EventOutcome,
    EventSum,
    PendingLink,
    PendingScore,
    RelatedAccount,
)
from riskops.scores.calculate import calculate_score
from riskops.scores.outcomes import record_outcome
from riskops.scores.overrides import override_score
from riskops.tests.factories import event, record
from support.models import (
    AgentNotice,
    Attachment,
    BlockedSender,
    FaqVote,
    FileLink,
    InboundMessage,
    InboundReference,
    NoticePreference,
    Reply,
    ReplyDraft,
    SavedView,
    SlaBreach,
    Tag,
    TicketEvent,
    TicketLink,
    TicketParticipant,
    TicketPresence,
    TicketRating,
    TicketRead,
    TicketSearchPart,
)
from support.services import edit_reply, process_mail, reply_as_customer, store_mail
from support.tests import factories as desk
from systemadmin import audit
from systemadmin.models import (
    AccessLink,
    AccountErasure,
    AccountExport,
    AmountDoneAlone,
    ApiToken,
    ApprovalRequest,
    Demo2FASession,
    IdempotencyKey,
    LegalHold,
    PublishedEvent,
    RecoveryCode,
    ServiceKey,
    StaffIdentity,
    UserSession,
)
from systemadmin.services import notify_user, webhooks
from systemadmin.services.event_log import dispatch_events
from systemadmin.services.sign_in_lock import kept_name
from systemadmin.tests import pictures
from systemadmin.tests.factories import UserFactory, totp_device_for

MARK = "ZZMARKED7731"
IP = "203.0.113.231"
PHONE = "7731773177317731"
MARKERS = (MARK, IP, PHONE)


def marked(what):
    """A text that can be found again, in any case."""
    return f"{MARK} {what}"


def member_who_did_everything(root):
    """Return the member; no business of theirs is open."""
    member = old_member(
        username=MARK.lower(),
        email=f"{MARK}@example.test",
        first_name=marked("first"),
        last_name=marked("last"),
        external_id=marked("platform"),
        telegram_chat_id=PHONE,
        suspended_at=timezone.now() - timedelta(days=9),
        suspended_until=timezone.now() - timedelta(days=8),
        suspension_reason=marked("suspension"),
    )
    friend = old_member()
    _base(member, root)
    _market(member, friend, root)
    _messages(member, friend, root)
    _support(member, root)
    _risk(member, friend, root)
    return member


def _base(member, root):
    now = timezone.now()
    UserSession.objects.create(user=member, session_key=MARK, ip=IP, user_agent=marked("browser"))
    ApiToken.objects.create(user=member, ip=IP, user_agent=marked("app"), label=MARK)
    AmountDoneAlone.objects.create(actor=member, kind="entry", currency="EUR", amount=1)
    StaffIdentity.everything.create(
        user=member, name="provider", issuer="https://id.example.test", subject=MARK
    )
    AccessLink.objects.create(user=member, purpose="password", address_digest="x", expires_at=now)
    ApprovalRequest.objects.create(
        kind="test",
        act="test",
        subject_type="systemadmin.user",
        subject_id=str(member.pk),
        subject_name=MARK,
        asked_by_name="root",
        reason=marked("approval"),
        expires_at=now,
    )
    ServiceKey.objects.create(
        account=UserFactory(is_staff=True, is_service=True),
        name="old",
        owner=member,
        revoked_at=now,
    )
    endpoint, _secret = webhooks.create_endpoint(
        actor=None, url="https://hooks.example.test/theirs"
    )
    type(endpoint).objects.filter(pk=endpoint.pk).update(owner=member)
    totp_device_for(member)
    RecoveryCode.objects.create(user=member, digest="x" * 64)
    Demo2FASession.objects.create(
        user=member, name=marked("demo"), ip=IP, expires_at=now + timedelta(days=1)
    )
    IdempotencyKey.objects.create(
        user=member,
        key=MARK,
        method="POST",
        path="/",
        fingerprint="x",
        status=201,
        body=marked("answer"),
    )
    notify_user(user=member, kind="test", subject=marked("s"), body=marked("b"), key="marked")
    for name in (kept_name(member.username), member.username):
        common = {"username": name, "ip_address": IP, "user_agent": MARK, "http_accept": "*"}
        AccessAttempt.objects.create(
            **common, path_info="/", failures_since_start=1, get_data="", post_data=""
        )
        AccessFailureLog.objects.create(**common, path_info="/")
        AccessLog.objects.create(**common, path_info="/")
    LogEntry.objects.create(
        user=root,
        content_type=ContentType.objects.get_for_model(type(member)),
        object_id=str(member.pk),
        object_repr=MARK,
        action_flag=2,
    )
    LegalHold.objects.create(
        account=member, reason=marked("court"), ends_at=now + timedelta(days=1), released_at=now
    )
    AccountExport.objects.create(account=member, status="expired")
    AccountErasure.objects.create(account=member, status="failed", reason=marked("erase"))
    member.groups.set([])
    audit.record("systemadmin.user.changed", actor=member, target=member)


def _market(member, friend, root):
    webhooks.create_endpoint(actor=root, url="https://hooks.example.test/all")
    rule = shop.rule(name="Everybody", ppm=100_000)
    product = shop.approved(
        member,
        price=20_00,
        stock=None,
        title=marked("lamp"),
        description=marked("description"),
        attributes={"colour": marked("red")},
    )
    upload = SimpleUploadedFile(f"{MARK}.jpg", pictures.photo())
    market.add_image(actor=member, product=product, file=upload)
    market.update_product(actor=member, product=product, description=marked("better"))
    ProductReview.objects.filter(product=product).update(reason=marked("review"))
    sold = shop.completed(product, buyer=friend)
    market.refund_order(actor=None, order=sold, reason=marked("refund"))
    bought = shop.completed(shop.approved(friend, price=5_00, stock=None), buyer=member)
    evidence = SimpleUploadedFile(f"{MARK}.png", pictures.png())
    hook = PaymentHook.objects.create(name="all", secret="x")
    PaymentEvent.objects.create(
        hook=hook, event_id="evt_all", kind="x", order=bought, body={"note": marked("paid")}
    )
    dispute = market.open_dispute(
        actor=member, order=bought, reason="damaged", body=marked("broken")
    )
    market.add_dispute_message(actor=member, dispute=dispute, body=marked("see"), evidence=evidence)
    market.resolve_dispute(
        actor=root, dispute=dispute, in_favour_of="buyer", note=marked("resolution")
    )
    shop.completed(product, buyer=friend)
    shop.rule(per="payout", fixed=1, currency="EUR", applies_to_all=True)
    payout = market.create_payout(actor=root, seller=member, currency="EUR")
    market.pay_payout(actor=root, payout=payout, reference="BANK-1")
    market.save_seller_profile(actor=root, seller=member, level="gold")
    CommissionRule.objects.get(pk=rule.pk).sellers.add(member)
    assert Refund.objects.filter(reason__contains=MARK).exists()
    assert PublishedEvent.objects.filter(data__title__icontains=MARK).exists()
    dispatch_events()


def _messages(member, friend, root):
    first = send(member, friend, marked("hello"), client_id=MARK)
    messaging.edit_message(actor=member, message=first, body=marked("hello again"))
    upload = SimpleUploadedFile(f"{MARK}.png", pictures.png())
    send(member, friend, marked("look"), attachment=upload)
    answer = send(friend, member, "Answer")
    messaging.report_message(actor=member, message=answer, reason="spam", note=marked("report"))
    report = messaging.report_message(actor=friend, message=first, reason="fraud", note="x")
    messaging.dismiss_report(actor=root, report=report, resolution=marked("dismissed"))
    messaging.block_member(actor=member, user_id=UserFactory().pk)
    Preferences.objects.get_or_create(user=member)
    assert Message.objects.filter(sender=member, client_id=MARK).exists()
    assert StreamEvent.objects.filter(user=member).exists()


def _support(member, root):
    desk.make_category()
    ticket = desk.make_ticket(member, subject=marked("subject"), body=marked("body"))
    other = desk.make_ticket(member, subject="Other", body="Other")
    reply = reply_as_customer(
        author=member,
        author_name=MARK,
        ticket=ticket,
        body=marked("reply"),
        attachments=[SimpleUploadedFile(f"{MARK}.txt", marked("file").encode())],
        client_key=MARK,
    )
    edit_reply(actor=member, reply=reply, body=marked("edited"))
    mail = EmailMessage()
    mail["From"], mail["To"] = f"{MARK} <{member.email}>", "support@atalaya.test"
    mail["Subject"], mail["Message-ID"] = marked("mail"), f"<{MARK}.mail@example.test>"
    mail.set_content(marked("by mail"))
    mail.add_attachment(
        b"%PDF-1.4 x", maintype="application", subtype="pdf", filename=f"{MARK}.pdf"
    )
    message, _new = store_mail(mailbox=desk.make_mailbox(), raw=mail.as_bytes())
    process_mail(message.pk)
    now = timezone.now()
    faq = desk.make_faq(root)
    FaqVote.objects.create(faq=faq, user=member, is_helpful=True)
    InboundReference.objects.get_or_create(message_id=f"{MARK}.mail@example.test", ticket=ticket)
    TicketRating.objects.create(ticket=ticket, score=5, comment=marked("thanks"), rated_at=now)
    TicketParticipant.objects.create(ticket=ticket, address=member.email, name=MARK)
    TicketPresence.objects.create(ticket=ticket, user=member, seen_at=now)
    TicketRead.objects.create(ticket=ticket, user=member, up_to=1, read_at=now)
    TicketSearchPart.objects.create(ticket=ticket, document=MARK.lower())
    ReplyDraft.objects.create(ticket=ticket, user=member, kind="public", body=marked("draft"))
    SavedView.objects.create(owner=member, name=MARK[:40], words=MARK)
    TicketLink.objects.create(first=ticket, second=other, note=marked("note"))
    SlaBreach.objects.create(
        ticket=ticket, clock="first_response", cycle=1, due_at=now, detected_at=now
    )
    ticket.tags.add(Tag.objects.create(name="tagged"))
    TicketEvent.objects.filter(actor=member).update(actor_name=MARK)
    assert InboundMessage.objects.filter(sender__icontains=MARK).exists()
    AgentNotice.objects.create(user=root, ticket=ticket, event="assigned", key=MARK)
    NoticePreference.objects.create(user=member, event="new")
    BlockedSender.objects.create(address=member.email, ticket=ticket)
    FileLink.objects.create(
        attachment=Attachment.objects.filter(reply__ticket=ticket).first(),
        message=ticket.outbound.first(),
        expires_at=timezone.now() + timedelta(days=1),
    )
    assert Attachment.objects.filter(reply__ticket__requester=member).count() == 2
    assert Reply.objects.filter(author=member, body__contains="edited").exists()


def _risk(member, friend, root):
    seen = {"ip": IP, "device": f"{MARK}-device", "wallet": f"{MARK}wallet", "country": "ES"}
    record(
        event(member, "login_ok", **{k: v for k, v in seen.items() if k != "wallet"}),
        event(member, "wallet_connected", wallet=seen["wallet"]),
        event(
            member,
            "transfer",
            wallet=seen["wallet"],
            counterparty_wallet=f"{MARK}theirs",
            amount=100,
            currency="EUR",
        ),
    )
    calculate_score(account=member)
    now = timezone.now()
    add_note(actor=root, account=member, body=marked("analyst"))
    record_outcome(actor=root, account=member, verdict="legitimate", note=marked("outcome"))
    override_score(
        actor=root,
        account=member,
        score=5,
        reason=marked("override"),
        expires_at=now + timedelta(days=1),
    )
    rule = AnomalyRule.objects.order_by("pk").first()
    exempt_account(actor=root, rule=rule, account=member, reason=marked("exempt"))
    anomaly = Anomaly.objects.create(
        rule=rule,
        account=member,
        severity="low",
        status="resolved",
        outcome="false_positive",
        resolved_at=now,
        first_hit_at=now,
        last_hit_at=now,
        evidence={"ip": IP},
        note=marked("anomaly"),
    )
    AnomalyHit.objects.create(
        anomaly=anomaly, rule=rule, account=member, key=MARK, at=now, evidence={"ip": IP}
    )
    EventOutcome.objects.create(
        account=member, source="shop", external_id=MARK, occurred_at=now, is_fraud=False,
        known_at=now,
    )  # fmt: skip
    Decision.objects.create(
        account=member, source="shop", external_id=MARK, kind=10, outcome="review", fingerprint="x"
    )
    add_list_entry(
        actor=root, list="watch", kind="account", value=str(member.pk), reason=marked("listed")
    )
    low, high = sorted((member.pk, friend.pk))
    RelatedAccount.objects.create(low_id=low, high_id=high, evidence=[{"value": IP}], note=MARK)
    cluster = AccountCluster.objects.create(size=2, strength=90)
    ClusterMember.objects.create(cluster=cluster, account=member)
    EventSum.objects.create(account=member, aspect=1, number=1, first_at=now, last_at=now)
    PendingScore.objects.get_or_create(account=member)
    PendingLink.objects.get_or_create(account=member)
