"""Nobody decides what concerns their own account, or one that is confirmed to be theirs."""

import inspect
import runpy
from importlib import import_module
from pkgutil import walk_packages

import pytest
from django.conf import settings
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from marketplace import services as market
from marketplace.models import Dispute, Order, Payout, PayoutBatch, Product, ProductRevision
from marketplace.tests import factories as shop
from messaging.models import Conversation, Message, MessageReport
from riskops.links.detect import LinkStatus
from riskops.models import (
    AccountCluster,
    Anomaly,
    AnomalyRule,
    ClusterMember,
    Decision,
    Identifier,
    ListEntry,
    RelatedAccount,
    RiskScore,
    Sighting,
)
from riskops.scores.calculate import calculate_score
from riskops.scores.outcomes import record_outcome
from support.models import Macro, Ticket
from support.services import rate_ticket
from support.tests.factories import make_ticket
from systemadmin.errors import CannotSuspendStaff, OwnInterest
from systemadmin.models import Alert, AuditEntry, LegalHold
from systemadmin.services.duties import accounts_of, check_no_own_interest, decisions
from systemadmin.services.users import reinstate_user, suspend_user
from systemadmin.tests.factories import PASSWORD, StaffFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def roles(db):
    call_command("setup", verbosity=0)


def confirm(first, second, **values):
    """State that two accounts have one owner."""
    low, high = sorted((first.pk, second.pk))
    return RelatedAccount.objects.create(
        low_id=low, high_id=high, status="confirmed", decided_at=timezone.now(), **values
    )


@pytest.fixture(params=["own", "related"])
def concerned(request):
    """`concerned(actor)`: the actor's account, or another one confirmed as theirs."""

    def account_of(actor):
        if request.param == "own":
            return actor
        other = UserFactory()
        confirm(actor, other)
        return other

    return account_of


# -- every service that decides ----------------------------------------------------------


def _order(user):
    return Order(pk=1, buyer=user, seller_id=0)


def _report(user):
    return {"report": MessageReport(reporter_id=0, reported=user)}


def _pair(user):
    return {"pair": RelatedAccount(low=user, high_id=0)}


def _cluster(user):
    cluster = AccountCluster.objects.create(size=2, strength=90)
    ClusterMember.objects.create(cluster=cluster, account=user)
    return {"cluster": cluster}


def _identifier(user):
    identifier = Identifier.objects.create(id=77, kind="ip", value="203.0.113.7")
    Sighting.objects.create(
        account=user,
        identifier=identifier,
        first_seen=user.date_joined,
        last_seen=user.date_joined,
    )
    return {"identifier": identifier}


def _message(user):
    other = UserFactory()
    conversation = Conversation(lower_id=user.pk, higher_id=other.pk)
    return {"message": Message(sender=user, conversation=conversation)}


def _alert(user):
    return {"alert": Alert(key=f"account:{user.pk}")}


def _user(user):
    return {"user": user}


def _account(user):
    return {"account": user}


def _ticket(user):
    return {"ticket": Ticket(requester=user)}


def _product(user):
    return {"product": Product(seller=user)}


def _revision(user):
    return {"revision": ProductRevision(product=Product(seller=user))}


def _dispute(user):
    return {"dispute": Dispute(order=_order(user))}


def _pending(user):
    return Payout.objects.create(seller=user, amount=1, currency="EUR")


def _batch(user):
    batch = PayoutBatch.objects.create(
        currency="EUR", execution_on="2026-01-01", count=1, amount=1, sha256="x"
    )
    Payout.objects.filter(pk=_pending(user).pk).update(batch=batch)
    return batch


def _journal_entry(user):
    entry = market.post_journal_entry(
        actor=None,
        kind="dispute_fee",
        currency="EUR",
        lines=market.usual_lines(kind="dispute_fee", amount=5, seller=user),
        reason="Test",
    )
    return {"entry": entry, "reason": "Test"}


def _rule_for(user):
    return market.create_rule(actor=None, name="Theirs", ppm=10_000, sellers=[user])


def _payout(user):
    return {"payout": Payout(seller=user)}


