"""Acts of every desk that need a second person: asked for, approved, refused, and by whom."""

from datetime import timedelta

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from marketplace import services as market
from marketplace.models import (
    CommissionRule,
    FeeTaxRate,
    JournalEntry,
    LedgerAccount,
    Payout,
    PayoutBatch,
)
from marketplace.services import clock
from marketplace.tests import factories as shop
from riskops.anomalies.handling import change_rule, create_rule, delete_rule, exempt_account
from riskops.decisions.lists import add_list_entry
from riskops.decisions.rules import (
    change_decision_rule,
    create_decision_rule,
    delete_decision_rule,
)
from riskops.links.verdicts import share_identifier
from riskops.models import (
    AnomalyRule,
    DecisionRule,
    Identifier,
    ListEntry,
    RelatedAccount,
    RiskOverride,
    RiskScore,
)
from riskops.scores.calculate import calculate_score
from riskops.scores.overrides import override_score
from riskops.scores.rulesets import current_ruleset, draft_ruleset, publish_ruleset
from systemadmin.backups.restore import live_database
from systemadmin.errors import CannotDecideRequest, OwnInterest
from systemadmin.models import (
    AccessLink,
    AlertRule,
    ApprovalRequest,
    BlockedNetwork,
    LegalHold,
    Notification,
    Restore,
    SystemConfig,
    User,
)
from systemadmin.services import (
    access_links,
    approval_texts,
    approvals,
    demo,
    rights,
    roles,
    two_factor,
)
from systemadmin.services.alert_rules import delete_alert_rule, save_alert_rule, ship_default_rules
from systemadmin.services.alerts import raise_alert, silence_alert
from systemadmin.services.approvers import who_may
from systemadmin.services.blocked_networks import block_network
from systemadmin.services.configuration import change_settings
from systemadmin.services.legal_holds import hold_account, release_hold
from systemadmin.services.second_person import SecondPersonNeeded, acts
from systemadmin.services.users import reinstate_user, suspend_user
from systemadmin.tests.backups.factories import BackupFactory
from systemadmin.tests.factories import StaffFactory, UserFactory, totp_device_for

pytestmark = [pytest.mark.django_db, pytest.mark.two_people]


@pytest.fixture(autouse=True)
def shipped(db):
    call_command("setup", verbosity=0)
    ship_default_rules()


def sold(price=2_000_00):
    """A seller who is owed that much."""
    seller = UserFactory()
    product = shop.approved(seller, price=price)
    order = market.pay_order(actor=None, order=shop.order(product))
    market.complete_order(actor=None, order=order)
    return seller


def create_payout(actor):
    seller = sold()
    return (
        lambda: market.create_payout(actor=actor, seller=seller, currency="EUR"),
        lambda: Payout.objects.filter(seller=seller).exists(),
    )


def pending_payout():
    return market.create_payout(actor=None, seller=sold(), currency="EUR")


def pay_payout(actor):
    payout = pending_payout()
    return (
        lambda: market.pay_payout(actor=actor, payout=payout, reference="r"),
        lambda: Payout.objects.get(pk=payout.pk).status == "paid",
    )


def return_payout(actor):
    payout = market.pay_payout(actor=None, payout=pending_payout())
    return (
        lambda: market.fail_payout(actor=actor, payout=payout, reason="bank says so"),
        lambda: Payout.objects.get(pk=payout.pk).status == "returned",
    )


def cancel_sent_payout(actor):
    payout = pending_payout()
    batch = PayoutBatch.objects.create(
        currency="EUR", execution_on="2026-01-01", count=1, amount=payout.amount, sha256="x"
    )
    Payout.objects.filter(pk=payout.pk).update(batch=batch)
    return (
        lambda: market.cancel_payout(actor=actor, payout=payout, reason="bank says so"),
        lambda: Payout.objects.get(pk=payout.pk).status == "cancelled",
    )


def pay_order(actor):
    order = shop.order(shop.approved(price=2_000_00))
    return (
        lambda: market.pay_order(actor=actor, order=order, reference="invented"),
        lambda: type(order).objects.get(pk=order.pk).status == "paid",
    )


