"""Off-boarding is one act, by page, API and command, and shows zeros when it is done."""

import io

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from support.models import Ticket
from support.tests.factories import make_category, make_ticket
from systemadmin.errors import SuccessorIsNotStaff
from systemadmin.foundation.errors import NotAllowed
from systemadmin.models import AuditEntry, Notification, RecoveryCode, User, WebhookEndpoint
from systemadmin.services.offboarding import offboard, what_is_left
from systemadmin.services.service_keys import create_service_key
from systemadmin.services.webhooks import create_endpoint
from systemadmin.tests.factories import UserFactory, totp_device_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def leaver(staff, as_user, admin_client_for):
    """An agent with something of every kind."""
    user = staff("support_agent", username="leaver")
    user.groups.add(Group.objects.get(name="operator"))
    as_user(user), admin_client_for(user)
    totp_device_for(user)
    RecoveryCode.objects.create(user=user, digest="x")
    ticket = make_ticket(UserFactory())
    Ticket.objects.filter(pk=ticket.pk).update(assignee=user)
    make_category().agents.add(user)
    create_service_key(actor=user, name="theirs")
    create_endpoint(actor=user, url="https://hooks.example.test/theirs")
    return user


def counts(user):
    return {one.code: one.count for one in what_is_left(User.objects.get(pk=user.pk))}


def by_service(root, user, successor, **_):
    offboard(actor=root, user=user, reason="left", successor=successor)


def by_command(root, user, successor, **_):
    options = {"successor": successor.username} if successor else {}
    call_command("offboard", user.username, reason="left", stdout=io.StringIO(), **options)


def by_api(root, user, successor, as_user, **_):
    body = {"reason": "left", "successor": successor.pk if successor else None}
    answer = as_user(root).post(f"/api/admin/users/{user.pk}/offboarding", body)
    assert answer.status_code == 200, answer.json()
    assert {one["count"] for one in answer.json()} == {0}


def by_page(root, user, successor, admin_client_for, **_):
    browser, url = admin_client_for(root), f"/admin/systemadmin/user/{user.pk}/offboarding/"
    assert "Assigned tickets" in browser.get(url).content.decode()
    form = {"reason": "left", "successor": successor.pk if successor else ""}
    assert browser.post(url, form).status_code == 302
    assert "nothing of staff" in browser.get(url).content.decode()


@pytest.mark.parametrize("way", [by_service, by_command, by_api, by_page])
@pytest.mark.parametrize("has_successor", [False, True])
def test_nothing_is_left(way, has_successor, leaver, superuser, staff, as_user, admin_client_for):
    successor = staff("support_agent", username="next") if has_successor else None
    before = counts(leaver)
    assert all(before[code] for code in before if code not in {"permissions", "escalations"})
    way(superuser, leaver, successor, as_user=as_user, admin_client_for=admin_client_for)
    assert set(counts(leaver).values()) == {0}
    assert Ticket.objects.get().assignee == successor
    endpoint = WebhookEndpoint.objects.get()
    if successor is None:
        assert (endpoint.is_active, endpoint.disabled_reason) == (False, "Its owner left.")
    else:
        assert (endpoint.is_active, endpoint.owner) == (True, successor)
    entry = AuditEntry.objects.get(action="systemadmin.user.offboarded")
    assert (entry.before["assigned_tickets"], entry.after["assigned_tickets"]) == (1, 0)
    assert entry.reason == "left"
    assert Notification.objects.filter(user=leaver, kind="security.rights_changed").exists()


def test_only_superusers_may(leaver, staff, as_user, admin_client_for):
    for role in ("operator", "auditor"):
        person = staff(role)
        url = f"users/{leaver.pk}/offboarding"
        assert as_user(person).post(f"/api/admin/{url}", {"reason": "x"}).status_code == 403
        page = f"/admin/systemadmin/user/{leaver.pk}/offboarding/"
        assert admin_client_for(person).get(page).status_code == 403
        with pytest.raises(NotAllowed):
            offboard(actor=person, user=leaver, reason="x")
    assert counts(leaver)["staff"] == 1


def test_who_takes_over_must_be_staff(leaver, superuser, as_user):
    with pytest.raises(SuccessorIsNotStaff):
        offboard(actor=superuser, user=leaver, reason="x", successor=UserFactory())
    body = {"reason": "x", "successor": 999999}
    answer = as_user(superuser).post(f"/api/admin/users/{leaver.pk}/offboarding", body)
    assert answer.status_code == 400
    assert counts(leaver)["staff"] == 1


def test_the_command_shows_first_and_says_who_is_missing(leaver):
    shown = io.StringIO()
    call_command("offboard", "leaver", dry_run=True, stdout=shown)
    assert "Assigned tickets" in shown.getvalue()
    assert counts(leaver)["staff"] == 1
    with pytest.raises(CommandError, match="no account named nobody"):
        call_command("offboard", "nobody")
    with pytest.raises(CommandError):
        call_command("offboard", "leaver")