# What each decision is called with when it concerns the account.
CALLS = {
    "marketplace.create_commission_rule": lambda user: {"name": "Mine", "sellers": [user]},
    "marketplace.update_commission_rule": lambda user: {"rule": _rule_for(user), "ppm": 0},
    "marketplace.delete_commission_rule": lambda user: {"rule": _rule_for(user)},
    "marketplace.add_dispute_note": lambda user: {**_dispute(user), "is_internal": True},
    "marketplace.approve_product": _product,
    "marketplace.approve_revision": _revision,
    "marketplace.cancel_order": lambda user: {"order": _order(user)},
    "marketplace.cancel_payout": _payout,
    "marketplace.record_chargeback": lambda user: {"order": _order(user), "reference": "cb-1"},
    "marketplace.appeal_dispute": lambda user: {**_dispute(user), "reason": "Test"},
    "marketplace.evidence_pack": _dispute,
    "marketplace.check_identity": lambda user: {"seller": user, "identity": "verified"},
    "marketplace.create_payout_batch": lambda user: {"currency": _pending(user).currency},
    "marketplace.pay_payout_batch": lambda user: {"batch": _batch(user)},
    "marketplace.complete_order": lambda user: {"order": _order(user)},
    "marketplace.create_payout": lambda user: {"seller": user, "currency": "EUR"},
    "marketplace.edit_product": lambda user: {**_product(user), "by_moderator": True},
    "marketplace.fail_payout": _payout,
    "marketplace.pause_product": _product,
    "marketplace.pay_order": lambda user: {"order": _order(user)},
    "marketplace.pay_payout": _payout,
    "marketplace.refund_order": lambda user: {"order": _order(user)},
    "marketplace.post_journal_entry": lambda user: {
        "kind": "dispute_fee",
        "currency": "EUR",
        "lines": market.usual_lines(kind="dispute_fee", amount=5, seller=user),
        "reason": "Test",
    },
    "marketplace.reverse_journal_entry": _journal_entry,
    "marketplace.reject_product": _product,
    "marketplace.reject_revision": _revision,
    "marketplace.remove_product": _product,
    "marketplace.request_product_changes": _product,
    "marketplace.request_revision_changes": _revision,
    "marketplace.open_dispute_for_party": lambda user: {
        "order": _order(user),
        "party": "buyer",
        "reason": "damaged",
        "body": "Test",
    },
    "marketplace.resolve_dispute": _dispute,
    "marketplace.resume_product": _product,
    "marketplace.retry_payout": _payout,
    "marketplace.undo_product_decision": _product,
    "marketplace.undo_revision_decision": _revision,
    "marketplace.save_seller_profile": lambda user: {"seller": user},
    "messaging.disclose_conversation": _report,
    "messaging.dismiss_report": _report,
    "messaging.erase_member": _user,
    "messaging.erase_message": _message,
    "messaging.request_erasure": _user,
    "messaging.uphold_report": _report,
    "riskops.confirm_cluster": _cluster,
    "riskops.confirm_related": _pair,
    "riskops.add_list_entry": lambda user: {
        "list": "deny",
        "kind": "account",
        "value": str(user.pk),
    },
    "riskops.give_decision_feedback": lambda user: {"decision": Decision(account=user)},
    "riskops.remove_list_entry": lambda user: {
        "entry": ListEntry(kind="account", value=str(user.pk))
    },
    "riskops.dismiss_cluster": _cluster,
    "riskops.dismiss_related": _pair,
    "riskops.end_exemption": _account,
    "riskops.exempt_account": _account,
    "riskops.override_score": _account,
    "riskops.record_outcome": _account,
    "riskops.remove_override": _account,
    "riskops.reopen_anomaly": lambda user: {"anomaly": Anomaly(account=user)},
    "riskops.reopen_related": _pair,
    "riskops.resolve_anomaly": lambda user: {"anomaly": Anomaly(account=user)},
    "riskops.share_identifier": _identifier,
    "riskops.suspend_cluster": _cluster,
    "riskops.unshare_identifier": _identifier,
    "support.apply_macro": lambda user: {**_ticket(user), "macro": Macro()},
    "support.mark_spam": _ticket,
    "support.unmark_spam": _ticket,
    "support.add_participant": lambda user: {**_ticket(user), "address": "a@b.test"},
    "support.remove_participant": lambda user: {**_ticket(user), "participant": 1},
    "support.link_tickets": lambda user: {**_ticket(user), "other": Ticket(requester_id=0)},
    "support.unlink_tickets": lambda user: {
        "ticket": Ticket(requester_id=0),
        "other": Ticket(requester=user),
    },
    "support.merge_tickets": lambda user: {
        "source": Ticket(requester_id=0),
        "into": Ticket(requester=user),
    },
    "support.rate_ticket": lambda user: {"ticket": Ticket(requester_id=0, assignee=user)},
    "support.reply": _ticket,
    "support.snooze": lambda user: {**_ticket(user), "until": None},
    "support.split_ticket": _ticket,
    "support.update_ticket": _ticket,
    "systemadmin.acknowledge_alert": _alert,
    "systemadmin.end_session": _user,
    "systemadmin.end_sessions": _user,
    "systemadmin.erase_account": _user,
    "systemadmin.hold_account": _user,
    "systemadmin.reinstate_user": _user,
    "systemadmin.release_hold": lambda user: {"hold": LegalHold(account=user)},
    "systemadmin.reset_password": _user,
    "systemadmin.request_erasure": _user,
    "systemadmin.request_export": _user,
    "systemadmin.reset_two_factor": _user,
    "systemadmin.resolve_alert": _alert,
    "systemadmin.set_password": _user,
    "systemadmin.set_rights": lambda user: {
        "user": user,
        "roles": [Group.objects.get(name="auditor")],
    },
    "systemadmin.silence_alert": _alert,
    "systemadmin.suspend_user": _user,
    "systemadmin.unlink_identity": _user,
    "systemadmin.verify_user": _user,
}
# Everybody may do these to their own account, by the rules for members.
OWN_ACTS = {
    "marketplace.cancel_order",
    "marketplace.pause_product",
    "marketplace.remove_product",
    "marketplace.resume_product",
    "systemadmin.end_session",
    "systemadmin.end_sessions",
}