def pay_batch(actor):
    payout = pending_payout()
    batch = PayoutBatch.objects.create(
        currency="EUR", execution_on="2026-01-01", count=1, amount=payout.amount, sha256="x"
    )
    Payout.objects.filter(pk=payout.pk).update(batch=batch)
    return (
        lambda: market.pay_payout_batch(actor=actor, batch=batch),
        lambda: Payout.objects.get(pk=payout.pk).status == "paid",
    )


def post_entry(actor):
    seller = UserFactory()
    lines = market.usual_lines(kind="goodwill_platform", amount=2_000_00, seller=seller)
    return (
        lambda: market.post_journal_entry(
            actor=actor,
            kind="goodwill_platform",
            currency="EUR",
            lines=lines,
            reason="sorry",
            booked_on=clock.today(),
        ),
        lambda: JournalEntry.objects.filter(seller=seller).count() == 1,
    )


def reverse_entry(actor):
    entry = post_entry(None)[0]()
    return (
        lambda: market.reverse_journal_entry(actor=actor, entry=entry, reason="wrong seller"),
        lambda: JournalEntry.objects.filter(reverses=entry).exists(),
    )


def switch_off_anomaly_rule(actor):
    rule = AnomalyRule.objects.filter(is_enabled=True).first()
    return (
        lambda: change_rule(actor=actor, rule=rule, values={"is_enabled": False}),
        lambda: not AnomalyRule.objects.get(pk=rule.pk).is_enabled,
    )


def delete_anomaly_rule(actor):
    shipped = AnomalyRule.objects.first()
    rule = create_rule(actor=actor, values={"code": "own", "detector": shipped.detector})
    return (
        lambda: delete_rule(actor=actor, rule=rule),
        lambda: not AnomalyRule.objects.filter(pk=rule.pk).exists(),
    )


def own_rule(**values):
    given = {"code": "own", "title": "Own", "outcome": "block", "is_shadow": False}
    return create_decision_rule(actor=None, values={**given, **values})


def write_rule_before_a_block(actor):
    own_rule()
    values = {"code": "first", "title": "First", "outcome": "allow", "priority": 1}
    return (
        lambda: create_decision_rule(actor=actor, values={**values, "is_shadow": False}),
        lambda: DecisionRule.objects.filter(code="first").exists(),
    )


def weaken_rule(actor):
    rule = own_rule()
    return (
        lambda: change_decision_rule(actor=actor, rule=rule, values={"is_shadow": True}),
        lambda: DecisionRule.objects.get(pk=rule.pk).is_shadow,
    )


def delete_rule_that_blocks(actor):
    rule = own_rule()
    return (
        lambda: delete_decision_rule(actor=actor, rule=rule),
        lambda: not DecisionRule.objects.filter(pk=rule.pk).exists(),
    )


def allow_a_domain(actor):
    entry = {"list": "allow", "kind": "domain", "value": "example.test", "reason": "partner"}
    return (
        lambda: add_list_entry(actor=actor, **entry),
        lambda: ListEntry.objects.filter(list="allow", value="example.test").exists(),
    )


def publish_without_a_factor(actor):
    definition = current_ruleset().definition
    factors = {"many_ips": {"enabled": False}}
    if isinstance(definition["factors"], list):
        factors = [
            {**one, "enabled": one["enabled"] and one["code"] != "many_ips"}
            for one in definition["factors"]
        ]
    draft = draft_ruleset(actor=actor, definition={**definition, "factors": factors})
    return (
        lambda: publish_ruleset(actor=actor, ruleset=draft, note="less noise"),
        lambda: current_ruleset().pk == draft.pk,
    )


def shorten(actor):
    return (
        lambda: change_settings(actor=actor, values={"audit.retention_days": 400}),
        lambda: SystemConfig.objects.filter(key="audit.retention_days").exists(),
    )


def alert_rule():
    return AlertRule.objects.get(code="disk_free")


def delete_rule_of_alerts(actor):
    rule = alert_rule()
    return (
        lambda: delete_alert_rule(actor=actor, rule=rule),
        lambda: not AlertRule.objects.filter(pk=rule.pk).exists(),
    )


