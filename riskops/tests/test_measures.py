"""Factors that staff write: counted as a plain loop would, and the same on every path."""

import random
from datetime import timedelta

import numpy as np
import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from riskops.account_sets import Accounts
from riskops.models import EventKind, RiskRuleset, RiskScore, RiskScoreHistory
from riskops.models.events import KIND_BY_CODE, RARE_KINDS
from riskops.models.scores import Cause
from riskops.scores.aggregates import MeasuredEvents, aggregate
from riskops.scores.calculate import calculate_score
from riskops.scores.explanation import explain
from riskops.scores.factors import Factor
from riskops.scores.measure_spec import (
    AGGREGATES,
    DISTINCT_FIELDS,
    WITH_FIELD,
    WITH_OWN_PAST,
    WITH_PAST,
    Chosen,
    Measure,
)
from riskops.scores.recompute import recompute_touched, start_run, work_on
from riskops.scores.replay import fresh_scores
from riskops.scores.rules import InvalidRuleset, Ruleset
from riskops.scores.rulesets import current_ruleset, draft_ruleset, publish_ruleset
from riskops.scores.scoring import FOREVER, SECOND
from riskops.services import EventInput, record_events
from riskops.tests.factories import NOW, event, record
from riskops.tests.histories import history
from riskops.tests.test_one_definition import EVERYONE, isolated, scores
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import problem
from systemadmin.models import AuditEntry
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

HOUR, DAY = 3600, 86_400
BIG_SPENDER = {
    "code": "big_spender",
    "title": "Spends far more than usual",
    "family": "trading",
    "points": 0,
    "mode": "steps",
    "steps": [[300, 15], [1000, 30]],
    "window": DAY,
    "measure": {"aggregate": "habit", "kinds": ["purchase"], "past": 30 * DAY},
}


def factor_of(how, *, window=1000, past=0, least=5, **fields):
    kinds = Chosen(("purchase",))
    other = kinds if how in ("share", "between") else None
    measure = Measure(how, kinds, other=other, past=past, least_past=least)
    return Factor("own", "trading", 10, window=window, measure=measure, **fields)


def plain(how, events, at, window, past, least):
    """What a measure counts for one account, by a loop."""
    inside = [e for e in events if at - window < e[0] <= at]
    chosen = [e for e in inside if e[2]]
    amounts = [e[1] for e in chosen]
    if how == "habit":
        before = [e[1] for e in events if e[2] and at - window - past < e[0] <= at - window]
        if not chosen or len(before) < least or sum(before) <= 0:
            return 0
        return max([0, *amounts]) * 100 // max(sum(before) // len(before), 1)
    if how == "unusual":
        before = [e[1] for e in events if e[2] and at - window - past < e[0] <= at - window]
        if len(before) < least:
            return 0
        others = [sum(one != value for one in before) for value in amounts]
        return max(others, default=0) * 1000 // len(before)
    if how == "between":
        first = min((e[0] for e in chosen), default=None)
        after = [e[0] for e in inside if e[3] and first is not None and e[0] >= first]
        return min(after) - first + 1 if after else 0
    if not chosen:
        return 0
    return {
        "count": lambda: len(chosen),
        "distinct": lambda: len(set(amounts)),
        "sum": lambda: max(sum(amounts), 0),
        "max": lambda: max(0, *amounts),
        "counterparty": lambda: max(0, *amounts),
        "mean": lambda: max(sum(amounts), 0) // len(amounts),
        "share": lambda: 1000 * sum(e[3] for e in chosen) // len(chosen),
        "since_last": lambda: (at - max(e[0] for e in chosen)) // HOUR + 1,
        "since_first": lambda: (at - min(e[0] for e in chosen)) // HOUR + 1,
    }[how]()


EVENTS = st.lists(
    st.tuples(st.integers(0, 40_000), st.integers(-50, 5_000), st.booleans(), st.booleans()),
    max_size=12,
)


def count(how, accounts, at, window, past, factor=None):
    rows = [(row, *e) for row, events in enumerate(accounts) for e in events]
    table = np.array(rows, dtype=np.int64).reshape(-1, 5)
    found = MeasuredEvents(
        table[:, 0], table[:, 1] * SECOND, table[:, 2], table[:, 3] == 1, table[:, 4] == 1
    )
    factor = factor or factor_of(how, window=window, past=past)
    return aggregate(factor, factor.measure, found, len(accounts), at * SECOND)


@given(
    st.sampled_from(sorted(AGGREGATES)),
    st.lists(EVENTS, min_size=1, max_size=4),
    st.integers(0, 40_000),
    st.integers(60, 30_000),
    st.integers(60, 30_000),
    st.integers(1, 6),
)
@settings(max_examples=300)
def test_a_measure_counts_what_a_plain_loop_counts(how, accounts, at, window, past, least):
    factor = factor_of(how, window=window, past=past, least=least)
    found = count(how, accounts, at, window, past, factor)
    assert found.count.tolist() == [plain(how, e, at, window, past, least) for e in accounts]