def function_of(decision):
    module, _dot, name = decision.function.rpartition(".")
    return getattr(import_module(module), name)


def test_the_list_of_calls_covers_every_decision():
    assert set(CALLS) == {decision.act for decision in decisions()}


@pytest.mark.parametrize("act", sorted(CALLS))
def test_every_decision_refuses_who_it_concerns_even_a_superuser(act, concerned):
    decision = next(found for found in decisions() if found.act == act)
    actor = StaffFactory(is_superuser=True)
    subject = concerned(actor)
    if subject == actor and act in OWN_ACTS:
        return
    who = "user" if act == "support.rate_ticket" else "actor"
    with pytest.raises(OwnInterest) as refusal:
        function_of(decision)(**{who: actor, **CALLS[act](subject)})
    assert refusal.value.status == 403
    assert refusal.value.extra["permission"] == decision.permission


@pytest.mark.parametrize("act", sorted(CALLS))
def test_no_decision_is_refused_to_a_stranger(act):
    decision = next(found for found in decisions() if found.act == act)
    stranger = StaffFactory(is_superuser=True)
    who = "user" if act == "support.rate_ticket" else "actor"
    try:
        function_of(decision)(**{who: stranger, **CALLS[act](UserFactory())})
    except OwnInterest:
        pytest.fail("refused to somebody whom it does not concern")
    except Exception:
        pass  # the rows of this test are not complete: later rules refuse


# Packages that hold an app's services beside their reads and calculations.
ENGINES = (
    "riskops.ingest",
    "riskops.scores",
    "riskops.links",
    "riskops.anomalies",
    "riskops.decisions",
    "systemadmin.backups",
)