def switch_off_alert_rule(actor):
    rule = alert_rule()
    return (
        lambda: save_alert_rule(actor=actor, rule=rule, values={"is_enabled": False}),
        lambda: not alert_rule().is_enabled,
    )


def silence(actor):
    alert = raise_alert(rule="test", severity="critical", summary="x")
    until = timezone.now() + timezone.timedelta(days=30)
    return (
        lambda: silence_alert(actor=actor, alert=alert, until=until, reason="noise"),
        lambda: alert.rule in silenced(),
    )


def silenced():
    from systemadmin.models import AlertSilence

    return set(AlertSilence.objects.values_list("rule", flat=True))


def purge(actor):
    UserFactory(is_demo=True)
    return (
        lambda: demo.purge_demo(actor=actor),
        lambda: run_queued() and not User.objects.demo().exists(),
    )


def run_queued():
    """What the queue would do with an approved act."""
    for row in ApprovalRequest.objects.filter(state="approved"):
        approvals.run_approved(row.pk)
    return True


def restore(actor):
    backup = BackupFactory()
    return (
        lambda: live_database.request_restore(
            actor=actor, backup=backup, confirm="x", passed_second_factor=True
        ),
        lambda: Restore.objects.filter(backup=backup, status="queued").exists(),
    )


def reset_password(actor):
    agent = StaffFactory(role="support_agent")
    return (
        lambda: access_links.reset_password(actor=actor, user=agent, reason="lost"),
        lambda: AccessLink.objects.filter(user=agent, purpose="password").exists(),
    )


def reset_two_factor(actor):
    agent = StaffFactory(role="support_agent")
    totp_device_for(agent)
    return (
        lambda: two_factor.reset(actor=actor, user=agent, reason="lost"),
        lambda: AccessLink.objects.filter(user=agent, purpose="two_factor").exists(),
    )


def give_role(actor):
    member, role = UserFactory(), Group.objects.get(name="operator")
    return (
        lambda: rights.set_rights(actor=actor, user=member, flags={"is_staff": True}, roles=[role]),
        lambda: User.objects.filter(pk=member.pk, is_staff=True, groups=role).exists(),
    )


def suspend_last_but_one(actor):
    other = StaffFactory(is_superuser=True)
    absent = User.objects.filter(is_superuser=True).exclude(pk__in=[actor.pk, other.pk])

    def call():
        absent.update(is_active=False)
        try:
            suspend_user(actor=actor, user=other, reason="left")
        finally:
            absent.update(is_active=True)

    return call, lambda: User.objects.get(pk=other.pk).is_suspended


def widen_role(actor):
    role = roles.save_role(actor=actor, name="night shift", permissions=[])
    wanted = Permission.objects.filter(codename="set_password")
    return (
        lambda: roles.save_role(actor=actor, role=role, permissions=wanted),
        lambda: role.permissions.exists(),
    )


def release_of_others(actor):
    held = hold(colleague("risk_analyst"))
    return (
        lambda: release_hold(actor=actor, hold=held, reason="x"),
        lambda: LegalHold.objects.filter(pk=held.pk, released_at__isnull=False).exists(),
    )


def reinstate_of_others(actor):
    user = suspended(colleague("risk_analyst"))
    return (
        lambda: reinstate_user(actor=actor, user=user),
        lambda: not User.objects.get(pk=user.pk).is_suspended,
    )


def exempt_for_long(actor):
    rule, account = AnomalyRule.objects.first(), UserFactory()
    end = timezone.now() + timedelta(days=200)
    return (
        lambda: exempt_account(
            actor=actor, rule=rule, account=account, reason="shop", expires_at=end
        ),
        lambda: rule.exemptions.filter(account=account).exists(),
    )


def share_place(actor):
    place = Identifier.objects.create(kind="ip", value="203.0.113.70", accounts=2)
    return (
        lambda: share_identifier(actor=actor, identifier=place, reason="library"),
        lambda: Identifier.objects.get(pk=place.pk).is_shared,
    )


def charged():
    """A rule that charged a sale."""
    rule = shop.rule(ppm=100_000)
    sold()
    return rule


