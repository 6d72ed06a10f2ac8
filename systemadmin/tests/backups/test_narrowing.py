"""What was taken away since a backup stays away after its restore."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.utils import timezone

from systemadmin.backups.engines.postgres.engine import PostgresEngine
from systemadmin.models import (
    BlockedNetwork,
    EncryptedTotpDevice,
    LegalHold,
    Notification,
    RecoveryCode,
    Restore,
    ServiceKey,
    ServiceKeySecret,
    StaffIdentity,
    User,
)
from systemadmin.services.backups import create_backup, restore_backup
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.slow
DAY = timedelta(days=1)
# Of the apps above.
Block = apps.get_model("messaging", "Block")
AnomalyExemption = apps.get_model("riskops", "AnomalyExemption")
AnomalyRule = apps.get_model("riskops", "AnomalyRule")
ListEntry = apps.get_model("riskops", "ListEntry")
RiskOutcome = apps.get_model("riskops", "RiskOutcome")
RiskOverride = apps.get_model("riskops", "RiskOverride")


@pytest.fixture
def root(own_database):
    return UserFactory(username="root", is_staff=True, is_superuser=True)


@pytest.fixture(params=["beside", "in place"])
def way(request, monkeypatch, own_database):
    """Restore into a database beside the live one, and in place."""
    if request.param == "in place":
        if not own_database.is_postgres:
            pytest.skip("only PostgreSQL is restored in place")
        monkeypatch.setattr(PostgresEngine, "may_swap", lambda _engine: False)


def staff(name, **fields):
    return UserFactory(username=name, is_staff=True, **fields)


def restored(database, backup):
    """Restore, and return what was said of it."""
    done = restore_backup(backup=backup, confirm=database.typed)
    assert done.status == Restore.Status.DONE
    return done.warnings


def key_of(owner, name, digest):
    account = UserFactory(username=f"key-{name}", is_service=True)
    key = ServiceKey.objects.create(account=account, name=name, owner=owner)
    ServiceKeySecret.objects.create(key=key, digest=digest, hint="abcd")
    return key


def take_rights(people, role, permission):
    people["off"].groups.clear()
    people["off"].user_permissions.clear()
    role.permissions.remove(permission)
    User.objects.filter(pk=people["off"].pk).update(is_staff=False)
    User.objects.filter(pk=people["chief"].pk).update(is_superuser=False)
    User.objects.filter(pk=people["left"].pk).update(is_active=False)
    people["off"].set_password("another password")
    people["off"].save(update_fields=["password"])


def test_rights_that_were_taken_stay_away(own_database, root, way):
    role = Group.objects.create(name="night shift")
    permission = Permission.objects.get(codename="suspend_user")
    role.permissions.add(permission)
    people = {name: staff(name) for name in ("off", "chief", "left", "gains")}
    people["off"].groups.add(role)
    people["off"].user_permissions.add(permission)
    User.objects.filter(pk=people["chief"].pk).update(is_superuser=True)
    backup = create_backup()
    take_rights(people, role, permission)
    people["gains"].groups.add(role)

    said = restored(own_database, backup)

    off = User.objects.get(pk=people["off"].pk)
    assert (off.is_staff, off.groups.count(), off.user_permissions.count()) == (False, 0, 0)
    assert off.check_password("another password")
    assert not role.permissions.exists()
    assert not User.objects.get(pk=people["chief"].pk).is_superuser
    assert not User.objects.get(pk=people["left"].pk).is_active
    # What was given since the backup is not given by the restore.
    assert not people["gains"].groups.exists()
    assert User.objects.get(pk=root.pk).holds_all_rights
    assert any("taken away again: 3 accounts, 3 roles" in warning for warning in said)
    notice = Notification.objects.filter(kind="restore.done", user=root).get()
    assert "3 roles" in notice.body


def test_suspensions_and_holds_since_the_backup_are_in_force(own_database, root, way):
    people = {name: UserFactory(username=name) for name in ("for_good", "longer", "free", "peer")}
    soon, later = timezone.now() + DAY, timezone.now() + 9 * DAY
    User.objects.filter(pk=people["longer"].pk).update(
        suspended_at=timezone.now(), suspended_until=soon, suspension_reason="first"
    )
    User.objects.filter(pk=people["free"].pk).update(
        suspended_at=timezone.now(), suspension_reason="then"
    )
    rule = AnomalyRule.objects.first()
    exempt = AnomalyExemption.objects.create(rule=rule, account=people["free"], expires_at=later)
    allowed = ListEntry.objects.create(
        list="allow", kind="account", value=str(people["peer"].pk), account=people["peer"]
    )
    override = RiskOverride.objects.create(account=people["peer"], score=0, reason="friend")
    backup = create_backup()
    exempt.delete()
    allowed.delete()
    RiskOverride.objects.filter(pk=override.pk).update(ended_at=timezone.now())
    User.objects.filter(pk=people["for_good"].pk).update(
        suspended_at=timezone.now(), suspension_reason="fraud"
    )
    User.objects.filter(pk=people["longer"].pk).update(
        suspended_until=later, suspension_reason="again"
    )
    User.objects.filter(pk=people["free"].pk).update(suspended_at=None, suspension_reason="")
    LegalHold.objects.create(account=people["peer"], reason="court", ends_at=later, created_by=root)
    BlockedNetwork.objects.create(network="203.0.113.0/24", reason="flood", created_by=root)
    RiskOutcome.objects.create(account=people["peer"], verdict="confirmed_fraud", actor=root)
    ListEntry.objects.create(list="deny", kind="email", value="x@example.test", created_by=root)
    Block.objects.create(blocker=people["peer"], blocked=people["longer"])
    newcomer = UserFactory(username="newcomer")
    LegalHold.objects.create(account=newcomer, reason="of nobody there", ends_at=later)

    restored(own_database, backup)

    suspended = dict(
        User.objects.filter(suspended_at__isnull=False).values_list("username", "suspension_reason")
    )
    # A suspension that was lifted since stays in force: the narrower of both counts.
    assert suspended == {"for_good": "fraud", "longer": "again", "free": "then"}
    assert User.objects.get(username="longer").suspended_until == later
    assert list(LegalHold.objects.values_list("reason", "created_by")) == [("court", root.pk)]
    assert BlockedNetwork.objects.get().network == "203.0.113.0/24"
    assert RiskOutcome.objects.get().verdict == "confirmed_fraud"
    assert ListEntry.objects.get().list == "deny"
    assert Block.objects.get().blocked_id == people["longer"].pk
    assert not AnomalyExemption.objects.exists()
    assert RiskOverride.objects.get().ended_at


def test_keys_and_second_factors_are_those_of_just_before(own_database, root, way):
    revoked, moved, rotated = (
        key_of(root, name, name * 8) for name in ("revoked", "moved", "rotated")
    )
    lost = staff("lost")
    EncryptedTotpDevice.objects.create(user=lost, name="old phone", secret="x", confirmed=True)
    RecoveryCode.objects.create(user=lost, digest="spent")
    StaffIdentity.everything.create(user=lost, name="p", issuer="https://p", subject="lost")
    enrolled = staff("enrolled")
    backup = create_backup()
    ServiceKey.objects.filter(pk=revoked.pk).update(revoked_at=timezone.now())
    ServiceKey.objects.filter(pk=moved.pk).update(
        owner=enrolled, networks=["203.0.113.7"], expires_at=timezone.now() + DAY
    )
    ServiceKeySecret.objects.filter(key=rotated).delete()
    EncryptedTotpDevice.objects.filter(user=lost).delete()
    RecoveryCode.objects.filter(user=lost).update(used_at=timezone.now())
    StaffIdentity.everything.all().delete()
    EncryptedTotpDevice.objects.create(user=enrolled, name="phone", secret="y", confirmed=True)

    restored(own_database, backup)

    assert ServiceKey.objects.get(pk=revoked.pk).revoked_at
    key = ServiceKey.objects.get(pk=moved.pk)
    assert (key.owner_id, key.networks) == (enrolled.pk, ["203.0.113.7"])
    assert key.expires_at
    assert not ServiceKeySecret.objects.filter(key=rotated).exists()
    assert ServiceKeySecret.objects.filter(key=moved).exists()
    assert not StaffIdentity.everything.exists()
    assert EncryptedTotpDevice.objects.get().user_id == enrolled.pk
    assert RecoveryCode.objects.get().used_at


def test_staff_and_keys_that_were_not_there_before_are_closed_and_named(own_database, root):
    gone = staff("gone", is_superuser=True)
    member = UserFactory(username="member")
    key = key_of(root, "gone-key", "digest")
    backup = create_backup()
    ServiceKey.objects.all().delete()
    User.objects.filter(pk__in=[gone.pk, member.pk, key.account_id]).delete()

    said = restored(own_database, backup)

    back = User.objects.get(username="gone")
    assert (back.is_active, back.is_staff, back.is_superuser) == (False, False, False)
    assert ServiceKey.objects.get().revoked_at
    assert User.objects.get(username="member").is_active
    assert any("did not know them: gone" in warning for warning in said)
    assert any("service keys revoked" in warning for warning in said)


def test_a_number_that_came_again_is_somebody_else(own_database, root):
    person = staff("person")
    backup = create_backup()
    User.objects.filter(pk=person.pk).update(registered_at=timezone.now() + DAY)
    said = restored(own_database, backup)
    assert not User.objects.get(pk=person.pk).is_staff
    assert any("did not know them: person" in warning for warning in said)


def test_a_damaged_database_takes_nothing_away(own_database, root):
    """No superuser is left: the backup is to bring the rights back."""
    backup = create_backup()
    User.objects.update(is_active=False)
    said = restored(own_database, backup)
    assert User.objects.get(pk=root.pk).holds_all_rights
    assert any("are those of the backup" in warning for warning in said)