# Services that take an actor and decide nothing over another's account or money.
OTHER_SERVICES = {
    # sums that the guard itself keeps
    "systemadmin.services.daily_sums",
    # the desk's set-up, not one account
    "marketplace.services.bank",
    "marketplace.services.categories",
    "marketplace.services.closing",
    "marketplace.services.ledger_exports",
    "marketplace.services.statements",
    "marketplace.services.commission.reorder_rules",
    "marketplace.services.fees.create_fee",
    "marketplace.services.fees.create_fee_tax_rate",
    "marketplace.services.fees.delete_fee",
    "marketplace.services.fees.delete_fee_tax_rate",
    "marketplace.services.fees.update_fee",
    "marketplace.services.fees.update_fee_tax_rate",
    # the check of decisions about the schedule
    "marketplace.services.own_charges",
    "marketplace.services.reason_templates",
    # the platform's own listings; a moderator decides about them
    "marketplace.services.listings",
    # refuses orders of whoever imports them
    "marketplace.services.order_imports",
    # where payment services tell of payments; what they tell runs the decisions above
    "marketplace.services.payment_events",
    "marketplace.services.payment_hooks",
    # a part of making a payout and of giving one up
    "marketplace.services.payout_fees",
    "messaging.services.broadcasts",
    # what evidence is worth for everyone, not one account
    "riskops.links.learning",
    "riskops.ingest.ip_lists",
    "riskops.decisions.rules",
    "riskops.scores.learn",
    "riskops.scores.rulesets",
    "support.services.agent_states",
    "support.services.catalogue",
    "support.services.faqs",
    "support.services.mailboxes",
    "support.services.policies",
    "support.services.templates",
    "systemadmin.services.alert_rules",
    # receivers of events, and sending them again
    "systemadmin.services.event_replay",
    "systemadmin.services.webhooks",
    "systemadmin.services.blocked_networks",
    "systemadmin.services.configuration",
    "systemadmin.services.maintenance",
    "systemadmin.services.queued_tasks",
    "systemadmin.services.roles",
    "systemadmin.services.rights.set_role_permissions",
    "systemadmin.services.batch_failures",
    "systemadmin.services.notifications",
    "systemadmin.services.resend",
    "systemadmin.services.undoing",
    # set_rights decides for them
    "support.services.leaving.leave_categories",
    "support.services.leaving.leave_escalations",
    "support.services.leaving.release_tickets",
    "systemadmin.services.offboarding.offboard",
    # Checked in themselves: an account of the key's owner, and staff, are refused.
    "systemadmin.services.member_tokens",
    "systemadmin.services.members",
    "systemadmin.services.service_keys",
    # superusers connect accounts with the identity provider; the owner is notified
    "systemadmin.services.staff_identities.link_identity",
    "systemadmin.services.rights.check_demo",
    "systemadmin.services.rights.check_hands_out_rights",
    "systemadmin.services.rights.check_reach",
    "systemadmin.services.users.save_account",
    # the installation, its backups and its audit trail
    "systemadmin.services.alert_delivery",
    "systemadmin.services.audit_runs",
    "systemadmin.backups",
    "systemadmin.services.installation",
    "systemadmin.services.demo",
    # facts that come in, and calculations from them
    "riskops.ingest.record",
    "riskops.scores.account_outcomes",
    "riskops.scores.event_outcomes",
    "riskops.scores.outcome_rows",
    "riskops.scores.recompute",
    "riskops.scores.calculate",
    # what members do with their own
    "marketplace.services.disputes.open_dispute",
    "marketplace.services.sellers.save_own_details",
    "marketplace.services.payout_batches.payout_file",
    "marketplace.services.chargeback_entries",
    "marketplace.services.images.add_image",
    "marketplace.services.order_creation.create_order",
    "marketplace.services.products.create_product",
    "marketplace.services.products.submit_product",
    "marketplace.services.products.withdraw_product",
    "marketplace.services.revisions.submit_revision",
    "marketplace.services.revisions.withdraw_revision",
    "messaging.services.editing",
    "messaging.services.muting",
    "messaging.services.preferences",
    "messaging.services.reading",
    "messaging.services.safety",
    "messaging.services.sending",
    "messaging.services.unsending",
    "support.services.replies.edit_reply",
    "support.services.tickets.open_ticket",
    # steps inside a decision that was checked, or called with no person
    "marketplace.services.holds",
    "marketplace.services.ledger.post",
    "marketplace.services.ledger.post_new",
    "marketplace.services.ledger.reverse",
    "marketplace.services.orders.recognise",
    "marketplace.services.orders.save_step",
    "marketplace.services.products.decide",
    "marketplace.services.refunds.refund_locked",
    "marketplace.services.revisions.decide_revision",
    "marketplace.services.revisions.move_material_changes_to_revision",
    "marketplace.services.revisions.withdraw_open",
    "riskops.anomalies.handling.change_rule",
    "riskops.anomalies.handling.create_rule",
    "riskops.anomalies.handling.delete_rule",
    "riskops.links.detect.reopen_rows",
    "support.services.assignment.check_assignee",
    "support.services.assignment.check_may_assign",
    "support.services.assignment.check_may_choose",
    "support.services.confinement.check_confinement",
    "support.services.clocks.choose_policy",
    "support.services.history.note",
    # it calls merge_tickets
    "support.services.merging.join_suggested",
    "support.services.tickets.apply_changes",
    "support.services.tickets.set_assignee",
    "support.services.tickets.set_status",
    "support.services.tickets.set_tags",
    "systemadmin.services.sessions.end_all_of_members",
    # notes and mail: they change no account and no money
    "riskops.links.notes.add_note",
    "support.services.macros.save_macro",
    "support.services.mail_in.process_again",
    "support.services.mail_in.unblock_and_take",
    "support.services.mail_out.retry",
    "support.services.file_links.revoke_link",
    "support.services.spam.block_sender",
    "support.services.spam.unblock_sender",
    "support.services.agent_notices.save_choices",
    "support.services.drafts.save_draft",
    "support.services.saved_views",
    # deciding for a second time: who may is checked against who asked
    "systemadmin.services.access_links.send_link",
    "systemadmin.services.approvals",
    "systemadmin.services.approvers",
    "systemadmin.services.single_person",
    # one's own data, and handing over what was decided
    "systemadmin.services.personal_exports.download_export",
    "systemadmin.services.personal_exports.request_own_export",
    # the check itself, and whom decisions concern
    "systemadmin.services.account_lookup",
    "systemadmin.services.demo_limits",
    "systemadmin.services.duties",
    "marketplace.services.concerned",
}