def switch_fee_off(actor):
    fee = charged().fee
    return (
        lambda: market.update_fee(actor=actor, fee=fee, is_active=False),
        lambda: not type(fee).objects.get(pk=fee.pk).is_active,
    )


def add_rule_for_everybody(actor):
    charged()
    return (
        lambda: market.create_rule(
            actor=actor, name="Sale", ppm=0, position=1, categories=[shop.category()]
        ),
        lambda: CommissionRule.objects.filter(name="Sale").exists(),
    )


def lower_rule_for_everybody(actor):
    rule = charged()
    return (
        lambda: market.update_rule(actor=actor, rule=rule, ppm=0),
        lambda: CommissionRule.objects.get(pk=rule.pk).ppm == 0,
    )


def delete_rule_for_everybody(actor):
    charged()
    rule = shop.rule(ppm=200_000, kinds=["service"])
    return (
        lambda: market.delete_rule(actor=actor, rule=rule),
        lambda: not CommissionRule.objects.filter(pk=rule.pk).exists(),
    )


def reorder_rules(actor):
    rules = [charged().pk, shop.rule(ppm=0).pk]
    return (
        lambda: market.reorder_rules(actor=actor, ids=rules[::-1]),
        lambda: CommissionRule.objects.get(position=1).pk == rules[1],
    )


def add_tax_rate(actor):
    charged()
    return (
        lambda: market.create_fee_tax_rate(actor=actor, country="XK", ppm=0),
        lambda: FeeTaxRate.objects.filter(country="XK").exists(),
    )


def tax_rate():
    charged()
    return market.create_fee_tax_rate(actor=None, country="XK", ppm=210_000)


def lower_tax_rate(actor):
    rate = tax_rate()
    return (
        lambda: market.update_fee_tax_rate(actor=actor, rate=rate, ppm=0),
        lambda: FeeTaxRate.objects.get(pk=rate.pk).ppm == 0,
    )


def delete_tax_rate(actor):
    rate = tax_rate()
    return (
        lambda: market.delete_fee_tax_rate(actor=actor, rate=rate),
        lambda: not FeeTaxRate.objects.filter(pk=rate.pk).exists(),
    )


def block_many(actor):
    return (
        lambda: block_network(actor=actor, network="203.0.0.0/12", reason="flood"),
        lambda: BlockedNetwork.objects.exists(),
    )


def lower_score(actor):
    account = UserFactory()
    score = calculate_score(account=account)
    RiskScore.objects.filter(pk=score.pk).update(standing=70)
    return (
        lambda: override_score(actor=actor, account=account, score=0, reason="known shop"),
        lambda: RiskOverride.objects.filter(account=account).exists(),
    )


def send_batch(actor):
    payout = pending_payout()
    market.save_seller_profile(actor=None, seller=payout.seller, iban="ES9121000418450200051332")
    change_settings(
        actor=None,
        values={
            "marketplace.platform_legal_name": "Atalaya",
            "marketplace.platform_iban": "DE89370400440532013000",
        },
    )
    return (
        lambda: market.create_payout_batch(actor=actor, currency="EUR"),
        lambda: PayoutBatch.objects.exists(),
    )


