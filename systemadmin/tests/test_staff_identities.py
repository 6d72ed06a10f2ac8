"""Who signs in at the provider: looked at and disconnected by the API and in the admin."""

import pytest
from django.core.management import call_command

from systemadmin.foundation.testing import queries_of
from systemadmin.models import AuditEntry, Notification, StaffIdentity, UserSession
from systemadmin.tests.factories import StaffFactory

pytestmark = pytest.mark.django_db
ISSUER, LIST = "https://id.example.test", "/api/admin/staff-identities"


@pytest.fixture(autouse=True)
def _roles(db, settings):
    call_command("setup", verbosity=0)
    settings.STAFF_OIDC_ISSUER = ISSUER


def linked(user, issuer=ISSUER):
    return StaffIdentity.everything.create(
        user=user, name="provider", issuer=issuer, subject=f"{user.username}-there"
    )


def test_a_list_is_masked_for_some_and_costs_the_same(as_user, superuser):
    ana = linked(StaffFactory(username="ana"))
    gone = linked(StaffFactory(username="eva"), issuer="https://old.example.test")
    shown = as_user(superuser).get(LIST).json()["results"]
    assert [(one["username"], one["is_in_force"]) for one in shown] == [
        ("eva", False),
        ("ana", True),
    ]
    assert shown[1]["subject"] == "ana-there"
    of_one = as_user(superuser).get(LIST, {"user": gone.user_id}).json()["results"]
    assert [one["id"] for one in of_one] == [gone.pk]
    operator = as_user(StaffFactory(role="operator"))
    row = operator.get(f"{LIST}/{ana.pk}").json()
    assert row["username"] == "ana"
    assert "ana-there" not in row["subject"]
    cost = len(queries_of(lambda: operator.get(LIST)))
    for _ in range(4):
        linked(StaffFactory())
    assert len(queries_of(lambda: operator.get(LIST))) == cost


def test_disconnecting_ends_sessions_is_audited_and_notified_once(as_user, superuser):
    ana = StaffFactory(username="ana", role="operator")
    place = f"{LIST}/{linked(ana).pk}/unlink"
    UserSession.objects.create(user=ana, session_key="k")
    boss = as_user(superuser)
    assert boss.post(place, {}).status_code == 400
    assert boss.post(place, {"reason": "Left the group"}).status_code == 204
    assert boss.post(place, {"reason": "Left the group"}).status_code == 404
    assert not StaffIdentity.everything.exists()
    assert not UserSession.objects.filter(user=ana).exists()
    entry = AuditEntry.objects.get(action="systemadmin.identity.unlinked")
    assert (entry.actor, entry.reason, entry.metadata) == (
        superuser,
        "Left the group",
        {"issuer": ISSUER},
    )
    assert Notification.objects.filter(user=ana, kind="security.identity_unlinked").exists()


def test_nobody_disconnects_their_own_account_and_operators_nobody(as_user, superuser):
    own = linked(superuser)
    refused = as_user(superuser).post(f"{LIST}/{own.pk}/unlink", {"reason": "x"})
    assert (refused.status_code, refused.json()["code"]) == (403, "own_interest")
    operator = as_user(StaffFactory(role="operator"))
    assert operator.get(LIST).status_code == 200
    assert operator.post(f"{LIST}/{own.pk}/unlink", {"reason": "x"}).status_code == 403
    assert StaffIdentity.everything.get() == own


def test_the_page_of_an_accounts_sessions_shows_and_cuts_it(admin_client_for, superuser):
    ana = StaffFactory(username="ana")
    old, _now = linked(ana, issuer="https://old.example.test"), linked(ana)
    client = admin_client_for(superuser)
    page = f"/admin/systemadmin/user/{ana.pk}/access/"
    assert client.get(page).content.count(b"ana-there") == 2
    missing = client.post(page, {"act": "unlink", "issuer": old.issuer, "reason": ""})
    assert missing.status_code == 200
    client.post(page, {"act": "unlink", "issuer": old.issuer, "reason": "Provider is off"})
    assert StaffIdentity.everything.get().issuer == ISSUER
    chosen = {"action": "unlink", "_selected_action": StaffIdentity.objects.get().pk}
    confirmed = {"apply": "1", "reason": "Left", **chosen}
    client.post("/admin/systemadmin/staffidentity/", confirmed, follow=True)
    assert not StaffIdentity.everything.exists()