def test_the_table_of_who_may_decide_is_made_from_the_code():
    tool = runpy.run_path(str(settings.BASE_DIR / "docs/list_decisions.py"))
    text = (settings.BASE_DIR / "docs/roles.md").read_text()
    assert tool["BEGIN"] in text
    assert text == tool["page"](text), "run: python docs/list_decisions.py"


def services_with_an_actor():
    """Every public function of a `services` package or an engine that takes whoever acts."""
    for name in [*(f"{app}.services" for app in settings.ATALAYA_APPS), *ENGINES]:
        package = import_module(name)
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            module = import_module(found.name)
            for name, function in inspect.getmembers(module, inspect.isfunction):
                own = inspect.unwrap(function).__module__ == module.__name__
                takes_actor = "actor" in inspect.signature(function).parameters
                if own and takes_actor and not name.startswith("_"):
                    yield f"{module.__name__}.{name}"


def is_listed(path):
    parts = path.split(".")
    return any(".".join(parts[:end]) in OTHER_SERVICES for end in range(2, len(parts) + 1))


def test_every_service_with_an_actor_is_a_decision_or_is_listed_as_none():
    registered = {decision.function for decision in decisions()}
    found = set(services_with_an_actor())
    assert len(found) > 150
    assert not {path for path in found - registered if not is_listed(path)}


def test_no_listed_service_is_gone_or_a_decision():
    found = set(services_with_an_actor())
    registered = {decision.function for decision in decisions()}
    assert not {
        entry for entry in OTHER_SERVICES if not any(path.startswith(entry) for path in found)
    }
    assert not OTHER_SERVICES & registered


# -- through the front door --------------------------------------------------------------


def own_paid(user):
    return shop.paid(buyer=user)


def sold_by(user, make):
    return make(shop.approved(seller=user))


def own_dispute(user):
    order = own_paid(user)
    return market.open_dispute(actor=user, order=order, reason="not_received", body="Where?")


def own_payout(user):
    shop.completed(shop.approved(seller=user, price=500_00))
    return market.create_payout(actor=shop.root(), seller=user, currency="EUR")


def without_address(user):
    type(user).objects.filter(pk=user.pk).update(email="")
    return user