# Every act: who asks and who else approves (a role; None for superusers), and the act.
ACTS = {
    "marketplace.cancel_payout": ("operator", cancel_sent_payout),
    "marketplace.create_commission_rule": ("operator", add_rule_for_everybody),
    "marketplace.create_fee_tax_rate": ("operator", add_tax_rate),
    "marketplace.create_payout": ("operator", create_payout),
    "marketplace.create_payout_batch": ("operator", send_batch),
    "marketplace.delete_commission_rule": ("operator", delete_rule_for_everybody),
    "marketplace.delete_fee_tax_rate": ("operator", delete_tax_rate),
    "marketplace.fail_payout": ("operator", return_payout),
    "marketplace.pay_order": ("operator", pay_order),
    "marketplace.pay_payout": ("operator", pay_payout),
    "marketplace.pay_payout_batch": ("operator", pay_batch),
    "marketplace.post_journal_entry": ("operator", post_entry),
    "marketplace.reorder_commission_rules": ("operator", reorder_rules),
    "marketplace.reverse_journal_entry": ("operator", reverse_entry),
    "marketplace.update_commission_rule": ("operator", lower_rule_for_everybody),
    "marketplace.update_fee": ("operator", switch_fee_off),
    "marketplace.update_fee_tax_rate": ("operator", lower_tax_rate),
    "riskops.add_list_entry": ("risk_analyst", allow_a_domain),
    "riskops.change_decision_rule": ("risk_analyst", weaken_rule),
    "riskops.create_decision_rule": ("risk_analyst", write_rule_before_a_block),
    "riskops.delete_decision_rule": ("risk_analyst", delete_rule_that_blocks),
    "riskops.delete_anomaly_rule": ("risk_analyst", delete_anomaly_rule),
    "riskops.exempt_account": ("risk_analyst", exempt_for_long),
    "riskops.override_score": ("risk_analyst", lower_score),
    "riskops.publish_ruleset": ("risk_analyst", publish_without_a_factor),
    "riskops.share_identifier": ("risk_analyst", share_place),
    "riskops.switch_off_anomaly_rule": ("risk_analyst", switch_off_anomaly_rule),
    "systemadmin.block_network": ("operator", block_many),
    "systemadmin.change_settings": ("operator", shorten),
    "systemadmin.delete_alert_rule": (None, delete_rule_of_alerts),
    "systemadmin.purge_demo": ("operator", purge),
    "systemadmin.reinstate_user": ("operator", reinstate_of_others),
    "systemadmin.release_hold": ("operator", release_of_others),
    "systemadmin.request_restore": ("operator", restore),
    "systemadmin.reset_password": ("operator", reset_password),
    "systemadmin.reset_two_factor": ("operator", reset_two_factor),
    "systemadmin.save_role": (None, widen_role),
    "systemadmin.set_rights": (None, give_role),
    "systemadmin.silence_alert": ("operator", silence),
    "systemadmin.suspend_user": (None, suspend_last_but_one),
    "systemadmin.switch_off_alert_rule": ("operator", switch_off_alert_rule),
}
# What has to need two people, by kind.
KINDS = {
    "payout": {
        "cancel_payout",
        "create_payout",
        "create_payout_batch",
        "pay_payout",
        "pay_payout_batch",
        "fail_payout",
    },
    "money": {"pay_order", "post_journal_entry", "reverse_journal_entry"},
    "staff_reset": {"reset_password", "reset_two_factor"},
    "rights": {"set_rights", "save_role", "suspend_user"},
    "settings": {"change_settings"},
    "restore": {"request_restore"},
    "purge": {"purge_demo"},
    "hold": {"release_hold", "reinstate_user"},
    "fees": {
        "create_commission_rule",
        "delete_commission_rule",
        "reorder_commission_rules",
        "update_commission_rule",
        "create_fee_tax_rate",
        "delete_fee_tax_rate",
        "update_fee",
        "update_fee_tax_rate",
    },
    "lockout": {"block_network"},
    "switch_off": {
        "add_list_entry",
        "change_decision_rule",
        "create_decision_rule",
        "delete_decision_rule",
        "delete_anomaly_rule",
        "exempt_account",
        "override_score",
        "publish_ruleset",
        "share_identifier",
        "switch_off_anomaly_rule",
        "delete_alert_rule",
        "silence_alert",
        "switch_off_alert_rule",
    },
}


@pytest.fixture(autouse=True)
def backups_are_restorable(monkeypatch):
    monkeypatch.setattr(live_database, "open_vault", lambda: None)
    monkeypatch.setattr(live_database, "_check_request", lambda *args: None)


def colleague(role):
    return StaffFactory(role=role) if role else StaffFactory(is_superuser=True)


def ask(call, reason="because"):
    with pytest.raises(SecondPersonNeeded) as found:
        call()
    (row,) = approvals.keep(found.value, reason)
    return row


def test_every_stated_kind_of_act_needs_a_second_person():
    found = {kind: set() for kind in KINDS}
    for name, act in acts().items():
        found[act.kind].add(name.partition(".")[2])
    assert found == KINDS
    assert set(ACTS) == set(acts())