@given(
    st.sampled_from(sorted(AGGREGATES)),
    EVENTS,
    st.integers(0, 40_000),
    st.integers(60, 30_000),
    st.integers(60, 30_000),
    st.integers(1, 20_000),
    st.integers(1, 4),
)
@settings(max_examples=300)
def test_nothing_gives_other_points_before_the_moment_that_is_told(
    how, events, at, window, past, later, least
):
    """Without a new event the points stay until `changes_at`."""
    factor = factor_of(how, window=window, past=past, least=least, over=2)
    events = [e for e in events if e[0] <= at]
    now = count(how, [events], at, window, past, factor)
    then = count(how, [events], at + later, window, past, factor)
    if now.changes_at[0] == FOREVER or (at + later) * SECOND < now.changes_at[0]:
        assert (now.count[0] > 2) == (then.count[0] > 2)


# -- every path counts the same ----------------------------------------------------------


def random_factor(rng, number):
    how = rng.choice(sorted(AGGREGATES))
    measure = {"aggregate": how, **random_choice(rng)}
    if how in ("share", "between"):
        measure["other"] = random_choice(rng)
        if not set(measure["other"]["kinds"]) & set(measure["kinds"]):
            measure["other"]["kinds"].append(rng.choice(measure["kinds"]))
    if how in WITH_FIELD:
        measure["field"] = rng.choice(sorted(DISTINCT_FIELDS))
    if how in WITH_PAST:
        measure["past"] = rng.randrange(1, 32) * DAY
    if how in WITH_OWN_PAST:
        measure["least_past"] = rng.choice((1, 2, 5))
    return {
        "code": f"own_{number}",
        "title": f"Own {number}",
        "family": rng.choice(["velocity", "trading"]),
        "points": rng.randrange(-20, 40),
        "mode": rng.choice(["flat", "each", "steps"]),
        "per": rng.choice([1, 3, 50]),
        "over": rng.choice([0, 0, 2]),
        "cap": rng.choice([None, 15]),
        "steps": [[1, 3], [5, 9], [200, 12]],
        "window": rng.choice([HOUR, DAY, 7 * DAY, 31 * DAY]),
        "measure": measure,
    }


def random_choice(rng):
    conditions = [
        {"field": "amount", "op": "at_least", "value": 300_000},
        {"field": "country", "op": "is", "value": "ES"},
        {"field": "hour", "op": "at_most", "value": 11},
        {"field": "data.channel", "op": "is", "value": "app"},
        {"field": "data.items", "op": "at_least", "value": 3},
        {"field": "data.channel", "op": "is_not", "value": "web"},
        {"field": "source", "op": "is_not", "value": "shop"},
    ]
    return {
        "kinds": rng.sample(sorted(KIND_BY_CODE), rng.randrange(1, 8)),
        "where": rng.sample(conditions, rng.choice([0, 0, 1, 2])),
    }


def world(rng):
    accounts = [UserFactory(date_joined=NOW) for _ in range(rng.randrange(2, 6))]
    events = history(rng, accounts, rng.randrange(20, 120))
    for one in events:
        if rng.random() < 0.4:
            channel = rng.choice(["app", "web", 5, None])
            one.data = {"channel": channel, "items": rng.choice([1, 3, "3", 7.5])}
    definition = {"cool_down": 0, "factors": [random_factor(rng, n) for n in range(6)]}
    publish_ruleset(actor=None, ruleset=draft_ruleset(actor=None, definition=definition))
    for start in range(0, len(events), 30):
        assert not record_events(events[start : start + 30], source="test").refused
    return accounts


@isolated
def test_single_bulk_touched_and_as_of_count_the_same(rng):
    accounts = world(rng)
    for account in accounts:
        calculate_score(account=account, at=NOW)
    single = scores()
    RiskScoreHistory.objects.all().delete()
    RiskScore.objects.all().delete()
    recompute_touched(at=NOW)
    touched = scores()
    work_on(start_run(cause=Cause.SCHEDULE, at=NOW, chunk_size=rng.randrange(1, 5)))
    assert scores() == single
    ids = {row["account_id"] for row in touched}
    assert [row for row in single if row["account_id"] in ids] == touched
    rules = current_ruleset().rules
    facts = fresh_scores(EVERYONE, rules, at=NOW)
    log = fresh_scores(EVERYONE, rules, at=NOW, from_log=True)
    known = np.isin(facts.account, log.account)
    assert (facts.points.full[known] == log.points.full).all()
    for score in RiskScore.objects.all():
        assert sum(line[1] for line in score.breakdown) == score.raw
        for reason in explain(score.breakdown, score.ruleset.rules):
            off = rules.with_factor(reason.factor, enabled=False)
            alone = fresh_scores(Accounts.listed([score.pk]), off, at=NOW)
            assert reason.without == int(alone.points.score[0])