def submitted(user):
    product = shop.draft(seller=user)
    return market.submit_product(actor=user, product=product)


def ready_for_payout(user):
    shop.completed(shop.approved(seller=user, price=500_00))
    return user


# role, object, path, body of the acts that were seen.
API_ACTS = {
    "approve a product": (
        "marketplace_moderator",
        submitted,
        "/api/admin/products/{}/approve",
        {},
    ),
    "refund an order": (
        "marketplace_moderator",
        own_paid,
        "/api/admin/orders/{}/refund",
        {"reason": "gift"},
    ),
    "resolve a dispute": (
        "marketplace_moderator",
        own_dispute,
        "/api/admin/disputes/{}/resolve",
        {"in_favour_of": "buyer"},
    ),
    "pay an order": (
        "operator",
        lambda user: sold_by(user, shop.order),
        "/api/admin/orders/{}/pay",
        {"reference": "invented"},
    ),
    "complete an order": (
        "operator",
        lambda user: sold_by(user, shop.paid),
        "/api/admin/orders/{}/complete",
        {},
    ),
    "create a payout": ("operator", ready_for_payout, "/api/admin/payouts", "payout"),
    "mark a payout as paid": ("operator", own_payout, "/api/admin/payouts/{}/mark-paid", {}),
    "set a score": (
        "risk_analyst",
        lambda user: user,
        "/api/admin/users/{}/risk-score/override",
        {"score": 0, "reason": "fine"},
    ),
    "exempt from a rule": (
        "risk_analyst",
        lambda user: user,
        "/api/admin/anomaly-rules/1/exempt",
        "exemption",
    ),
    "answer a ticket": (
        "support_agent",
        make_ticket,
        "/api/admin/tickets/{}/reply",
        {"body": "Granted."},
    ),
    "resolve a ticket": ("support_agent", make_ticket, "PATCH", {"status": "resolved"}),
    "verify the account": ("risk_analyst", lambda user: user, "/api/admin/users/{}/verify", {}),
    "set the password": (
        "operator",
        without_address,
        "/api/admin/users/{}/password",
        {"new_password": "Other-horse-9-battery", "reason": "lost"},
    ),
}


def call_api(client, subject, made, path, body):
    if body == "payout":
        return client.post(path, {"seller": subject.pk, "currency": "EUR"}, format="json")
    if body == "exemption":
        rule = AnomalyRule.objects.first()
        body = {"user": subject.pk, "reason": "fine"}
        return client.post(f"/api/admin/anomaly-rules/{rule.pk}/exempt", body, format="json")
    if path == "PATCH":
        return client.patch(f"/api/admin/tickets/{made.pk}", body, format="json")
    return client.post(path.format(made.pk), body, format="json")


@pytest.mark.parametrize("what", sorted(API_ACTS))
def test_the_api_refuses_acts_on_oneself_and_says_who_may(what, concerned, as_user):
    role, make, path, body = API_ACTS[what]
    actor = StaffFactory(role=role)
    subject = concerned(actor)
    made = make(subject)
    before = AuditEntry.objects.filter(actor=actor).count()
    answer = call_api(as_user(actor), subject, made, path, body)
    assert answer.status_code == 403, answer.content
    problem = answer.json()
    assert problem["code"] == "own_interest"
    assert role in problem["roles"]
    assert role in problem["detail"]
    assert "superuser" in problem["detail"]
    assert AuditEntry.objects.filter(actor=actor).count() == before


@pytest.mark.parametrize("what", sorted(API_ACTS))
def test_the_api_lets_others_decide(what, as_user):
    role, make, path, body = API_ACTS[what]
    subject = UserFactory()
    made = make(subject)
    answer = call_api(as_user(StaffFactory(role=role)), subject, made, path, body)
    assert answer.status_code in (200, 201, 204), answer.content


