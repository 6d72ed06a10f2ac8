"""What people of staff tried for themselves with lists, scores, outcomes, rules and erasures."""

from datetime import timedelta
from unittest import mock

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from marketplace.services import open_dispute
from marketplace.tests import factories as shop
from messaging import services as messaging
from messaging.models import Message
from messaging.services import erasing as erasing_messages
from messaging.tests.factories import send
from riskops.anomalies.handling import change_rule, end_exemption, exempt_account
from riskops.decisions.lists import add_list_entry, remove_list_entry
from riskops.models import (
    AnomalyRule,
    EventOutcome,
    Identifier,
    ListEntry,
    RiskOverride,
)
from riskops.scores.event_outcomes import record_event_outcomes
from riskops.scores.overrides import override_score
from riskops.tests.factories import NOW, confirmed, event, record
from systemadmin import audit
from systemadmin.errors import AccountIsHeld, OwnInterest
from systemadmin.models import AccountErasure, LegalHold, ServiceKey, User, UserSession
from systemadmin.services.erasure import erase_account, request_erasure
from systemadmin.services.legal_holds import hold_account, release_hold
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.services.service_keys import create_service_key
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def shipped(db):
    call_command("setup", verbosity=0)


@pytest.fixture
def analyst(staff):
    return staff("risk_analyst")


# -- lists ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "written"),
    [
        ("alt@example.org", "alt@example.org."),
        ("alt@example.org", " ALT@Example.org.. "),
        ("alt@bücher.example", "alt@xn--bcher-kva.example"),
        ("alt@xn--bcher-kva.example", "alt@bücher.example"),
    ],
)
def test_no_spelling_of_an_own_address_gets_on_the_allow_list(email, written, analyst):
    confirmed(analyst, UserFactory(email=email))
    entry = {"list": "allow", "kind": "email", "value": written, "reason": "fine"}
    with pytest.raises(OwnInterest):
        add_list_entry(actor=analyst, **entry)
    assert not ListEntry.objects.exists()
    made = add_list_entry(actor=None, **entry)
    with pytest.raises(OwnInterest):
        remove_list_entry(actor=analyst, entry=made)


def test_addresses_of_others_are_listed_as_before(analyst):
    UserFactory(email="other@example.org")
    made = add_list_entry(
        actor=analyst, list="allow", kind="email", value="other@example.org.", reason="fine"
    )
    assert made.value == "other@example.org"


COVERED = {
    "network": ("address", "203.0.113.0/24", {"ip": "203.0.113.7"}),
    "wide network": ("address", "203.0.0.0/8", {"ip": "203.0.113.7"}),
    "mapped network": ("address", "::ffff:203.0.113.0/120", {"ip": "203.0.113.7"}),
    "network of IPv6": ("address", "2001:db8::/32", {"ip": "2001:db8:5::9"}),
    "domain": ("domain", "mine.example", {}),
    "domain above": ("domain", "bücher.example", {}),
    "domain of an event": ("domain", "paid.example", {"data": {"email": "A@shop.paid.example"}}),
    "address of an event": ("email", "a@paid.example", {"data": {"email": "A@paid.example"}}),
}


@pytest.mark.parametrize("name", ["deny", "watch"])
@pytest.mark.parametrize("by", COVERED)
@pytest.mark.parametrize("whose", ["own", "related"])
def test_nobody_lifts_an_entry_that_covers_himself(whose, by, name, analyst, as_user):
    kind, value, seen = COVERED[by]
    account = analyst if whose == "own" else confirmed(analyst, UserFactory())
    address = "x@mail.xn--bcher-kva.example" if by == "domain above" else "x@mine.example"
    User.objects.filter(pk=account.pk).update(email=address)
    record(event(account, **seen))
    made = add_list_entry(actor=None, list=name, kind=kind, value=value, reason="abuse")
    with pytest.raises(OwnInterest):
        remove_list_entry(actor=analyst, entry=made)
    path = f"/api/admin/risk/list-entries/{made.pk}"
    refused = as_user(analyst).delete(path)
    assert (refused.status_code, refused.json()["code"]) == (403, "own_interest")
    # It is somebody else's to decide.
    assert as_user(StaffFactory(role="risk_analyst")).delete(path).status_code == 204


