"""Related accounts: found, judged, remembered."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riskops.errors import AlreadyJudged, AlreadyShared, EndsInThePast, NotJudged, NotShared
from riskops.links.clusters import (
    confirm_cluster,
    dismiss_cluster,
    rebuild_clusters,
    suspend_cluster,
)
from riskops.links.detect import detect_all, detect_for, detect_touched
from riskops.links.verdicts import (
    confirm_related,
    dismiss_related,
    reopen_related,
    share_identifier,
    unshare_identifier,
)
from riskops.models import (
    AccountCluster,
    ClusterMember,
    Dealing,
    Identifier,
    LinkStatus,
    PendingLink,
    RelatedAccount,
)
from riskops.tests.factories import event, record
from riskops.tests.worlds import Builder, town
from systemadmin.foundation.errors import StaleVersion
from systemadmin.models import AuditEntry, User
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def pair_of(a, b):
    low, high = sorted((a, b))
    return RelatedAccount.objects.filter(low_id=low, high_id=high).first()


def table():
    return list(
        RelatedAccount.objects.order_by("low_id", "high_id").values_list(
            "low_id", "high_id", "strength", "status", "kinds", "evidence"
        )
    )


@pytest.fixture
def small_world():
    """A ring of four on one device in a town of sixty."""
    build = Builder(7)
    build.people(60)
    ring = build.ring(4)
    build.done()
    return ring


def test_a_ring_is_found_and_strangers_are_not(small_world):
    summary = detect_all()
    ring = set(small_world)
    found = {(row[0], row[1]) for row in table() if row[2] >= 50}
    assert found
    assert all({a, b} <= ring for a, b in found)
    assert summary.added == len(table())


def test_evidence_names_what_is_shared(small_world):
    detect_all()
    kind, identifier, behind, bits, gap, hits = pair_of(*small_world[:2]).evidence[0]
    assert kind == "device"
    assert Identifier.objects.get(pk=identifier).kind == "device"
    assert behind == 4
    assert bits > 0
    assert gap == 0
    assert hits >= 1


def test_running_again_changes_nothing(small_world):
    detect_all()
    before = table()
    summary = detect_all()
    assert (summary.added, summary.changed, summary.removed) == (0, 0, 0)
    assert table() == before


@pytest.mark.parametrize(("what", "days"), [("device", 0), ("device", 3), ("ip", 0)])
def test_whatever_changes_in_the_evidence_reaches_the_row(small_world, what, days):
    detect_all()
    before = table()
    a, b = small_world[:2]
    shared = Identifier.objects.get(pk=pair_of(a, b).evidence[0][1])
    where = {what: shared.value if what == "device" else "198.51.100.77"}
    ago = timedelta(days=days, hours=1)
    record(*[event(User.objects.get(pk=account), ago=ago, **where) for account in (a, b)])
    summary = detect_all()
    assert summary.changed > 0
    kept = table()
    assert kept != before
    RelatedAccount.objects.all().delete()
    detect_all()
    assert kept == table()


def test_incremental_detection_equals_the_full_one():
    world = town(3, strangers=40)
    PendingLink.objects.all().delete()
    everyone = sorted(world.owner)
    for start in range(0, len(everyone), 37):
        detect_for(everyone[start : start + 37])
    piecewise = table()
    RelatedAccount.objects.all().delete()
    detect_all()
    assert piecewise == table()


@pytest.mark.postgres
def test_statistics_that_call_the_tables_empty_do_not_make_it_endless():
    """As after a load into tables that were emptied: no analysis has looked at the new rows."""
    world = town(3, strangers=40)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pg_class SET reltuples = 0, relpages = 100 WHERE relkind IN ('r', 'i')"
            " AND relname LIKE 'riskops_%'"
        )
        cursor.execute("SET LOCAL statement_timeout = '60s'")
        detect_for(sorted(world.owner)[:37])
        cursor.execute("SET LOCAL statement_timeout = 0")


def test_touched_accounts_are_looked_at_once(small_world):
    assert PendingLink.objects.count() > 0
    assert detect_touched().pairs > 0
    assert PendingLink.objects.count() == 0
    assert detect_touched().accounts == 0


def test_nothing_new_leaves_no_account_waiting(small_world):
    detect_all()
    assert PendingLink.objects.count() == 0
    device = Identifier.objects.filter(kind="device", sightings__account=small_world[0]).first()
    record(event(small_world[0], device=device.value))
    assert PendingLink.objects.count() == 0


def test_a_crowded_address_links_nobody():
    build = Builder(5)
    crowd = build.crowd("café", 60, ip=build.ip())
    build.done()
    detect_all()
    assert not RelatedAccount.objects.filter(low_id__in=crowd, strength__gte=50).exists()


def test_dealings_are_kept_apart_from_owned_wallets():
    a, b = UserFactory(), UserFactory()
    record(
        event(a, "transfer", wallet="0xA", counterparty_wallet="0xB"),
        event(b, "transfer", wallet="0xb", counterparty_wallet="0xC"),
    )
    wallet = Identifier.objects.get(value="0xb")
    assert (wallet.accounts, wallet.dealers) == (1, 1)
    assert list(Dealing.objects.values_list("account", "identifier__value")) == [
        (a.pk, "0xb"),
        (b.pk, "0xc"),
    ]


def test_a_transfer_between_two_accounts_is_evidence():
    build = Builder(9)
    build.people(120)
    ring = build.ring(2, how="transfers")
    build.done()
    detect_all()
    assert pair_of(*ring).evidence[0][0] == "transfer"
    assert pair_of(*ring).may_merge


# -- verdicts ------------------------------------------------------------------


@pytest.fixture
def analyst(staff):
    return staff("risk_analyst")


@pytest.fixture
def pair(small_world):
    detect_all()
    return pair_of(*small_world[:2])


def test_a_verdict_is_kept_through_recompute(pair, analyst):
    confirm_related(actor=analyst, pair=pair, note="same passport")
    detect_all()
    pair.refresh_from_db()
    assert pair.status == LinkStatus.CONFIRMED
    assert (pair.note, pair.decided_by) == ("same passport", analyst)
    entry = AuditEntry.objects.get(action="riskops.related_account.confirmed")
    assert entry.reason == "same passport"


def test_a_verdict_twice_is_refused(pair, analyst):
    confirm_related(actor=analyst, pair=pair)
    with pytest.raises(AlreadyJudged):
        confirm_related(actor=analyst, pair=pair)


def test_a_stale_verdict_is_refused(pair, analyst):
    confirm_related(actor=analyst, pair=pair, expected_version=1)
    with pytest.raises(StaleVersion):
        dismiss_related(actor=analyst, pair=pair, expected_version=1)


def test_a_verdict_may_end(pair, analyst):
    with pytest.raises(EndsInThePast):
        dismiss_related(actor=analyst, pair=pair, expires_at=timezone.now())
    dismiss_related(actor=analyst, pair=pair, expires_at=timezone.now() + timedelta(days=1))
    RelatedAccount.objects.filter(pk=pair.pk).update(expires_at=timezone.now() - timedelta(1))
    detect_all()
    pair.refresh_from_db()
    assert pair.status == LinkStatus.SUSPECTED
    assert AuditEntry.objects.filter(action="riskops.related_account.expired").count() == 1


def test_a_verdict_can_be_taken_back(pair, analyst):
    with pytest.raises(NotJudged):
        reopen_related(actor=analyst, pair=pair)
    dismiss_related(actor=analyst, pair=pair)
    reopen_related(actor=analyst, pair=pair, note="a mistake")
    pair.refresh_from_db()
    assert (pair.status, pair.decided_at) == (LinkStatus.SUSPECTED, None)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(st.sampled_from(["old", "full", "touched", "other"]), max_size=5))
def test_a_dismissed_pair_stays_dismissed_until_something_new(steps, django_db_blocker):
    from django.db import transaction

    with transaction.atomic():
        build = Builder(11)
        build.people(30)
        a, b = build.ring(2)
        build.done()
        detect_all()
        found = pair_of(a, b)
        dismiss_related(actor=UserFactory(is_staff=True), pair=found, note="flatmates")
        known = Identifier.objects.filter(sightings__account=a).first()
        values = {known.kind: known.value}
        for step in steps:
            if step == "old":
                record(event(a, **values), event(b, **values))
            elif step == "other":
                record(event(a, device=f"own-{len(steps)}"))
            elif step == "full":
                detect_all()
            else:
                detect_touched()
        detect_all()
        found.refresh_from_db()
        assert found.status == LinkStatus.DISMISSED
        record(event(a, device="brand-new"), event(b, device="brand-new"))
        detect_touched()
        found.refresh_from_db()
        assert found.status == LinkStatus.SUSPECTED
        assert AuditEntry.objects.filter(action="riskops.related_account.returned").exists()
        transaction.set_rollback(True)


# -- public places -------------------------------------------------------------


def test_a_shared_identifier_links_nobody(small_world, analyst):
    detect_all()
    before = len(table())
    for identifier in Identifier.objects.filter(accounts__gte=2):
        share_identifier(actor=analyst, identifier=identifier, reason="library")
    detect_touched()
    assert before > 0
    assert table() == []
    for identifier in Identifier.objects.filter(is_shared=True):
        unshare_identifier(actor=analyst, identifier=identifier)
    detect_touched()
    assert len(table()) == before


def test_sharing_twice_is_refused(small_world, analyst):
    identifier = Identifier.objects.first()
    with pytest.raises(NotShared):
        unshare_identifier(actor=analyst, identifier=identifier)
    share_identifier(actor=analyst, identifier=identifier, reason="café")
    with pytest.raises(AlreadyShared):
        share_identifier(actor=analyst, identifier=identifier, reason="café")


# -- clusters ------------------------------------------------------------------


def test_clusters_hold_rings_and_keep_their_number(small_world, analyst):
    detect_all()
    assert rebuild_clusters().clusters == 1
    cluster = AccountCluster.objects.get()
    members = set(cluster.members.values_list("account_id", flat=True))
    assert members <= set(small_world)
    assert cluster.size == len(members) >= 2
    rebuild_clusters()
    assert AccountCluster.objects.get().pk == cluster.pk


def test_no_cluster_joins_strangers_of_a_town():
    world = town(2)
    detect_all()
    rebuild_clusters()
    groups = {}
    for account, cluster in ClusterMember.objects.values_list("account_id", "cluster_id"):
        groups.setdefault(cluster, set()).add(account)
    assert groups
    for members in groups.values():
        owners = {world.owner[account] for account in members}
        # Two flatmates behind one address are one exclusive identifier: a suspicion, no crowd.
        assert len(owners) <= 2
        assert len(members) <= 25
    for name, crowd in world.crowds.items():
        assert not [m for m in groups.values() if len(m & crowd) > 3], name


def test_confirming_a_cluster_confirms_its_links(small_world, analyst):
    detect_all()
    rebuild_clusters()
    cluster = confirm_cluster(actor=analyst, cluster=AccountCluster.objects.get(), note="ring")
    assert cluster.status == LinkStatus.CONFIRMED
    inside = RelatedAccount.objects.filter(low_id__in=small_world, high_id__in=small_world)
    assert set(inside.values_list("status", flat=True)) == {LinkStatus.CONFIRMED}
    with pytest.raises(AlreadyJudged):
        confirm_cluster(actor=analyst, cluster=cluster)
    assert AuditEntry.objects.filter(action="riskops.cluster.confirmed").count() == 1


def test_a_dismissed_cluster_falls_apart(small_world, analyst):
    detect_all()
    rebuild_clusters()
    dismiss_cluster(actor=analyst, cluster=AccountCluster.objects.get())
    detect_all()
    rebuild_clusters()
    assert AccountCluster.objects.count() == 0


def test_a_cluster_is_suspended_as_one_act(small_world, analyst):
    detect_all()
    rebuild_clusters()
    cluster = AccountCluster.objects.get()
    suspended = suspend_cluster(actor=analyst, cluster=cluster, reason="ring of bots")
    assert len(suspended) == cluster.size
    entry = AuditEntry.objects.get(action="riskops.cluster.suspended")
    assert entry.metadata["accounts"] == suspended


def test_the_command_tells_what_it_did(small_world, capsys):
    call_command("detect_related_accounts")
    out = capsys.readouterr().out
    assert "1 clusters" in out
    call_command("detect_related_accounts", "--touched", "--quiet", "--no-clusters")
    assert "0 accounts" in capsys.readouterr().out