# role, object, action of the admin, form
ADMIN_ACTS = {
    "approve a product": ("marketplace_moderator", submitted, "approve", {}),
    "refund an order": ("marketplace_moderator", own_paid, "refund", {"reason": "gift"}),
    "resolve a dispute": (
        "marketplace_moderator",
        own_dispute,
        "resolve_for_buyer",
        {"note": "mine"},
    ),
    "pay an order": (
        "operator",
        lambda user: sold_by(user, shop.order),
        "pay",
        {"reference": "invented"},
    ),
    "complete an order": (
        "operator",
        lambda user: sold_by(user, shop.paid),
        "complete",
        {},
    ),
    "mark a payout as paid": ("operator", own_payout, "mark_paid", {"reference": "x"}),
    "set a score": (
        "risk_analyst",
        lambda user: score_of(user),
        "override",
        {"score": "0", "reason": "fine"},
    ),
    "record an outcome": (
        "risk_analyst",
        lambda user: score_of(user),
        "give_outcome",
        {"verdict": "legitimate", "note": "me"},
    ),
    "verify the account": ("risk_analyst", lambda user: user, "verify", {"reason": "me"}),
    "resolve a ticket": ("support_agent", make_ticket, "resolve", {}),
    "take a ticket": ("support_agent", make_ticket, "assign_to_me", {}),
    "raise a ticket": ("support_agent", make_ticket, "set_priority", {"priority": "urgent"}),
}


def score_of(user):
    calculate_score(account=user)
    return RiskScore.objects.get(pk=user.pk)


@pytest.mark.parametrize("what", sorted(ADMIN_ACTS))
def test_the_admin_refuses_acts_on_oneself_and_says_who_may(what, concerned, admin_client_for):
    role, make, action, form = ADMIN_ACTS[what]
    actor = StaffFactory(role=role)
    made = make(concerned(actor))
    client = admin_client_for(actor)
    meta = made._meta
    page = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    data = {"action": action, ACTION_CHECKBOX_NAME: [made.pk], "apply": "1", **form}
    before = AuditEntry.objects.filter(actor=actor).exclude(action__contains="log").count()
    answer = client.post(page, data, follow=True)
    shown = answer.content.decode()
    assert "Somebody else has to decide it" in shown
    assert role in shown
    assert AuditEntry.objects.filter(actor=actor).exclude(action__contains="log").count() == before


# -- what stays possible -----------------------------------------------------------------


def test_buyers_and_sellers_keep_their_own_acts_although_they_are_staff(as_user):
    agent = StaffFactory(role="operator")
    bought = shop.paid(buyer=agent)
    sold = shop.paid(shop.approved(seller=agent))
    client = as_user(agent)
    assert client.post(f"/api/orders/{bought.pk}/confirm").status_code == 200
    assert client.post(f"/api/orders/{sold.pk}/cancel").status_code == 200
    reserved = shop.order(buyer=agent)
    assert client.post(f"/api/orders/{reserved.pk}/cancel").status_code == 200


def test_agents_may_write_on_their_own_ticket_as_its_requester(as_user):
    agent = StaffFactory(role="support_agent")
    ticket = make_ticket(requester=agent)
    answer = as_user(agent).post(
        f"/api/tickets/{ticket.pk}/reply", {"body": "Any news?"}, format="json"
    )
    assert answer.status_code == 201


def test_agents_do_not_rate_what_they_answered_themselves():
    agent = StaffFactory(role="support_agent")
    ticket = make_ticket(requester=agent)
    Ticket.objects.filter(pk=ticket.pk).update(assignee=agent)
    ticket.refresh_from_db()
    with pytest.raises(OwnInterest):
        rate_ticket(user=agent, ticket=ticket, score=5)


def test_system_tasks_have_no_interest_of_their_own():
    check_no_own_interest(actor=None, concerns=[1], act="marketplace.refund_order")


# -- who is the same person --------------------------------------------------------------


def test_confirmed_pairs_join_across_several_accounts():
    first, second, third, stranger = (UserFactory() for _ in range(4))
    confirm(first, second)
    confirm(second, third)
    RelatedAccount.objects.create(low=third, high=stranger, status="suspected")
    assert accounts_of(first.pk) == {first.pk, second.pk, third.pk}
    assert accounts_of(third.pk) == {first.pk, second.pk, third.pk}
    assert accounts_of(stranger.pk) == {stranger.pk}