@pytest.mark.parametrize(
    ("kind", "value", "data"),
    [
        ("email", "a@paid.example", {"email": "A@paid.example"}),
        ("card", "fp_1", {"card": " fp_1 "}),
    ],
)
def test_nobody_allows_what_own_events_name(kind, value, data, analyst):
    record(event(analyst, data=data))
    with pytest.raises(OwnInterest):
        add_list_entry(actor=analyst, list="allow", kind=kind, value=value, reason="mine")
    denied = add_list_entry(actor=None, list="deny", kind=kind, value=value, reason="abuse")
    with pytest.raises(OwnInterest):
        remove_list_entry(actor=analyst, entry=denied)


def test_nobody_lifts_an_entry_over_the_network_one_is_signed_in_from(analyst, admin_client_for):
    admin_client_for(analyst)
    UserSession.objects.filter(user=analyst).update(ip="203.0.113.7")
    made = add_list_entry(
        actor=None, list="deny", kind="address", value="203.0.113.0/24", reason="abuse"
    )
    with pytest.raises(OwnInterest):
        remove_list_entry(actor=analyst, entry=made)


def test_the_page_of_lists_lifts_no_entry_that_covers_oneself(analyst, admin_client_for):
    record(event(analyst, ip="203.0.113.7"))
    made = add_list_entry(
        actor=None, list="deny", kind="address", value="203.0.113.0/24", reason="abuse"
    )
    page = reverse("admin:riskops_listentry_delete", args=[made.pk])
    admin_client_for(analyst).post(page, {"post": "yes"})
    assert ListEntry.objects.filter(pk=made.pk).exists()


@pytest.mark.parametrize(
    ("kind", "value"), [("address", "198.51.100.0/24"), ("domain", "other.example")]
)
def test_an_entry_that_covers_others_is_lifted_as_before(kind, value, analyst):
    record(event(analyst, ip="203.0.113.7"))
    made = add_list_entry(actor=None, list="deny", kind=kind, value=value, reason="abuse")
    remove_list_entry(actor=analyst, entry=made)
    assert not ListEntry.objects.exists()


# -- scores --------------------------------------------------------------------------------


@pytest.mark.two_people
@pytest.mark.parametrize(("score", "days"), [(0, None), (0, 60), (99, None), (99, 60)])
def test_a_score_that_hides_later_ones_for_long_waits(score, days, analyst):
    """Nothing is computed yet: all that comes later would be hidden."""
    end = timezone.now() + timedelta(days=days) if days else None
    with pytest.raises(SecondPersonNeeded):
        override_score(
            actor=analyst, account=UserFactory(), score=score, reason="x", expires_at=end
        )
    assert not RiskOverride.objects.exists()


@pytest.mark.two_people
@pytest.mark.parametrize(("score", "days"), [(0, 20), (99, 20), (100, None), (100, 60)])
def test_a_score_that_hides_nothing_for_long_is_set(score, days, analyst):
    end = timezone.now() + timedelta(days=days) if days else None
    override_score(actor=analyst, account=UserFactory(), score=score, reason="x", expires_at=end)
    assert RiskOverride.objects.count() == 1


# -- exemptions ----------------------------------------------------------------------------


@pytest.mark.two_people
def test_a_rule_with_another_name_remembers_its_exemptions(analyst):
    rule = AnomalyRule.objects.get(code="transaction_velocity")
    account = UserFactory()
    exempt_account(actor=analyst, rule=rule, account=account, reason="x")
    end_exemption(actor=analyst, rule=rule, account=account)
    rule = change_rule(actor=analyst, rule=rule, values={"code": "renamed"})
    with pytest.raises(SecondPersonNeeded):
        exempt_account(actor=analyst, rule=rule, account=account, reason="x")


@pytest.mark.two_people
def test_exemptions_noted_by_code_alone_still_count(analyst):
    rule = AnomalyRule.objects.get(code="transaction_velocity")
    account = UserFactory()
    audit.record(
        "riskops.anomaly.exempted", actor=analyst, target=account, after={"rule": rule.code}
    )
    with pytest.raises(SecondPersonNeeded):
        exempt_account(actor=analyst, rule=rule, account=account, reason="x")