def test_the_run_over_touched_ones_finds_what_time_alone_changes(member):
    rng = random.Random(5)
    world(rng)
    recompute_touched(at=NOW)
    for hours in (1, 20, 24 * 8, 24 * 40):
        at = NOW + timedelta(hours=hours)
        recompute_touched(at=at)
        touched = dict(RiskScore.objects.values_list("pk", "raw"))
        rules = current_ruleset().rules
        fresh = fresh_scores(EVERYONE, rules, at=at)
        raw = dict(zip(fresh.account.tolist(), fresh.points.raw.tolist(), strict=True))
        assert touched == {pk: raw[pk] for pk in touched}


# -- refused when saved ------------------------------------------------------------------


def faults(**changes):
    factor = {**BIG_SPENDER, **changes}
    with pytest.raises(InvalidRuleset) as refused:
        Ruleset.from_dict({"factors": [factor]})
    return {name.removeprefix("factors.0."): text for name, text in refused.value.errors.items()}


def measure(**changes):
    return {"measure": {**BIG_SPENDER["measure"], **changes}}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"code": "Big-Spender"}, "code"),
        ({"title": ""}, "title"),
        ({"title": "a\x00b"}, "title"),
        ({"family": "none"}, "family"),
        ({"window": 32 * DAY}, "window"),
        ({"window": None}, "window"),
        ({"steps": [[5, 1], [3, 2]]}, "steps"),
        ({"measure": 5}, "measure"),
        (measure(aggregate="median"), "measure.aggregate"),
        (measure(kinds=[]), "measure.kinds"),
        (measure(kinds=["teleport"]), "measure.kinds"),
        (measure(past=0), "measure.past"),
        (measure(past=400 * DAY), "measure.past"),
        (measure(least_past=0), "measure.least_past"),
        (measure(least_past="5"), "measure.least_past"),
        (measure(least_past=1001), "measure.least_past"),
        (measure(aggregate="sum", past=0, least_past=3), "measure.least_past"),
        (measure(extra=1), "measure.extra"),
        (measure(other={"kinds": ["refund"]}), "measure.other"),
        (measure(aggregate="share", past=0), "measure.other"),
        (measure(aggregate="distinct", past=0), "measure.field"),
        (measure(aggregate="distinct", past=0, field="data.x"), "measure.field"),
        (measure(where=[{"field": "amount"}]), "measure.where.0"),
        (measure(where=[{"field": "x'y", "op": "is", "value": 1}]), "measure.where.0.field"),
        (measure(where=[{"field": "data.a'b", "op": "is", "value": 1}]), "measure.where.0.field"),
        (measure(where=[{"field": "amount", "op": "like", "value": 1}]), "measure.where.0.op"),
        (measure(where=[{"field": "amount", "op": "is", "value": "1"}]), "measure.where.0.value"),
        (measure(where=[{"field": "country", "op": "at_most", "value": 1}]), "measure.where.0.op"),
        (measure(where=[{"field": "data.a", "op": "is", "value": True}]), "measure.where.0.value"),
    ],
)
def test_what_cannot_be_computed_is_refused_with_the_field(changes, field):
    assert field in faults(**changes)


def test_rare_kinds_may_look_back_a_year_and_a_dozen_factors_may_be_on():
    rare = {"measure": {"aggregate": "count", "kinds": [kind.code for kind in RARE_KINDS]}}
    year = {**BIG_SPENDER, **rare, "window": 366 * DAY}
    assert Ruleset.from_dict({"factors": [year]}).factor("big_spender").window == 366 * DAY
    many = [{**BIG_SPENDER, "code": f"own_{n}"} for n in range(13)]
    assert len(Ruleset.from_dict({"factors": many[:12]}).factors) == len(Ruleset().factors) + 12
    with pytest.raises(InvalidRuleset, match="At most 12"):
        Ruleset.from_dict({"factors": many})
    off = {**many[12], "enabled": False}
    assert Ruleset.from_dict({"factors": [*many[:12], off]})


def test_a_factor_of_staff_survives_the_json_form():
    rules = Ruleset.from_dict({"factors": [BIG_SPENDER]})
    assert Ruleset.from_dict(rules.to_dict()) == rules


# -- from the front doors ----------------------------------------------------------------


@pytest.fixture
def spender():
    account = UserFactory()
    purchase = {"amount": 1000, "currency": "EUR"}
    record(*(event(account, "purchase", ago=timedelta(days=d), **purchase) for d in range(2, 20)))
    record(event(account, "purchase", amount=11_000, currency="EUR"))
    return account