@pytest.mark.parametrize("name", sorted(ACTS))
def test_an_act_waits_and_another_person_lets_it_happen(name):
    role, make = ACTS[name]
    asker, second = colleague(role), colleague(role)
    call, is_done = make(asker)
    row = ask(call)
    assert row.act == name
    assert not is_done()
    with pytest.raises(CannotDecideRequest):
        approvals.approve(actor=asker, request=row)
    with pytest.raises(CannotDecideRequest):
        approvals.approve(actor=StaffFactory(role="support_agent"), request=row)
    assert all(len(fact) == 2 for fact in approval_texts.facts(row, viewer=second))
    row = approvals.approve(actor=second, request=row, reason="asked the seller on the phone")
    assert (row.state, row.result.get("error")) == ("approved", None)
    assert is_done()


@pytest.mark.parametrize("name", sorted(ACTS))
def test_a_refused_act_never_happens(name):
    role, make = ACTS[name]
    call, is_done = make(colleague(role))
    row = approvals.refuse(actor=colleague(role), request=ask(call), reason="no")
    assert row.state == "refused"
    assert not is_done()


def test_small_amounts_go_without():
    operator = StaffFactory(role="operator")
    seller = sold(price=500_00)
    payout = market.create_payout(actor=operator, seller=seller, currency="EUR")
    assert market.pay_payout(actor=operator, payout=payout).status == "paid"
    assert market.pay_order(actor=operator, order=shop.order()).status == "paid"
    change_settings(actor=None, values={"duties.second_person_payment_limit": 0})
    with pytest.raises(SecondPersonNeeded):
        market.pay_order(actor=operator, order=shop.order())


def test_the_payment_service_is_not_asked():
    service = UserFactory()
    service.user_permissions.add(Permission.objects.get(codename="pay_order"))
    order = shop.order(shop.approved(price=2_000_00))
    assert market.pay_order(actor=service, order=order, reference="pay-1").status == "paid"


def test_a_sum_that_grew_meanwhile_is_not_paid():
    asker, second = colleague("operator"), colleague("operator")
    seller = sold()
    row = ask(lambda: market.create_payout(actor=asker, seller=seller, currency="EUR"))
    product = shop.approved(seller, price=50_00)
    order = market.pay_order(actor=None, order=shop.order(product))
    market.complete_order(actor=None, order=order)
    row = approvals.approve(actor=second, request=row)
    assert (row.state, "amount" in row.result["error"]) == ("failed", True)
    assert not Payout.objects.exists()
    account = LedgerAccount.objects.get(code="seller_payable", seller=seller)
    assert account.balance < 0


def test_whom_a_payout_concerns_does_not_approve_it():
    asker, second = colleague("operator"), colleague("operator")
    payout = pending_payout()
    row = ask(lambda: market.pay_payout(actor=asker, payout=payout))
    low, high = sorted((payout.seller_id, second.pk))
    RelatedAccount.objects.create(
        low_id=low, high_id=high, status="confirmed", decided_at=timezone.now()
    )
    with pytest.raises(OwnInterest):
        approvals.approve(actor=second, request=row)


def test_an_account_related_to_who_asked_does_not_approve():
    asker, second = colleague("operator"), colleague("operator")
    row = ask(pay_payout(asker)[0])
    low, high = sorted((asker.pk, second.pk))
    RelatedAccount.objects.create(
        low_id=low, high_id=high, status="confirmed", decided_at=timezone.now()
    )
    with pytest.raises(CannotDecideRequest, match="related"):
        approvals.approve(actor=second, request=row)


def test_taking_rights_away_needs_one_person():
    root, agent = StaffFactory(is_superuser=True), StaffFactory(role="support_agent")
    rights.set_rights(actor=root, user=agent, flags={"is_staff": False}, roles=[])
    assert not User.objects.get(pk=agent.pk).is_staff


