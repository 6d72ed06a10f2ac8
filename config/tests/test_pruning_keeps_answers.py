"""The pruned database answers every question that is kept as the unpruned one did."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from marketplace.models import LedgerAccount, LedgerEntry
from marketplace.tests import factories as shop
from messaging.models import Mailbox, Message
from messaging.services import read_up_to
from messaging.tests.factories import old_member, send, true_unread
from riskops.account_sets import Accounts
from riskops.ingest.rebuild import rebuild_facts, rebuild_identifiers
from riskops.integrity import check_facts
from riskops.links.detect import detect_all
from riskops.models import AccountEvent, EventSum, RelatedAccount, RiskScore, RiskScoreHistory
from riskops.scores.recompute import recompute_touched, start_run, work_on
from riskops.scores.replay import fresh_scores
from riskops.scores.rulesets import current_ruleset
from riskops.services import record_events
from riskops.tests.histories import history
from riskops.tests.test_one_definition import kept
from support.models import Ticket
from support.services import rate_ticket
from support.tests.factories import make_ticket
from systemadmin.foundation.plugins import collect
from systemadmin.models import Notification
from systemadmin.services import change_settings, notify_user
from systemadmin.services.retention import prune_rules
from systemadmin.services.retention.nightly import prunable_rules
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db
EVERYONE = Accounts(1, 2**62)
TIMES = {
    "retention.event_days": 400,
    "retention.score_detail_days": 30,
    "retention.closed_ticket_days": 90,
    "retention.raw_mail_days": 7,
    "retention.outgoing_mail_days": 7,
    "retention.notice_text_days": 7,
    "retention.notice_days": 90,
    "messaging.retention_days": 90,
}
examples = settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)


class Undo(Exception):
    """Ends an example without leaving anything behind."""


@pytest.fixture(autouse=True)
def no_backup(monkeypatch):
    for place in ("messaging.services.retention", "systemadmin.services.retention.nightly"):
        monkeypatch.setattr(f"{place}.backup_since", lambda *args: None)


class World:
    """A past of up to 800 days on every desk."""

    def __init__(self, rng):
        self.rng, self.now = rng, timezone.now()
        change_settings(actor=None, values=TIMES)
        self.people = [old_member(date_joined=self.now - timedelta(days=900)) for _ in range(6)]
        self.events()
        self.messages()
        self.tickets()
        self.notices()
        shop.completed(buyer=self.people[0])

    def ago(self, most=800):
        return self.now - timedelta(seconds=self.rng.randrange(60, most * 86_400))

    def events(self):
        events = history(self.rng, self.people, self.rng.randrange(60, 160), now=self.now)
        for start in range(0, len(events), 50):
            assert not record_events(events[start : start + 50], source="test").refused
        recompute_touched(cause="event")
        for _ in range(self.rng.randrange(20, 60)):
            self.change_of_score(self.rng.choice(self.people), self.ago())

    def change_of_score(self, account, at):
        RiskScoreHistory.objects.create(
            account=account,
            at=at.replace(hour=self.rng.choice((0, 12, 23))),
            cause="event",
            raw=1,
            computed=1,
            score=self.rng.randrange(100),
            level=0,
            previous_score=self.rng.randrange(100),
            ruleset=current_ruleset(),
        )

    def messages(self):
        for _ in range(self.rng.randrange(5, 20)):
            sender, recipient = self.rng.sample(self.people, 2)
            message = send(sender, recipient)
            Message.objects.filter(pk=message.pk).update(created_at=self.ago(180))
            if self.rng.random() < 0.5:
                read_up_to(actor=recipient, message=message)

    def tickets(self):
        for _ in range(self.rng.randrange(3, 9)):
            ticket = make_ticket(self.rng.choice(self.people))
            opened = self.ago(300)
            closed = opened + (self.now - opened) * self.rng.random()
            values = {"created_at": opened, "updated_at": opened}
            if self.rng.random() < 0.8:
                done = {"status": "closed", "resolved_at": closed, "closed_at": closed}
                values |= {**done, "updated_at": closed}
            Ticket.objects.filter(pk=ticket.pk).update(**values)
            ticket.refresh_from_db()
            if ticket.is_done and self.rng.random() < 0.5:
                rate_ticket(user=ticket.requester, ticket=ticket, score=4)
                Ticket.objects.filter(pk=ticket.pk).update(updated_at=closed)

    def notices(self):
        for number in range(4):
            notify_user(user=self.people[0], kind="k", subject="s", body="b", key=f"n{number}")
        Notification.objects.update(created_at=self.ago(200))


def midnight(moment):
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def figures(now):
    """Every figure of every desk over spans that lie in the kept time."""
    spans = [(now - timedelta(days=80), now)]
    # Account events and changes of scores reach further back.
    long = [
        (midnight(now - timedelta(days=390)), now),
        (midnight(now - timedelta(days=300)), midnight(now - timedelta(days=200))),
    ]
    of_long = {"risk_score_changes", "accounts_with_events", "orders_paid", "turnover"}
    found = {}
    for stat in collect("stats", "STATS"):
        for start, end in spans + (long if stat.code in of_long else []):
            found[stat.code, start, end] = stat.compute(start, end)
    return found


def scores(now):
    fresh = fresh_scores(EVERYONE, current_ruleset().rules, at=now)
    stored = list(RiskScore.objects.order_by("pk").values_list("pk", "score", "fingerprint"))
    return fresh.account.tolist(), fresh.score.tolist(), fresh.fingerprint.tolist(), stored


def links():
    detect_all()
    names = ("low_id", "high_id", "bits", "probability", "strength", "evidence", "status")
    return list(RelatedAccount.objects.order_by("low_id", "high_id").values_list(*names))


def money():
    balances = list(LedgerAccount.objects.order_by("pk").values_list("pk", "balance"))
    return balances, LedgerEntry.objects.aggregate(Sum("amount"))


def last_scores(now):
    """The last score of each account noted on each day."""
    rows = RiskScoreHistory.objects.filter(at__gt=now - timedelta(days=1800)).order_by("pk")
    return {(row.account_id, midnight(row.at)): row.score for row in rows}


def answers(now):
    return {
        # Links first: scores count what detection found.
        "links": links(),
        "scores": scores(now),
        "facts": kept(),
        "money": money(),
        "figures": figures(now),
        "last scores": last_scores(now),
    }


def check(rng):
    world = World(rng)
    before = answers(world.now)
    old = AccountEvent.objects.filter(occurred_at__lt=world.now - timedelta(days=400)).count()
    everything = AccountEvent.objects.count()
    done = prune_rules(prunable_rules())
    assert set(done) == set(prunable_rules())
    assert done["events"] == old
    assert AccountEvent.objects.count() == everything - old
    assert EventSum.objects.exists() == bool(old)
    after = answers(world.now)
    for question, answer in before.items():
        assert after[question] == answer, question
    for person in world.people:
        box = Mailbox.objects.filter(pk=person.pk).first()
        assert true_unread(person) == (box.unread_count if box else 0)
    # What is derived from the log and the sums is what was kept.
    assert check_facts() == []
    assert rebuild_facts(EVERYONE) == 0
    assert rebuild_identifiers() == 0
    assert kept() == before["facts"]
    work_on(start_run(cause="schedule", at=world.now))
    assert fresh_scores(EVERYONE, current_ruleset().rules, at=world.now, from_log=True)
    assert all(rows == 0 for rows in prune_rules(prunable_rules()).values()), "nothing is left"


@examples
@given(seed=st.integers(0, 10**9))
def test_every_kept_answer_is_the_same_after_pruning(seed):
    try:
        with transaction.atomic():
            check(random.Random(seed))
            raise Undo
    except Undo:
        pass


def test_an_event_that_was_pruned_is_not_counted_again():
    member, now = UserFactory(), timezone.now()
    old = [event_of(member, now - timedelta(days=500 - n), n) for n in range(3)]
    assert record_events(old, source="test").accepted == 3
    before = kept()
    assert prune_rules(["events"]) == {"events": 3}
    again = record_events([*old, event_of(member, now - timedelta(days=1), 9)], source="test")
    assert [refusal.code for refusal in again.refused] == ["pruned"] * 3
    assert again.accepted == 1
    newcomer = UserFactory()
    assert record_events(
        [event_of(newcomer, now - timedelta(days=700), 10)], source="test"
    ).accepted, "an account that lost nothing may bring its past"
    assert before != kept()
    assert check_facts() == []


def event_of(account, at, number):
    from riskops.services import EventInput

    return EventInput(
        kind="login_ok",
        account_id=account.pk,
        occurred_at=at,
        external_id=f"p{number}",
        ip="203.0.113.9",
        country="ES",
    )


def test_scores_of_a_moment_before_the_pruned_events_are_refused(capsys):
    from django.core.management import CommandError, call_command

    member, now = UserFactory(date_joined=datetime(2020, 1, 1, tzinfo=UTC)), timezone.now()
    record_events([event_of(member, now - timedelta(days=500), 1)], source="test")
    prune_rules(["events"])
    early = (now - timedelta(days=600)).date().isoformat()
    with pytest.raises(CommandError, match="retention"):
        call_command("recompute_risk", "--as-of", early)
    late = (now - timedelta(days=300)).date().isoformat()
    call_command("recompute_risk", "--as-of", late)
