"""The risk endpoints: shapes, refusals, paging and the number of queries."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from riskops.models import AccountEvent, RiskRuleset, RiskScore, RiskScoreHistory
from riskops.scores.calculate import calculate_score
from riskops.scores.recompute import recompute_touched
from riskops.scores.rulesets import current_ruleset
from riskops.tests.factories import event, record
from systemadmin.foundation.testing import assert_constant_queries, problem
from systemadmin.models import AuditEntry
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def analyst(staff, as_user):
    return as_user(staff("risk_analyst"))


@pytest.fixture
def service(as_user):
    """An outside system that may send events and nothing else."""
    user = UserFactory(username="shop")
    user.user_permissions.add(Permission.objects.get(codename="ingest_events"))
    return as_user(user)


def fail_logins(account, number):
    moment = timezone.now() - timedelta(minutes=5)
    record(*(event(account, "login_failed", occurred_at=moment) for _ in range(number)))


def row(owner, **fields):
    return {
        "kind": "login_ok",
        "account": owner.pk,
        "occurred_at": timezone.now().isoformat(),
        "external_id": "a",
        **fields,
    }


class TestEvents:
    def send(self, client, *rows, **body):
        return client.post("/api/events", {"events": list(rows), **body}, format="json")

    def test_each_row_is_answered(self, service, member):
        member.external_id = "ext-1"
        member.save()
        by_external_id = row(member, external_id="b", account_external_id="ext-1")
        del by_external_id["account"]
        rows = [
            row(member),
            by_external_id,
            row(member),
            row(member, external_id="c", kind="dance"),
            row(member, external_id="d", colour="red"),
            "not a row",
            row(member, external_id="e", account=10**17),
            row(member, external_id=5),
            row(member, external_id="f", account=True),
            {"kind": "login_ok"},
        ]
        answer = self.send(service, *rows)
        assert answer.status_code == 200
        body = answer.json()
        assert (body["recorded"], body["duplicates"], body["refused"]) == (2, 1, 7)
        assert [(r["status"], r.get("code")) for r in body["results"]] == [
            ("recorded", None),
            ("recorded", None),
            ("duplicate", None),
            ("refused", "unknown_kind"),
            ("refused", "unknown_field"),
            ("refused", "not_an_object"),
            ("refused", "unknown_account"),
            ("refused", "not_text"),
            ("refused", "unknown_account"),
            ("refused", "missing"),
        ]
        assert set(AccountEvent.objects.values_list("source", flat=True)) == {"shop"}

    def test_a_batch_sent_twice_changes_nothing(self, service, member):
        first = row(member)
        self.send(service, first, source="forum")
        again = self.send(service, first, source="forum").json()
        assert (again["recorded"], again["duplicates"]) == (0, 1)
        assert AccountEvent.objects.count() == 1

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"events": []}, "events"),
            ({"events": [{}] * 1001}, "events"),
            ({"events": {}}, "events"),
            ({"events": [{}], "source": "x" * 33}, "source"),
            ({"events": [{}], "other": 1}, "other"),
            ({}, "events"),
        ],
    )
    def test_a_malformed_batch_is_a_problem(self, service, body, field):
        errors = problem(service.post("/api/events", body, format="json"), 400)["errors"]
        assert errors[0]["field"].split(".")[0] == field

    def test_only_with_the_permission(self, as_user, member, analyst):
        assert self.send(as_user(member), row(member)).status_code == 403
        assert self.send(analyst, row(member)).status_code == 403

    def test_the_number_of_queries_does_not_grow(self, service, member):
        size, numbers = [1], iter(range(1000))

        def call():
            rows = [row(member, external_id=f"q{next(numbers)}") for _ in range(size[0])]
            return self.send(service, *rows)

        assert_constant_queries(call, lambda: size.__setitem__(0, 50))


class TestScore:
    def test_a_score_with_its_breakdown(self, analyst, member):
        fail_logins(member, 3)
        calculate_score(account=member)
        body = analyst.get(f"/api/admin/users/{member.pk}/risk-score").json()
        assert set(body) == {
            "user",
            "score",
            "computed",
            "raw",
            "level",
            "ruleset",
            "breakdown",
            "override",
            "hold_until",
            "calculated_at",
        }
        assert (body["user"], body["score"], body["level"]) == (member.pk, 15, "low")
        assert body["ruleset"] == 1
        line = body["breakdown"][0]
        assert (line["factor"], line["points"], line["without"]) == ("failed_logins", 15, 0)
        assert line["evidence"]["counted"] == 3
        assert "3 failed logins" in line["evidence"]["text"]
        assert sum(entry["points"] for entry in body["breakdown"]) == body["raw"]

    def test_looking_writes_nothing(self, analyst, member):
        fail_logins(member, 3)
        body = analyst.get(f"/api/admin/users/{member.pk}/risk-score").json()
        assert body["score"] == 15
        assert not RiskScore.objects.exists()

    def test_calculate(self, analyst, member):
        fail_logins(member, 3)
        answer = analyst.post(f"/api/admin/users/{member.pk}/risk-score/calculate")
        assert answer.json()["score"] == 15
        change = RiskScoreHistory.objects.get()
        assert (change.cause, change.actor) == ("manual", analyst.user)
        assert AuditEntry.objects.filter(action="riskops.score.calculated").exists()

    def test_override_and_back(self, analyst, member):
        path = f"/api/admin/users/{member.pk}/risk-score/override"
        end = (timezone.now() + timedelta(days=3)).isoformat()
        body = {"score": 85, "reason": "Chargebacks", "expires_at": end}
        answer = analyst.post(path, body, format="json").json()
        assert (answer["score"], answer["computed"], answer["level"]) == (85, 0, "critical")
        assert answer["override"]["reason"] == "Chargebacks"
        assert answer["override"]["created_by"] == analyst.user.username
        answer = analyst.delete(path).json()
        assert (answer["score"], answer["override"]) == (0, None) or answer["hold_until"] is None
        problem(analyst.delete(path), 409, "no_override_in_force")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"score": 101, "reason": "x"}, "score"),
            ({"score": 50}, "reason"),
            ({"score": 50, "reason": ""}, "reason"),
            ({"score": 50, "reason": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
            ({"score": 50, "reason": "x", "colour": "red"}, "colour"),
        ],
    )
    def test_an_override_that_makes_no_sense(self, analyst, member, body, field):
        path = f"/api/admin/users/{member.pk}/risk-score/override"
        problem(analyst.post(path, body, format="json"), 400, field=field)

    def test_outcome(self, analyst, member):
        path = f"/api/admin/users/{member.pk}/risk-score/outcome"
        body = {"verdict": "confirmed_fraud", "note": "Stolen card"}
        assert analyst.post(path, body, format="json").status_code == 200
        assert member.risk_outcomes.get().actor == analyst.user
        problem(analyst.post(path, {"verdict": "hm"}, format="json"), 400, field="verdict")

    def test_history_newest_first_by_cursor(self, analyst, member):
        for number in range(1, 4):
            fail_logins(member, 1)
            assert calculate_score(account=member).score == 5 * number
        path = f"/api/admin/users/{member.pk}/risk-score/history"
        first = analyst.get(path, {"page_size": 2}).json()
        assert [entry["score"] for entry in first["results"]] == [15, 10]
        assert first["results"][0]["previous_score"] == 10
        second = analyst.get(first["next"]).json()
        assert [entry["score"] for entry in second["results"]] == [5]
        problem(analyst.get(path, {"colour": "red"}), 400, field="colour")

    @pytest.mark.parametrize("part", ["", "/history", "/calculate", "/override"])
    def test_nobody_is_not_found(self, analyst, part):
        call = analyst.get if part in ("", "/history") else analyst.post
        body = {"score": 1, "reason": "x"} if part == "/override" else None
        kwargs = {"format": "json"} if body else {}
        problem(call(f"/api/admin/users/999999/risk-score{part}", body, **kwargs), 404)

    def test_history_costs_the_same_however_long(self, analyst, member):
        def grow():
            fail_logins(member, 1)
            calculate_score(account=member)

        grow()
        path = f"/api/admin/users/{member.pk}/risk-score/history"

        def grow_more():
            for _ in range(3):
                grow()

        assert_constant_queries(lambda: analyst.get(path), grow_more)


class TestRulesets:
    PATH = "/api/admin/risk/rulesets"

    def test_draft_change_publish(self, analyst, member):
        fail_logins(member, 2)
        recompute_touched()
        body = {"definition": {"factors": [{"code": "failed_logins", "points": 7}]}, "note": "x"}
        draft = analyst.post(self.PATH, body, format="json")
        assert draft.status_code == 201
        path = f"{self.PATH}/{draft.json()['id']}"
        assert draft.json()["number"] is None
        body["definition"]["factors"][0]["points"] = 8
        assert analyst.put(path, body, format="json").json()["note"] == "x"
        published = analyst.post(f"{path}/publish", {"note": "Try"}, format="json").json()
        assert published["number"] == 2
        assert analyst.get(f"{self.PATH}/current").json()["id"] == published["id"]
        problem(analyst.put(path, body, format="json"), 409, "ruleset_already_published")
        problem(analyst.delete(path), 409, "ruleset_already_published")
        problem(analyst.post(f"{path}/publish"), 409, "ruleset_already_published")
        assert AuditEntry.objects.filter(action="riskops.ruleset.published").count() == 1

    def test_publishing_scores_everyone_anew(self, analyst, member):
        from systemadmin.foundation.queue import drain

        fail_logins(member, 2)
        recompute_touched()
        body = {"definition": {"factors": [{"code": "failed_logins", "points": 8}]}}
        draft = analyst.post(self.PATH, body, format="json").json()
        analyst.post(f"{self.PATH}/{draft['id']}/publish")
        drain()
        assert RiskScore.objects.get(pk=member.pk).score == 16
        assert RiskScoreHistory.objects.filter(account=member).latest("pk").cause == "ruleset"

    def test_every_fault_of_a_definition_is_named(self, analyst):
        definition = {
            "factors": [
                {"code": "sorcery"},
                {"code": "many_ips", "points": 500, "window": 1},
                {"code": "automation", "per": 0},
            ],
            "level_bounds": [50, 40, 60, 80],
            "family_caps": {"magic": 1},
            "actions": {"high": ["shout"]},
            "high_risk_countries": ["Spain"],
            "colour": "red",
        }
        body = problem(analyst.post(self.PATH, {"definition": definition}, format="json"), 400)
        assert {error["field"] for error in body["errors"]} == {
            "definition.factors.0",
            "definition.factors.1.points",
            "definition.factors.1.window",
            "definition.factors.2.per",
            "definition.level_bounds",
            "definition.family_caps.magic",
            "definition.actions.high",
            "definition.high_risk_countries",
            "definition.colour",
        }
        assert not RiskRuleset.objects.drafts().exists()

    def test_list_and_discard(self, analyst):
        current_ruleset()
        draft = analyst.post(self.PATH, {"definition": {}}, format="json").json()
        assert analyst.get(self.PATH).json()["count"] == 2
        assert analyst.get(self.PATH, {"published": "true"}).json()["count"] == 1
        assert analyst.delete(f"{self.PATH}/{draft['id']}").status_code == 204
        assert analyst.get(self.PATH).json()["count"] == 1


class TestAccounts:
    PATH = "/api/admin/users"

    @pytest.fixture
    def people(self, analyst):
        people = [UserFactory(username=f"p{i}", country="PT") for i in range(5)]
        for number, person in enumerate(people):
            fail_logins(person, number)
        RiskScore.objects.all().delete()
        for person in people:
            calculate_score(account=person)
        return people

    def names(self, answer):
        assert answer.status_code == 200, answer.json()
        return [entry["username"] for entry in answer.json()["results"]]

    def test_riskiest_first_page_by_page(self, analyst, people):
        params = {"ordering": "-risk_score", "page_size": 2, "country": "PT"}
        first = analyst.get(self.PATH, params)
        assert self.names(first) == ["p4", "p3"]
        assert [entry["risk_score"] for entry in first.json()["results"]] == [20, 15]
        second = analyst.get(first.json()["next"])
        assert self.names(second) == ["p2", "p1"]
        third = analyst.get(second.json()["next"])
        assert self.names(third) == ["p0"]
        assert third.json()["next"] is None
        assert self.names(analyst.get(third.json()["previous"])) == ["p2", "p1"]

    def test_filters(self, analyst, people):
        analyst.post(f"{self.PATH}/{people[0].pk}/suspend", {"reason": "x"}, format="json")
        analyst.post(f"{self.PATH}/{people[1].pk}/verify")
        ask = lambda **params: self.names(analyst.get(self.PATH, params))  # noqa: E731
        assert ask(search="p3") == ["p3"]
        assert ask(suspended="true") == ["p0"]
        assert "p0" not in ask(suspended="false")
        assert ask(verified="true") == ["p1"]
        assert set(ask(risk_level="low")) == {f"p{i}" for i in range(5)}
        assert ask(risk_level="critical") == []
        assert analyst.user.username in ask(is_staff="true")
        assert ask(country="PT", risk_level="low", ordering="risk_score")[0] == "p0"

    @pytest.mark.parametrize(
        "params",
        [{"risk_level": "huge"}, {"ordering": "password"}, {"cursor": "x"}, {"colour": "red"}],
    )
    def test_bad_parameters(self, analyst, params):
        problem(analyst.get(self.PATH, params), 400)

    def test_suspend_and_reinstate(self, analyst, member):
        path = f"{self.PATH}/{member.pk}"
        problem(analyst.post(f"{path}/suspend", {}, format="json"), 400, field="reason")
        body = analyst.post(f"{path}/suspend", {"reason": "Spam"}, format="json").json()
        assert body["suspension_reason"] == "Spam"
        assert analyst.post(f"{path}/suspend", {"reason": "x"}, format="json").status_code == 409
        assert analyst.post(f"{path}/reinstate").json()["suspended_at"] is None

    def test_mail_addresses_are_personal(self, staff, as_user, analyst, member):
        agent = as_user(staff("support_agent"))
        assert agent.get(f"{self.PATH}/{member.pk}").json()["email"] == "m***@example.test"
        assert analyst.get(f"{self.PATH}/{member.pk}").json()["email"] == member.email

    @pytest.mark.parametrize("ordering", ["-risk_score", "-date_joined"])
    def test_the_list_costs_the_same_for_one_and_for_ten(self, analyst, member, ordering):
        calculate_score(account=member)

        def grow():
            for _ in range(9):
                calculate_score(account=UserFactory())

        assert_constant_queries(lambda: analyst.get(self.PATH, {"ordering": ordering}), grow)