@pytest.mark.parametrize("status", [LinkStatus.SUSPECTED, LinkStatus.DISMISSED])
def test_only_confirmed_pairs_count(status):
    first, second = UserFactory(), UserFactory()
    pair = confirm(first, second)
    RelatedAccount.objects.filter(pk=pair.pk).update(status=status)
    assert accounts_of(first.pk) == {first.pk}


def test_a_verdict_that_has_ended_counts_no_more():
    first, second = UserFactory(), UserFactory()
    confirm(first, second, expires_at=first.date_joined)
    assert accounts_of(first.pk) == {first.pk}


def test_the_check_is_two_queries(django_assert_num_queries):
    """Whose key it is, and which accounts are theirs."""
    actor = StaffFactory()
    with django_assert_num_queries(2):
        check_no_own_interest(
            actor=actor, concerns=range(10_000, 10_050), act="marketplace.refund_order"
        )


# -- staff and payouts -------------------------------------------------------------------


@pytest.mark.parametrize("role", ["risk_analyst", "operator"])
def test_staff_are_suspended_only_by_those_who_manage_staff(role, as_user):
    auditor = StaffFactory(role="auditor")
    answer = as_user(StaffFactory(role=role)).post(
        f"/api/admin/users/{auditor.pk}/suspend", {"reason": "in my way"}, format="json"
    )
    assert answer.status_code == 403
    assert answer.json()["code"] == "cannot_suspend_staff"
    auditor.refresh_from_db()
    assert not auditor.is_suspended


def test_a_superuser_suspends_and_reinstates_staff():
    root, agent = StaffFactory(is_superuser=True), StaffFactory(role="support_agent")
    suspended = suspend_user(actor=root, user=agent, reason="leave")
    with pytest.raises(CannotSuspendStaff):
        reinstate_user(actor=StaffFactory(role="operator"), user=suspended)
    assert not reinstate_user(actor=root, user=suspended).is_suspended


@pytest.mark.parametrize("why", ["suspended", "fraud"])
def test_a_seller_found_a_fraud_is_not_paid_out(why, as_user):
    seller = UserFactory()
    ready_for_payout(seller)
    analyst = StaffFactory(role="risk_analyst")
    if why == "suspended":
        suspend_user(actor=analyst, user=seller, reason="fraud")
    else:
        record_outcome(actor=analyst, account=seller, verdict="confirmed_fraud")
    client = as_user(StaffFactory(role="operator"))
    body = {"seller": seller.pk, "currency": "EUR"}
    answer = client.post("/api/admin/payouts", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (409, "payout_held")


def test_a_payout_on_its_way_to_a_fraud_is_neither_paid_nor_retried_but_may_fail(as_user):
    payout = own_payout(UserFactory())
    analyst = StaffFactory(role="risk_analyst")
    record_outcome(actor=analyst, account=payout.seller, verdict="confirmed_fraud")
    client = as_user(StaffFactory(role="operator"))
    paths = f"/api/admin/payouts/{payout.pk}"
    assert client.post(f"{paths}/mark-paid").json()["code"] == "payout_held"
    failed = client.post(f"{paths}/mark-failed", {"reason": "held"}, format="json")
    assert failed.status_code == 200
    assert client.post(f"{paths}/retry").json()["code"] == "payout_held"
    record_outcome(actor=analyst, account=payout.seller, verdict="legitimate")
    assert client.post(f"{paths}/retry").status_code == 200


def test_the_password_route_of_staff_is_closed_for_ones_own_account(as_user):
    operator = StaffFactory(role="operator")
    as_user(operator).post(
        f"/api/admin/users/{operator.pk}/password",
        {"new_password": "Other-horse-9-battery"},
        format="json",
    )
    operator.refresh_from_db()
    assert operator.check_password(PASSWORD)


def test_the_admin_suspends_no_colleague_for_an_operator(admin_client_for):
    colleague = StaffFactory(role="auditor")
    page = reverse("admin:systemadmin_user_changelist")
    data = {"action": "suspend", ACTION_CHECKBOX_NAME: [colleague.pk], "apply": "1", "reason": "x"}
    answer = admin_client_for(StaffFactory(role="operator")).post(page, data, follow=True)
    assert "only by those who manage staff" in answer.content.decode()
    colleague.refresh_from_db()
    assert not colleague.is_suspended
