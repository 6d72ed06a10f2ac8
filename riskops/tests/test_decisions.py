"""Decisions in the moment through their endpoint: rules, lists, repeats, defaults, queries."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from riskops.decisions import decide as deciding
from riskops.decisions.lists import add_list_entry
from riskops.decisions.rules import create_decision_rule
from riskops.events import decision_made
from riskops.ingest.parse import is_card_number
from riskops.models import AccountEvent, Decision, DecisionRule, ListEntry
from riskops.scores.calculate import calculate_score
from riskops.scores.outcomes import record_outcome
from riskops.tests.factories import event, record
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import AuditEntry
from systemadmin.services import change_settings
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db

PATH = "/api/risk/decisions"


def patient():
    """A busy machine must not decide by default where that is not what is tested."""
    change_settings(actor=None, values={"risk.decision_timeout_ms": 10_000})


@pytest.fixture
def service(as_user):
    """The shop: it may ask for decisions and say what became of them."""
    patient()
    user = UserFactory(username="shop")
    names = ["make_decision", "feedback_decision"]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return as_user(user)


@pytest.fixture
def analyst(staff, as_user):
    return as_user(staff("risk_analyst"))


@pytest.fixture
def buyer():
    return UserFactory(username="buyer", external_id="u-1", email="Buyer@Mail.Example.test")


def purchase(buyer, key="order-1", **fields):
    return {
        "kind": "purchase",
        "account": buyer.pk,
        "occurred_at": "2026-03-01T12:00:00Z",
        "external_id": key,
        "amount": 5000,
        "currency": "EUR",
        **fields,
    }


def ask(client, row, status=200, **body):
    answer = client.post(PATH, {"event": row, **body}, format="json")
    assert answer.status_code == status, answer.content
    return answer.json()


def rule(code="own", **values):
    given = {"code": code, "title": code, "outcome": "block", "priority": 15, "is_shadow": False}
    return create_decision_rule(actor=None, values={**given, **values})


def condition(field, op, value, **more):
    return {"field": field, "op": op, "value": value, **more}


def counted(aggregate, kinds=("purchase",), window=3600, **more):
    return {"measure": {"aggregate": aggregate, "kinds": list(kinds), **more}, "window": window}


def test_an_event_without_a_reason_is_allowed_and_recorded(service, buyer):
    made = []
    decision_made.connect(lambda **given: made.append(given), weak=False, dispatch_uid="test")
    try:
        answer = ask(service, purchase(buyer, ip="203.0.113.7", device="d1"))
    finally:
        decision_made.disconnect(dispatch_uid="test")
    assert (answer["outcome"], answer["event"], answer["is_repeated"]) == (
        "allow",
        "recorded",
        False,
    )
    assert answer["reasons"][0] == {"code": "no_rule", "text": "No rule matched."}
    assert (answer["score"], answer["level"], answer["ruleset"]) == (0, "low", 1)
    stored = AccountEvent.objects.get(source="shop", external_id="order-1")
    assert (stored.account, stored.amount, stored.ip.value) == (buyer, 5000, "203.0.113.7")
    decision = Decision.objects.get(pk=answer["id"])
    assert decision.event_id == stored.pk
    assert made[0]["decision_id"] == decision.pk
    assert made[0]["outcome"] == "allow"


def test_the_same_event_twice_is_one_decision(service, buyer):
    first = ask(service, purchase(buyer))
    rule(conditions=[])
    again = ask(service, purchase(buyer, occurred_at="2026-03-01T13:00:00+01:00", amount="5000"))
    assert (again["id"], again["outcome"], again["is_repeated"]) == (first["id"], "allow", True)
    assert Decision.objects.count() == AccountEvent.objects.count() == 1
    answer = service.post(PATH, {"event": purchase(buyer, amount=5001)}, format="json")
    problem(answer, 409, "asked_differently")
    # Another source is another event.
    assert ask(service, purchase(buyer), source="app")["outcome"] == "block"


def test_an_event_that_came_before_is_known_and_must_be_the_same(service, buyer):
    moment = timezone.now() - timedelta(hours=1)
    values = {"occurred_at": moment, "external_id": "e", "amount": 5000, "currency": "EUR"}
    record(event(buyer, "purchase", ip="203.0.113.7", **values), source="shop")
    row = purchase(buyer, "e", occurred_at=moment.isoformat(), ip="203.0.113.7")
    other = {**row, "ip": "203.0.113.8"}
    problem(service.post(PATH, {"event": other}, format="json"), 409, "event_differs")
    assert not Decision.objects.exists()
    answer = ask(service, row)
    assert answer["event"] == "known"
    assert AccountEvent.objects.count() == 1


def test_a_wish_is_answered_and_leaves_no_event(service, buyer):
    rule(kinds=["transfer"], conditions=[condition("amount", "at_least", 100)], outcome="step_up")
    wish = {"account_external_id": "u-1", "action": "transfer", "amount": 500, "currency": "EUR"}
    first = service.post(PATH, wish, format="json").json()
    assert (first["outcome"], first["event"], first["external_id"]) == ("step_up", "none", "")
    assert not AccountEvent.objects.exists()
    second = service.post(PATH, wish, format="json").json()
    assert second["id"] != first["id"]
    named = [service.post(PATH, {**wish, "id": "w1"}, format="json").json() for _ in range(2)]
    assert named[0]["id"] == named[1]["id"]
    changed = service.post(PATH, {**wish, "id": "w1", "amount": 501}, format="json")
    problem(changed, 409, "asked_differently")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "event"),
        ({"event": []}, "event"),
        ({"event": {"kind": "purchase"}}, "event.occurred_at"),
        ({"event": {"kind": "nonsense", "account": 1}}, "event.occurred_at"),
        ({"event": {}, "account": 1}, "account"),
        ({"action": "purchase"}, "account"),
        ({"action": "purchase", "account": 2**61}, "account"),
        ({"action": "purchase", "account_external_id": "nobody"}, "account_external_id"),
        ({"action": "purchase", "account_external_id": "u-1", "amount": 5}, "currency"),
        ({"action": "purchase", "account_external_id": "u-1", "ip": "x"}, "ip"),
        ({"action": "nonsense", "account_external_id": "u-1"}, "action"),
        ({"action": "purchase", "account_external_id": "u-1", "score": 5}, "score"),
        ({"action": "purchase", "account_external_id": "u-1", "source": " \t"}, "source"),
    ],
)
def test_wrong_questions_name_the_field(service, buyer, body, field):
    problem(service.post(PATH, body, format="json"), 400, field=field)
    assert not Decision.objects.exists()


def test_wrong_events_are_refused_as_the_ordinary_door_does(service, buyer):
    future = (timezone.now() + timedelta(days=1)).isoformat()
    for wrong, field in (
        ({"occurred_at": future}, "event.occurred_at"),
        ({"account": 2**60}, "event.account"),
        ({"nonsense": 1}, "event.nonsense"),
    ):
        problem(
            service.post(PATH, {"event": purchase(buyer, **wrong)}, format="json"), 400, field=field
        )


def test_the_first_rule_that_matches_decides_and_shadows_only_tell(service, buyer):
    rule("quiet", priority=1, is_shadow=True, conditions=[condition("amount", "at_least", 1)])
    rule("second", priority=3, outcome="block")
    rule(
        "first",
        priority=2,
        outcome="step_up",
        title="Large",
        kinds=["purchase"],
        conditions=[condition("amount", "at_least", 5000), condition("currency", "is", "EUR")],
    )
    rule("off", priority=1, is_enabled=False)
    answer = ask(service, purchase(buyer))
    assert (answer["outcome"], answer["rule"]) == ("step_up", "first")
    assert answer["reasons"][0]["text"] == ("Large: amount is at least 50.00 EUR; currency is EUR")
    assert [(one["rule"], one["outcome"]) for one in answer["shadow"]] == [("quiet", "block")]
    assert ask(service, purchase(buyer, "b", amount=4999))["rule"] == "second"
    kept = Decision.objects.get(pk=answer["id"])
    DecisionRule.objects.filter(code="first").update(title="Renamed")
    assert kept.decisive["title"] == "Large"


@pytest.mark.parametrize(
    ("one", "fields", "hit"),
    [
        (condition("hour", "is", 12), {}, True),
        (condition("country", "is_not", "ES"), {}, False),
        (condition("country", "is_not", "ES"), {"country": "FR"}, True),
        (condition("source", "is", "shop"), {}, True),
        (condition("data.items", "at_least", 3), {"data": {"items": 3}}, True),
        (condition("data.items", "at_least", 3), {"data": {"items": "3"}}, False),
        (condition("data.coupon", "is", "X1"), {"data": {"coupon": "X1"}}, True),
        (condition("new", "is", "device"), {"device": "d9"}, True),
        (condition("new", "is", "device"), {"device": "d1"}, False),
        (condition("new", "is_not", "device"), {"device": "d1"}, True),
        (condition("new", "is", "country"), {"country": "ES"}, True),
        (condition("account_age", "at_most", 24), {}, False),
        (condition("level", "at_most", "low"), {}, True),
        (condition("score", "at_least", 1), {}, False),
        (condition("measure", "at_least", 3, **counted("count")), {}, True),
        (condition("measure", "at_least", 4, **counted("count")), {}, False),
        (condition("measure", "is", 11000, **counted("sum")), {}, True),
        (condition("measure", "is", 3666, **counted("mean")), {}, True),
        (condition("measure", "is", 5000, **counted("max")), {}, True),
        (condition("measure", "is", 2, **counted("distinct", field="device")), {}, True),
        (
            condition(
                "measure", "at_least", 166, **counted("habit", window=60, past=86400, least_past=2)
            ),
            {},
            True,
        ),
        (
            condition(
                "measure", "is", 333,
                **counted("share", other={"kinds": ["purchase"],
                          "where": [condition("amount", "at_least", 5000)]}),
            ),
            {},
            True,
        ),
    ],
)  # fmt: skip
def test_what_a_rule_can_ask(service, one, fields, hit):
    account = UserFactory(date_joined="2026-01-01T00:00:00Z")
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    past = [(30, "d1", 3000), (5, "d2", 3000), (61, "d3", 3000)]
    record(
        *(
            event(account, "purchase", occurred_at=now - timedelta(minutes=ago), device=device,
                  amount=amount, currency="EUR")
            for ago, device, amount in past
        )
    )  # fmt: skip
    rule(conditions=[one])
    answer = ask(service, purchase(account, **fields))
    assert (answer["rule"] == "own") is hit, answer


def test_the_moment_counts_its_own_event(service, buyer):
    rule(conditions=[condition("measure", "at_least", 3, **counted("count"))])
    found = [ask(service, purchase(buyer, f"o{n}"))["outcome"] for n in range(4)]
    assert found == ["allow", "allow", "block", "block"]
    text = ask(service, purchase(buyer, "o9"))["reasons"][0]["text"]
    assert text.endswith("is at least 3: 5")


LISTED = [
    ("account", lambda b: str(b.pk), {}),
    ("email", lambda b: "BUYER@mail.example.TEST", {}),
    ("domain", lambda b: "example.test", {}),
    ("address", lambda b: "203.0.113.0/24", {"ip": "203.0.113.77"}),
    ("address", lambda b: "::ffff:203.0.113.77", {"ip": "203.0.113.77"}),
    ("address", lambda b: "2001:DB8:1::/48", {"ip": "2001:db8:1:2::9"}),
    ("device", lambda b: " d-1 ", {"device": "d-1"}),
    ("wallet", lambda b: "0xABCD", {"wallet": "0xabcd"}),
    ("wallet", lambda b: "0xABCD", {"counterparty_wallet": "0xabcd"}),
    ("card", lambda b: "fp_1", {"data": {"card": "fp_1"}}),
    ("email", lambda b: "x@evil.test", {"data": {"email": "X@Evil.test"}}),
    ("domain", lambda b: "bücher.example", {"data": {"email": "a@xn--bcher-kva.example"}}),
]


@pytest.mark.parametrize(("kind", "value", "fields"), LISTED)
def test_lists_know_an_event_by_any_identifier(service, buyer, kind, value, fields):
    add_list_entry(actor=None, list="deny", kind=kind, value=value(buyer), reason="seen before")
    answer = ask(service, purchase(buyer, **fields))
    assert (answer["outcome"], answer["rule"]) == ("block", "deny-list")
    assert answer["reasons"][0]["text"].startswith("On the deny list: on the deny list (")
    other = UserFactory(email="else@where.test")
    assert ask(service, purchase(other, "o2"))["outcome"] == "allow"


def test_deny_goes_before_allow_and_entries_expire(service, buyer):
    soon = timezone.now() + timedelta(minutes=5)
    for name in ("deny", "allow", "watch"):
        add_list_entry(actor=None, list=name, kind="device", value="d", reason="x", expires_at=soon)
    assert ask(service, purchase(buyer, "1", device="d"))["rule"] == "deny-list"
    ListEntry.objects.filter(list="deny").update(expires_at=timezone.now())
    assert ask(service, purchase(buyer, "2", device="d"))["rule"] == "allow-list"
    ListEntry.objects.filter(list="allow").update(expires_at=timezone.now())
    answer = ask(service, purchase(buyer, "3", device="d"))
    assert (answer["outcome"], answer["rule"]) == ("review", "watch-list")
    # What has run out makes room.
    add_list_entry(actor=None, list="deny", kind="device", value="d", reason="again")


def test_the_score_and_its_reasons_come_with_the_answer(service, buyer, superuser):
    record_outcome(actor=superuser, account=buyer, verdict="confirmed_fraud")
    calculate_score(account=buyer)
    answer = ask(service, purchase(buyer))
    assert (answer["outcome"], answer["level"], answer["score"]) == ("review", "critical", 100)
    assert [one["rule"] for one in answer["shadow"]] == ["critical-score"]
    assert answer["reasons"][1]["code"] == "confirmed_fraud"
    assert answer["reasons"][1]["text"].endswith("the account was confirmed as fraud")


def test_the_stated_default_when_the_database_fails(service, buyer, monkeypatch):
    change_settings(actor=None, values={"risk.decision_default": "step_up"})

    def fail(*args):
        raise DatabaseError("away")

    with monkeypatch.context() as patch:
        patch.setattr(deciding, "matching", fail)
        answer = ask(service, purchase(buyer))
        assert (answer["outcome"], answer["is_default"]) == ("step_up", True)
        assert answer["reasons"] == [{"code": "default", "text": "There was no answer in time."}]
        assert not AccountEvent.objects.exists()
    # It was said, so it stands.
    again = ask(service, purchase(buyer))
    assert (again["id"], again["outcome"], again["is_repeated"]) == (answer["id"], "step_up", True)
    with monkeypatch.context() as patch:
        patch.setattr(deciding, "matching", fail)
        patch.setattr(deciding, "_write", fail)
        answer = ask(service, purchase(buyer, "other"))
    assert (answer["id"], answer["outcome"]) == (None, "step_up")


@pytest.mark.django_db(transaction=True)
def test_a_held_database_is_not_waited_for(service, buyer, settings):
    if connection.vendor != "postgresql":
        pytest.skip("another writer is waited for by the database's own time limit")
    change_settings(actor=None, values={"risk.decision_timeout_ms": 200})
    ask(service, purchase(buyer, "warm"))
    held, go_on = threading.Event(), threading.Event()

    def hold():
        try:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("LOCK TABLE riskops_accountfacts IN ACCESS EXCLUSIVE MODE")
                held.set()
                go_on.wait(5)
                cursor.execute("ROLLBACK")
        finally:
            connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert held.wait(5)
        started = timezone.now()
        answer = ask(service, purchase(buyer, "held"))
        spent = (timezone.now() - started).total_seconds()
    finally:
        go_on.set()
        holder.join()
    assert (answer["outcome"], answer["is_default"]) == ("review", True)
    assert answer["id"] is not None
    assert spent < 2


@pytest.mark.django_db(transaction=True)
def test_the_same_event_at_once_is_one_decision(as_user, buyer):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer")
    user = UserFactory(username="shop")
    user.user_permissions.add(Permission.objects.get(codename="make_decision"))
    patient()
    answers, start = [], threading.Barrier(4)

    def send():
        try:
            client = as_user(user)
            start.wait(5)
            answers.append(ask(client, purchase(buyer)))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(answers) == 4
    assert len({one["id"] for one in answers}) == 1
    assert [one["is_repeated"] for one in answers].count(False) == 1
    assert AccountEvent.objects.count() == Decision.objects.count() == 1


def test_the_number_of_queries_does_not_grow(service, buyer):
    calculate_score(account=buyer)
    ask(service, purchase(buyer, "warm", device="d", ip="203.0.113.7"))

    def spent(key):
        with CaptureQueriesContext(
            connection,
        ) as found:
            ask(service, purchase(buyer, key, device="d", ip="203.0.113.7"))
        return len(found)

    few = spent("one")
    for number in range(20):
        rule(f"r{number}", is_shadow=True, conditions=[
            condition("measure", "at_least", 1, **counted("count", window=60 + number)),
            condition("amount", "at_least", number),
        ])  # fmt: skip
        add_list_entry(actor=None, list="watch", kind="device", value=f"d{number}", reason="x")
    assert spent("two") == few
    assert few <= 18, few


def test_what_became_of_a_decision(service, buyer, analyst, as_user, member):
    made = ask(service, purchase(buyer))
    path = f"{PATH}/{made['id']}/feedback"
    answer = service.post(path, {"feedback": "fraud", "note": "card stolen"}, format="json")
    assert answer.status_code == 200, answer.content
    assert answer.json()["feedback"] == "fraud"
    entry = AuditEntry.objects.filter(action="riskops.decision_feedback.recorded").latest("pk")
    assert entry.reason == "card stolen"
    problem(service.post(path, {"feedback": "fine"}, format="json"), 400, field="feedback")
    early = {"feedback": "fraud", "known_at": "2020-01-01T00:00:00Z"}
    problem(service.post(path, early, format="json"), 400, field="known_at")
    assert analyst.post(path, {"feedback": "legitimate"}, format="json").status_code == 200
    assert as_user(member).post(path, {"feedback": "fraud"}, format="json").status_code == 403


def test_the_stream_is_paged_by_cursor_with_constant_queries(service, analyst, buyer):
    for number in range(12):
        ask(service, purchase(buyer, f"o{number}"))
    page = analyst.get("/api/admin/risk/decisions?page_size=5").json()
    assert "count" not in page
    assert len(page["results"]) == 5
    ids = [one["id"] for one in page["results"]]
    rest = analyst.get(page["next"]).json()
    assert ids[-1] > rest["results"][0]["id"]
    found = analyst.get(f"/api/admin/risk/decisions?outcome=allow&user={buyer.pk}&kind=purchase")
    assert len(found.json()["results"]) == 12
    assert_constant_queries(
        lambda: analyst.get("/api/admin/risk/decisions"),
        lambda: [ask(service, purchase(UserFactory(), f"p{number}")) for number in range(5)],
    )
    problem(analyst.get("/api/admin/risk/decisions?outcom=allow"), 400)


class TestRules:
    PATH = "/api/admin/risk/decision-rules"

    def body(self, **values):
        return {"code": "big", "title": "Big", "outcome": "review", "priority": 200, **values}

    def test_are_written_changed_and_read_in_words(self, analyst):
        asked = [condition("measure", "at_least", 5, **counted("count"))]
        made = analyst.post(self.PATH, self.body(conditions=asked), format="json")
        assert made.status_code == 201, made.content
        assert made.json()["is_shadow"] is True
        assert made.json()["texts"] == ["number of events (Purchase, in 1 hour) is at least 5"]
        path = f"{self.PATH}/{made.json()['id']}"
        changed = analyst.patch(path, {"is_shadow": False}, format="json")
        assert changed.json()["is_shadow"] is False
        assert changed["ETag"] == '"2"'
        assert analyst.delete(path).status_code == 204

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ([1], "conditions.0"),
            ([condition("nonsense", "is", 1)], "conditions.0.field"),
            ([condition("amount", "like", 1)], "conditions.0.op"),
            ([condition("amount", "is", "x")], "conditions.0.value"),
            ([condition("amount", "is", True)], "conditions.0.value"),
            ([condition("amount", "is", 10**16)], "conditions.0.value"),
            ([condition("country", "at_least", "ES")], "conditions.0.op"),
            ([condition("list", "is", "grey")], "conditions.0.value"),
            ([condition("list", "at_least", "deny")], "conditions.0.op"),
            ([condition("level", "is", 3)], "conditions.0.value"),
            ([condition("new", "is", "amount")], "conditions.0.value"),
            ([condition("data.x y", "is", 1)], "conditions.0.field"),
            ([condition("amount", "is", 1, window=60)], "conditions.0.window"),
            ([condition("measure", "is", 1, **counted("between"))], "conditions.0.measure.other"),
            ([condition("measure", "is", 1, **counted("since_last"))],
             "conditions.0.measure.aggregate"),
            ([condition("measure", "is", 1, **counted("count", window=10**8))],
             "conditions.0.window"),
            ([condition("amount", "is", 1)] * 9, "conditions"),
            ([condition("measure", "is", 1, **counted("count"))] * 4, "conditions"),
        ],
    )  # fmt: skip
    def test_faults_name_their_place(self, analyst, wrong, field):
        answer = analyst.post(self.PATH, self.body(conditions=wrong), format="json")
        problem(answer, 400, field=field)

    def test_one_that_decided_is_kept(self, analyst, service, buyer):
        own = rule()
        ask(service, purchase(buyer))
        answer = analyst.delete(f"{self.PATH}/{own.pk}")
        problem(answer, 409, "decision_rule_in_use")


class TestLists:
    PATH = "/api/admin/risk/list-entries"

    def entry(self, **values):
        return {"list": "deny", "kind": "device", "value": "d", "reason": "seen", **values}

    def test_entries_are_added_once_and_removed(self, analyst):
        made = analyst.post(self.PATH, self.entry(), format="json")
        assert made.status_code == 201, made.content
        problem(analyst.post(self.PATH, self.entry(value=" d"), format="json"), 400)
        assert analyst.delete(f"{self.PATH}/{made.json()['id']}").status_code == 204
        assert not ListEntry.objects.exists()

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"kind": "account", "value": "x"}, "value"),
            ({"kind": "account", "value": "99999999"}, "value"),
            ({"kind": "email", "value": "nobody"}, "value"),
            ({"kind": "domain", "value": "a b"}, "value"),
            ({"kind": "address", "value": "10.0.0.0/4"}, "value"),
            ({"kind": "address", "value": "fe80::1%eth0"}, "value"),
            ({"kind": "device", "value": "x" * 129}, "value"),
            ({"reason": " "}, "reason"),
            ({"list": "grey"}, "list"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ],
    )
    def test_wrong_entries_name_the_field(self, analyst, wrong, field):
        problem(analyst.post(self.PATH, self.entry(**wrong), format="json"), 400, field=field)

    def test_nobody_lists_their_own_account(self, staff, as_user):
        person = staff("risk_analyst")
        body = self.entry(list="allow", kind="account", value=str(person.pk))
        problem(as_user(person).post(self.PATH, body, format="json"), 403)

    def test_values_are_masked_for_who_may_not_see_them(self, analyst, as_user):
        add_list_entry(
            actor=None, list="deny", kind="email", value="ana@mail.test", reason="ana@mail.test"
        )
        shown = analyst.get(self.PATH).json()["results"][0]
        assert (shown["value"], shown["reason"]) == ("ana@mail.test", "ana@mail.test")
        other = StaffFactory()
        other.user_permissions.add(Permission.objects.get(codename="view_listentry"))
        hidden = as_user(other).get(self.PATH).json()["results"][0]
        assert (hidden["value"], hidden["reason"]) == ("a***@mail.test", "a***@mail.test")


@pytest.mark.parametrize(
    "number", ["4242 4242 4242 4242", "4242-4242-4242-4242", "378282246310005"]
)
def test_a_card_number_is_kept_nowhere(number, as_user, member, superuser):
    service = as_user(superuser)
    with pytest.raises(InvalidInput, match="A card number is not kept"):
        add_list_entry(actor=superuser, list="deny", kind="card", value=number, reason="stolen")
    told = {
        "kind": "purchase",
        "account": member.pk,
        "occurred_at": timezone.now().isoformat(),
        "external_id": "x-1",
        "data": {"card": number},
    }
    (result,) = service.post("/api/events", {"events": [told]}).json()["results"]
    assert (result["status"], result["field"], result["code"]) == (
        "refused",
        "data.card",
        "card_number",
    )


def test_what_only_looks_like_a_card_number_is_a_fingerprint():
    assert not any(
        is_card_number(text) for text in ("4242424242424241", "fp_4242424242424242", "1234", "")
    )


def test_a_list_says_which_entry_it_was(service, member, superuser, admin_client_for, staff):
    entry = add_list_entry(
        actor=superuser, list="deny", kind="email", value="x@evil.test", reason="stolen"
    )
    answer = ask(service, purchase(member, "listed", data={"email": "X@evil.test"}))
    assert answer["outcome"] == "block"
    assert answer["reasons"][0]["text"].endswith(f"on the deny list (E-mail address #{entry.pk})")
    page = admin_client_for(staff("risk_analyst")).get(
        reverse("admin:riskops_decision_change", args=[answer["id"]])
    )
    assert "x@evil.test" in page.content.decode().lower()