def test_the_api_takes_a_factor_and_the_score_tells_its_evidence(spender, staff, as_user):
    client = as_user(staff("risk_analyst"))
    body = {"definition": {"factors": [BIG_SPENDER]}}
    draft = client.post("/api/admin/risk/rulesets", body)
    assert draft.status_code == 201
    saved = {row["code"]: row for row in draft.json()["definition"]["factors"]}
    assert saved["big_spender"]["measure"]["aggregate"] == "habit"
    bad = {"factors": [{**BIG_SPENDER, "window": 400 * DAY}]}
    answer = client.post("/api/admin/risk/rulesets", {"definition": bad})
    problem(answer, 400, field="definition.factors.0.window")
    publish_ruleset(actor=None, ruleset=RiskRuleset.objects.get(pk=draft.json()["id"]))
    score = calculate_score(account=spender, at=NOW)
    reasons = {one.factor: one for one in explain(score.breakdown, score.ruleset.rules)}
    reason = reasons["big_spender"]
    assert (reason.factor, reason.points, reason.counted) == ("big_spender", 30, 1100)
    assert reason.title == "Spends far more than usual"
    assert "1100" in reason.text
    assert "Purchase" in reason.text


def test_staff_write_a_factor_in_a_form(spender, staff, admin_client_for):
    analyst = staff("risk_analyst")
    browser = admin_client_for(analyst)
    current = current_ruleset()
    form = {
        "code": "many_big",
        "title": "Many big purchases",
        "family": "trading",
        "kinds": ["purchase"],
        "aggregate": "count",
        "currency": "EUR",
        "field_1": "amount",
        "op_1": "at_least",
        "value_1": "9",
        "window_hours": "240",
        "mode": "steps",
        "steps": "3=10, 8=25",
    }
    answer = act(browser, "write_factor", current, form)
    assert answer.status_code == 302, answer.context["form"].errors
    draft = RiskRuleset.objects.drafts().get()
    own = draft.rules.factor("many_big")
    assert own.steps == ((3, 10), (8, 25))
    assert [one.value for one in own.measure.events.where] == ["EUR", 900]
    assert AuditEntry.objects.filter(action="riskops.ruleset.drafted", actor=analyst).exists()
    answer = act(
        browser, "write_factor", draft, {**form, "code": "second", "mode": "flat", "points": "5"}
    )
    assert answer.status_code == 302
    assert RiskRuleset.objects.drafts().get().rules.factor("second").points == 5
    act(browser, "write_factor", draft, {**form, "code": "third", "window_hours": "9000"})
    page = browser.get(reverse("admin:riskops_riskruleset_changelist")).content.decode()
    assert "Must be a whole number" in page
    assert RiskRuleset.objects.drafts().get().rules.codes == (
        *Ruleset().codes,
        "many_big",
        "second",
    )
    act(browser, "remove_factor", draft, {"code": "second"})
    assert RiskRuleset.objects.drafts().get().rules.codes == (*Ruleset().codes, "many_big")
    page = browser.get(reverse("admin:riskops_riskruleset_change", args=[draft.pk]))
    assert "Many big purchases" in page.content.decode()
    publish_ruleset(actor=None, ruleset=RiskRuleset.objects.drafts().get())
    score = calculate_score(account=spender, at=NOW)
    assert ["many_big", 25] in [line[:2] for line in score.breakdown]


def act(browser, action, ruleset, form):
    return browser.post(
        reverse("admin:riskops_riskruleset_changelist"),
        {"action": action, ACTION_CHECKBOX_NAME: [ruleset.pk], "apply": "1", **form},
    )


def test_events_of_every_kind_can_be_counted(member):
    for kind in EventKind:
        record_events([EventInput(kind, member.pk, NOW, f"k-{kind.value}")], source="every-kind")
    own = [
        {**BIG_SPENDER, "code": f"own_{n}", "mode": "each", "points": 1, "measure": m}
        for n, m in enumerate(
            {"aggregate": "count", "kinds": [code]} for code in sorted(KIND_BY_CODE)[:12]
        )
    ]
    rules = Ruleset.from_dict({"factors": own})
    found = fresh_scores(Accounts.listed([member.pk]), rules, at=NOW)
    assert found.counts[0, -12:].tolist() == [1] * 12


def test_a_share_of_what_cannot_be_is_refused_and_goes_on_where_it_is_in_force(db):
    measure = {
        "aggregate": "share",
        "kinds": ["purchase"],
        "other": {"kinds": ["refund"]},
    }
    definition = {"factors": [{**BIG_SPENDER, "measure": measure}]}
    with pytest.raises(InvalidInput, match="always be 0"):
        draft_ruleset(actor=None, definition=definition)
    assert Ruleset.from_dict(definition).factor(BIG_SPENDER["code"]).measure.is_always_zero
    measure["kinds"].append("refund")
    assert draft_ruleset(actor=None, definition=definition).pk