@pytest.mark.two_people
def test_exemptions_from_other_rules_do_not_count(analyst):
    first, second = AnomalyRule.objects.order_by("pk")[:2]
    account = UserFactory()
    exempt_account(actor=analyst, rule=first, account=account, reason="x")
    change_rule(actor=analyst, rule=first, values={"code": "elsewhere"})
    assert exempt_account(actor=analyst, rule=second, account=account, reason="x")


# -- outcomes ------------------------------------------------------------------------------


def dealt(account, key, **fields):
    record(
        event(account, "transfer", occurred_at=NOW, external_id=key, amount=100, currency="EUR",
              **fields),
        source="shop",
    )  # fmt: skip


@pytest.fixture(params=["person", "key"])
def reporter(request, analyst):
    """Who sends outcomes: the analyst, or a service key of the analyst's."""
    if request.param == "person":
        return analyst
    create_service_key(
        actor=None, name="outcomes", owner=analyst, permissions=["riskops.add_eventoutcome"]
    )
    return ServiceKey.objects.get(name="outcomes").account


def test_outcomes_of_own_events_and_wallets_are_refused(analyst, reporter):
    other, member = confirmed(analyst, UserFactory()), UserFactory()
    dealt(analyst, "own", counterparty_wallet="shop-1")
    dealt(other, "related", wallet="mine", counterparty_wallet="shop-1")
    dealt(member, "with-me", counterparty_wallet="mine")
    dealt(member, "others", counterparty_wallet="shop-1")
    rows = [
        *({"event": key, "fraud": False} for key in ("own", "related", "with-me", "others")),
        {"counterparty": "mine", "fraud": False},
        {"counterparty": "shop-1", "fraud": True},
    ]
    taken = record_event_outcomes(rows, source="shop", actor=reporter)
    refused = sorted((one.index, one.field, one.code) for one in taken.refused)
    assert refused == [
        (0, "event", "own_interest"),
        (1, "event", "own_interest"),
        (2, "event", "own_interest"),
        (4, "counterparty", "own_interest"),
    ]
    stored = set(EventOutcome.objects.values_list("external_id", flat=True))
    assert (taken.recorded, stored) == (2, {"others", "counterparty:shop-1"})
    assert Identifier.objects.filter(value="mine").exists()
    assert record_event_outcomes(rows, source="shop").recorded == len(rows)


def test_the_answer_says_which_outcomes_are_ones_own(analyst, as_user):
    dealt(analyst, "own")
    analyst.user_permissions.add(Permission.objects.get(codename="add_eventoutcome"))
    body = {"source": "shop", "outcomes": [{"event": "own", "fraud": False}]}
    answer = as_user(analyst).post("/api/risk/outcomes", body, format="json").json()
    assert answer["recorded"] == 0
    assert [one["code"] for one in answer["refused"]] == ["own_interest"]


# -- messages under a legal hold -----------------------------------------------------------


def test_messages_of_a_held_member_are_not_erased(superuser):
    writer = UserFactory(username="writer")
    letter = send(writer, UserFactory(), "evidence")
    hold = hold_account(
        actor=superuser, user=writer, reason="Court", ends_at=timezone.now() + timedelta(days=9)
    )
    for erase in (messaging.request_erasure, messaging.erase_member):
        with pytest.raises(AccountIsHeld, match="wrote"):
            erase(actor=superuser, user=writer, reason="x")
    with pytest.raises(CommandError, match="legal hold"):
        call_command("erase_messages", "writer", reason="x")
    assert Message.objects.get(pk=letter.pk).body == "evidence"
    release_hold(actor=superuser, hold=hold, reason="Over")
    assert messaging.erase_member(actor=superuser, user=writer, reason="x") == 1


