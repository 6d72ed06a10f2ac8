"""One-time links: staff get back in by themselves, and nobody else by them."""

import re
from datetime import timedelta
from urllib.parse import unquote

import pytest
import time_machine
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from systemadmin.errors import ColleagueSetsPasswordThemselves, LinkNotValid, NoAddressOnFile
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import problem
from systemadmin.models import AccessLink, AuditEntry, Notification, User
from systemadmin.services import access_links, approvals, authentication, two_factor
from systemadmin.services.notifications import OUTBOX
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.services.users import suspend_user
from systemadmin.tests.factories import PASSWORD, StaffFactory, UserFactory, totp_device_for

pytestmark = pytest.mark.django_db
NEW = "A-quite-different-1-phrase"


@pytest.fixture
def operator(db):
    call_command("setup", verbosity=0)
    return StaffFactory(role="operator")


@pytest.fixture
def agent(db):
    return StaffFactory(role="support_agent", username="ana")


def link_in_mail():
    """What the owner reads: the path of the link."""
    OUTBOX.deliver_due()
    body = mail.outbox[-1].body
    return re.search(r"(/admin/access-link/\?token=\S+)", body)[1]


def token_of(path):
    """The token in a link."""
    return unquote(path.partition("token=")[2])


def send(operator, agent):
    access_links.reset_password(actor=operator, user=agent, reason="forgot it")
    return link_in_mail()


def test_nobody_sets_the_password_of_a_colleague(operator, agent, as_user):
    with pytest.raises(ColleagueSetsPasswordThemselves):
        authentication.set_password(actor=operator, user=agent, new_password=NEW)
    url = f"/api/admin/users/{agent.pk}/password"
    answer = as_user(operator).post(url, {"new_password": NEW}, format="json")
    problem(answer, 409, "colleague_sets_password")
    agent.refresh_from_db()
    assert agent.check_password(PASSWORD)


def test_the_owner_chooses_a_new_password_by_the_link_once(operator, agent, as_user):
    old = as_user(agent)
    path = send(operator, agent)
    assert mail.outbox[-1].to == [agent.email]
    problem(old.get("/api/auth/me"), 401)
    browser = Client()
    assert browser.get(path).status_code == 200
    body = {"new_password1": NEW, "new_password2": NEW}
    assert browser.post(path, body).status_code == 302
    agent.refresh_from_db()
    assert agent.check_password(NEW)
    assert browser.get(path).status_code == 410
    assert browser.post(path, {**body, "new_password1": "x"}).status_code == 410
    assert AuditEntry.objects.get(action="systemadmin.password.link_used").actor == agent


def test_a_refused_password_leaves_the_link_usable(operator, agent):
    path, browser = send(operator, agent), Client()
    shown = browser.post(path, {"new_password1": "short", "new_password2": "short"})
    assert "too short" in shown.content.decode()
    assert AccessLink.objects.usable().count() == 1


def test_the_link_is_stored_nowhere(operator, agent):
    token = token_of(send(operator, agent))
    assert Notification.objects.get(kind="access_link.password").body == ""
    assert token not in str(list(AccessLink.objects.values()))
    assert token not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("why", ["old", "other address", "suspended", "replaced", "forged"])
def test_a_link_that_opens_nothing_any_more(why, operator, agent):
    path = send(operator, agent)
    token, moment = token_of(path), timezone.now()
    assert access_links.find_link(token)
    if why == "old":
        moment += timedelta(hours=1, minutes=1)
    elif why == "other address":
        User.objects.filter(pk=agent.pk).update(email="mallory@example.test")
    elif why == "suspended":
        suspend_user(actor=None, user=agent, reason="left")
    elif why == "replaced":
        send(operator, agent)
        moment = timezone.now()
    else:
        token = token[:-1] + ("a" if token[-1] != "a" else "b")
    with time_machine.travel(moment), pytest.raises(LinkNotValid):
        access_links.find_link(token)


def test_of_two_uses_at_once_one_succeeds(operator, agent):
    token = token_of(send(operator, agent))
    first, second = access_links.find_link(token), access_links.find_link(token)
    authentication.choose_password(link=first, new_password=NEW)
    with pytest.raises(LinkNotValid):
        authentication.choose_password(link=second, new_password=NEW + "2")


def test_a_notice_sent_too_late_says_nothing(operator, agent):
    access_links.reset_password(actor=operator, user=agent, reason="forgot it")
    AccessLink.objects.update(expires_at=timezone.now())
    before = len(mail.outbox)
    OUTBOX.deliver_due()
    assert not [one for one in mail.outbox[before:] if "token=" in one.body]


def test_the_owner_takes_the_second_factor_off_with_link_and_password(operator, agent):
    totp_device_for(agent)
    two_factor.reset(actor=operator, user=agent, reason="lost the phone")
    assert two_factor.confirmed_device(agent) is not None
    path, browser = link_in_mail(), Client()
    wrong = browser.post(path, {"password": "nope"})
    assert "Wrong username or password" in wrong.content.decode()
    assert two_factor.confirmed_device(agent) is not None
    browser.post(path, {"password": PASSWORD})
    assert two_factor.confirmed_device(agent) is None


def test_without_an_address_or_a_reason_there_is_no_link(operator):
    agent = StaffFactory(email="")
    with pytest.raises(NoAddressOnFile):
        access_links.reset_password(actor=operator, user=agent, reason="forgot it")
    with pytest.raises(InvalidInput):
        access_links.reset_password(actor=operator, user=StaffFactory(), reason=" ")


def test_a_member_gets_a_link_from_one_person(operator):
    member = UserFactory()
    access_links.reset_password(actor=operator, user=member, reason="asked on the phone")
    assert AccessLink.objects.get().user == member


@pytest.mark.two_people
@pytest.mark.parametrize("what", ["password", "two_factor"])
def test_a_colleague_gets_a_link_after_two_people_agree(what, operator, agent, as_user):
    totp_device_for(agent)
    if what == "password":
        path = reverse("reset-password", args=[agent.pk])
    else:
        path = reverse("reset-2fa", args=[agent.pk])
    answer = as_user(operator).post(path, {"reason": "lost it"}, format="json")
    assert answer.status_code == 202, answer.json()
    assert not AccessLink.objects.exists()
    row = approvals.ApprovalRequest.objects.get()
    assert approvals.approve(actor=StaffFactory(role="operator"), request=row).state == "approved"
    assert AccessLink.objects.get().purpose == what


@pytest.mark.two_people
def test_a_new_address_while_it_waits_makes_the_reset_fail(operator, agent):
    with pytest.raises(SecondPersonNeeded) as found:
        access_links.reset_password(actor=operator, user=agent, reason="forgot it")
    (row,) = approvals.keep(found.value)
    User.objects.filter(pk=agent.pk).update(email="mallory@example.test")
    row = approvals.approve(actor=StaffFactory(role="operator"), request=row)
    assert row.state == "failed"
    assert not AccessLink.objects.exists()