@pytest.mark.parametrize(
    ("role", "path", "body", "make"),
    [
        (
            "operator",
            "/api/admin/payouts",
            lambda made: {"seller": made.pk, "currency": "EUR"},
            sold,
        ),
        ("operator", "/api/admin/payouts/{}/mark-paid", lambda made: {}, pending_payout),
        (
            "operator",
            "/api/admin/orders/{}/pay",
            lambda made: {"reference": "x"},
            lambda: shop.order(shop.approved(price=2_000_00)),
        ),
        (
            "operator",
            "/api/admin/restore/{}",
            lambda made: {"confirm": "x"},
            lambda: BackupFactory(),
        ),
        ("operator", "/api/admin/demo/purge", lambda made: {}, lambda: UserFactory(is_demo=True)),
    ],
)
def test_the_api_answers_202_and_nothing_is_done(role, path, body, make, as_user):
    made = make()
    headers = {"Approval-Reason": "month%27s%20end", "Idempotency-Key": "k1"}
    client = as_user(StaffFactory(role=role))
    for _twice in range(2):
        answer = client.post(path.format(made.pk), body(made), format="json", headers=headers)
        assert answer.status_code == 202, answer.json()
        row = ApprovalRequest.objects.get()
        assert answer.json()["approval_request"] == row.pk
        assert row.reason == "month's end"
    assert not Payout.objects.exclude(status="pending").exists()


# -- holds that others set -------------------------------------------------------------


def hold(actor):
    return hold_account(
        actor=actor,
        user=UserFactory(),
        reason="fraud case 7",
        ends_at=timezone.now() + timedelta(days=90),
    )


def suspended(actor):
    user = UserFactory()
    suspend_user(actor=actor, user=user, reason="fraud case 7")
    return user


LIFTS = {
    "legal hold": (hold, lambda actor, held: release_hold(actor=actor, hold=held, reason="x")),
    "suspension": (suspended, lambda actor, held: reinstate_user(actor=actor, user=held)),
}


@pytest.mark.parametrize("what", LIFTS)
def test_an_operator_lifts_alone_only_what_they_set(what):
    make, lift = LIFTS[what]
    operator, analyst = colleague("operator"), colleague("risk_analyst")
    for setter in (analyst, colleague("operator"), None):
        ask(lambda setter=setter: lift(operator, make(setter)))
    lift(operator, make(operator))
    for setter in (operator, None, colleague("risk_analyst")):
        lift(analyst, make(setter))


def test_lifting_the_hold_of_risk_waits_by_api_and_admin(as_user, admin_client_for):
    operator, analyst = colleague("operator"), colleague("risk_analyst")
    held, user = hold(analyst), suspended(analyst)
    client = as_user(operator)
    answer = client.post(f"/api/admin/legal-holds/{held.pk}/release", {"reason": "x"})
    assert answer.status_code == 202
    url = f"/api/admin/users/{user.pk}/reinstate"
    assert client.post(url, {"reason": "x"}).status_code == 202
    other = suspended(analyst)
    body = {
        "action": "reinstate",
        ACTION_CHECKBOX_NAME: [str(other.pk)],
        "apply": "1",
        "reason": "x",
    }
    admin_client_for(operator).post(reverse("admin:systemadmin_user_changelist"), body)
    assert ApprovalRequest.objects.waiting().filter(kind="hold").count() == 3
    for one in (user, other):
        assert User.objects.get(pk=one.pk).is_suspended
    held.refresh_from_db()
    assert held.released_at is None


# -- one person's place ------------------------------------------------------------------


def test_only_the_other_superuser_lets_a_place_have_one_person(as_user):
    root, other = colleague(None), colleague(None)
    operator = colleague("operator")
    row = ask(
        lambda: change_settings(actor=root, values={"duties.single_person": True}, reason="alone")
    )
    assert who_may(acts()[row.act], row.arguments)["roles"] == []
    told = set(Notification.objects.filter(kind="approval.requested").values_list("user", flat=1))
    assert told == {other.pk}
    with pytest.raises(CannotDecideRequest):
        approvals.approve(actor=operator, request=row, reason="fine")
    answer = as_user(operator).post(f"/api/admin/approvals/{row.pk}/approve", {}, format="json")
    assert answer.status_code == 403
    assert approvals.approve(actor=other, request=row).state == "approved"