@pytest.fixture
def held(superuser):
    """A member under a legal hold, as a client, who just sent an edited message with a file."""
    writer, reader = UserFactory(username="writer"), UserFactory(username="reader")
    attachment = SimpleUploadedFile("plan.txt", b"the plan", "text/plain")
    letter = messaging.send_message(
        actor=writer, recipient=reader, body="first words", attachment=attachment
    ).message
    messaging.edit_message(actor=writer, message=letter, body="evidence")
    hold_account(
        actor=superuser, user=writer, reason="Court", ends_at=timezone.now() + timedelta(days=9)
    )
    return letter


def unsent(letter, as_user):
    answer = as_user(letter.sender).post(f"/api/messages/{letter.pk}/unsend")
    assert answer.status_code == 200, answer.content


def erased_by_a_moderator(letter, as_user):
    reader = User.objects.get(username="reader")
    report = messaging.report_message(actor=reader, message=letter, reason="harassment")
    moderator = StaffFactory(role="marketplace_moderator")
    messaging.uphold_report(actor=moderator, report=report, resolution="Rude", erase=True)


def erased_with_all_others(letter, as_user):
    """Erase everything of the sender, who is held from the second half of it on."""
    LegalHold.objects.update(ends_at=timezone.now())
    begin = erasing_messages.set_tombstone_of

    def hold_now(**arguments):
        begin(**arguments)
        LegalHold.objects.update(ends_at=timezone.now() + timedelta(days=9))

    with mock.patch.object(erasing_messages, "set_tombstone_of", hold_now):
        assert messaging.erase_member(actor=None, user=letter.sender, reason="asked") == 1


@pytest.mark.parametrize("erase", [unsent, erased_by_a_moderator, erased_with_all_others])
def test_what_a_hold_keeps_is_hidden_and_goes_when_the_hold_ends(erase, held, as_user):
    erase(held, as_user)
    for username in ("writer", "reader"):
        client = as_user(User.objects.get(username=username))
        url = f"/api/messages/{held.pk}"
        assert client.get(f"{url}/revisions").json() == []
        assert client.get(f"{url}/attachment").status_code == 404
        export = b"".join(client.get("/api/messages/export").streaming_content).decode()
        listed = client.get("/api/messages/conversations").content.decode()
        assert not any(word in export + listed for word in ("words", "evidence", "plan.txt"))
    kept = Message.objects.get(pk=held.pk)
    assert [row.body for row in kept.revisions.all()] == ["first words", "evidence"]
    assert kept.attachment.file.read() == b"the plan"
    messaging.erase_released()
    assert kept.revisions.count() == 2
    LegalHold.objects.update(ends_at=timezone.now())
    assert messaging.due_released() == 1
    assert messaging.erase_released() == 1
    kept = Message.objects.get(pk=held.pk)
    assert (kept.revisions.count(), hasattr(kept, "attachment")) == (0, False)


# -- erasing the other party ---------------------------------------------------------------


def erasing(actor, user):
    return request_erasure(
        actor=actor,
        user=user,
        reason="asked for it",
        confirm=user.get_username(),
        despite_open_business=True,
    )


@pytest.mark.parametrize("kinship", ["own", "related"])
@pytest.mark.parametrize("side", ["buyer", "seller"])
@pytest.mark.parametrize("state", ["paid", "disputed"])
def test_nobody_erases_the_other_party_of_open_business(state, side, kinship, staff):
    operator, other = staff("operator"), UserFactory()
    own = operator if kinship == "own" else confirmed(operator, UserFactory())
    buyer, seller = (own, other) if side == "buyer" else (other, own)
    order = shop.paid(shop.approved(seller, stock=None), buyer=buyer)
    if state == "disputed":
        open_dispute(actor=buyer, order=order, reason="other", body="x")
    with pytest.raises(OwnInterest):
        erasing(operator, other)
    with pytest.raises(OwnInterest):
        erase_account(actor=operator, user=other, reason="x", despite_open_business=True)
    assert not AccountErasure.objects.exists()
    assert erasing(staff("operator"), other).status == "queued"


def test_business_that_is_over_is_no_interest(staff):
    operator, seller = staff("operator"), UserFactory()
    order = shop.paid(shop.approved(seller, stock=None), buyer=operator)
    type(order).objects.filter(pk=order.pk).update(status="completed")
    assert erasing(operator, seller).status == "queued"
