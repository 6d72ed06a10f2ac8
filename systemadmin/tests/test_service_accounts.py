"""Accounts that hold rights without being staff: nobody gets into one through its password."""

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from systemadmin.errors import (
    AccountIsErased,
    CannotDecideRequest,
    CannotSuspendStaff,
    CautionNotAnswered,
    ColleagueSetsPasswordThemselves,
    KeyOfAColleague,
    NotOnServiceKeys,
    StaffNotErased,
)
from systemadmin.foundation.configuration import declared_settings
from systemadmin.foundation.testing import problem
from systemadmin.models import AccessLink, AuditEntry, User
from systemadmin.services import (
    access_links,
    approval_texts,
    approvals,
    authentication,
    rights,
    two_factor,
)
from systemadmin.services.erasure import check_erasable
from systemadmin.services.second_person import SecondPersonNeeded
from systemadmin.services.service_keys import (
    create_service_key,
    hand_over_service_key,
    rotate_service_key,
)
from systemadmin.services.users import (
    reinstate_user,
    save_account,
    suspend_user,
    verify_user,
)
from systemadmin.tests.factories import PASSWORD, StaffFactory, UserFactory, totp_device_for

pytestmark = [pytest.mark.django_db, pytest.mark.two_people]
NEW = "A-quite-different-1-phrase"


@pytest.fixture(autouse=True)
def shipped(db):
    call_command("setup", verbosity=0)


@pytest.fixture
def operator():
    return StaffFactory(role="operator", username="olga")


@pytest.fixture
def second():
    return StaffFactory(role="operator", username="otto")


def permission(name):
    app, codename = name.split(".")
    return Permission.objects.get(content_type__app_label=app, codename=codename)


def with_permission(user):
    user.user_permissions.add(permission("marketplace.pay_order"))


def with_role(user):
    user.groups.add(Group.objects.get(name="operator"))


def suspended_service(user):
    with_permission(user)
    suspend_user(actor=None, user=user, reason="leaked")


def closed_service(user):
    with_permission(user)
    User.objects.filter(pk=user.pk).update(is_active=False)


HOLDERS = [with_permission, with_role, suspended_service, closed_service]


@pytest.fixture(params=HOLDERS, ids=lambda one: one.__name__)
def service(request):
    """An account that holds rights and is no staff."""
    user = UserFactory(username="payments", email="payments@example.test")
    request.param(user)
    return User.objects.get(pk=user.pk)


def ask(call, reason="lost"):
    with pytest.raises(SecondPersonNeeded) as found:
        call()
    (row,) = approvals.keep(found.value, reason)
    return row


def shown_to(viewer, row):
    return {str(label): str(value) for label, value in approval_texts.facts(row, viewer=viewer)}


# -- the password --------------------------------------------------------------------------


def test_nobody_sets_the_password_of_an_account_with_rights(
    service, operator, superuser, as_user, admin_client_for
):
    for actor in (operator, superuser):
        with pytest.raises(ColleagueSetsPasswordThemselves):
            authentication.set_password(actor=actor, user=service, new_password=NEW)
    url = f"/api/admin/users/{service.pk}/password"
    problem(
        as_user(operator).post(url, {"new_password": NEW}, format="json"),
        409,
        "colleague_sets_password",
    )
    page = reverse("admin:systemadmin_user_access", args=[service.pk])
    browser = admin_client_for(operator)
    assert 'name="new_password"' not in browser.get(page).content.decode()
    browser.post(page, {"act": "password", "new_password": NEW, "reason": "x"})
    service.refresh_from_db()
    assert service.check_password(PASSWORD)


def test_a_link_for_it_needs_a_second_person(service, operator, second, as_user):
    ask(lambda: access_links.reset_password(actor=operator, user=service, reason="lost"))
    assert not AccessLink.objects.exists()
    url = f"/api/admin/users/{service.pk}/password-reset"
    answer = as_user(operator).post(url, {"reason": "lost"}, format="json")
    assert answer.status_code == 202


def test_its_second_factor_is_taken_off_by_a_link_that_two_agree_to(service, operator):
    totp_device_for(service)
    ask(lambda: two_factor.reset(actor=operator, user=service, reason="phone"))
    assert two_factor.confirmed_device(service)


def test_rights_given_to_an_account_whose_password_changed_meanwhile_fail(superuser, operator):
    other = StaffFactory(is_superuser=True)
    user = UserFactory()
    row = ask(
        lambda: rights.set_rights(
            actor=superuser, user=user, permissions=[permission("marketplace.pay_order")]
        )
    )
    access_links.reset_password(actor=operator, user=user, reason="lost")
    authentication.choose_password(link=AccessLink.objects.get(), new_password=NEW)
    assert approvals.approve(actor=other, request=row, reason="ok").state == "failed"
    assert not User.objects.get(pk=user.pk).holds_rights


def test_who_gives_rights_reads_who_set_the_password(superuser, operator):
    user = UserFactory(email="")
    authentication.set_password(actor=operator, user=user, new_password=NEW)
    row = ask(
        lambda: rights.set_rights(
            actor=superuser, user=user, permissions=[permission("marketplace.pay_order")]
        )
    )
    other = StaffFactory(is_superuser=True)
    assert "olga" in shown_to(other, row)["password set by"]


def test_letting_a_service_account_in_again_needs_those_who_manage_staff(operator, superuser):
    user = UserFactory()
    suspended_service(user)
    with pytest.raises(CannotSuspendStaff):
        reinstate_user(actor=operator, user=user)
    reinstate_user(actor=superuser, user=user)
    closed = UserFactory()
    closed_service(closed)
    closed.refresh_from_db()
    ask(lambda: rights.set_rights(actor=superuser, user=closed, flags={"is_active": True}))


def test_a_service_account_is_not_erased_before_its_rights_are_gone():
    user = UserFactory()
    with_permission(user)
    with pytest.raises(StaffNotErased):
        check_erasable(user, despite_open_business=True)


# -- the address of a link --------------------------------------------------------------


@pytest.fixture
def moved(superuser):
    """A colleague whose address a superuser has just changed."""
    user = StaffFactory(role="support_agent", username="ana", email="ana@example.test")
    user.email = "mallory@example.test"
    save_account(actor=superuser, user=user)
    return user


def reset(actor, user):
    return ask(lambda: access_links.reset_password(actor=actor, user=user, reason="forgot"))


def test_who_approves_reads_the_address_and_who_set_it_when(moved, superuser, second):
    row = reset(superuser, moved)
    shown = shown_to(second, row)
    assert shown["address of the link"] == "mallory@example.test"
    assert "set by root" in shown["the address is on file"]
    assert f"{timezone.now():%Y-%m-%d}" in shown["the address is on file"]


def test_who_cannot_decide_reads_the_address_masked(moved, superuser, second):
    row = reset(superuser, moved)
    agent = StaffFactory(role="support_agent")
    assert "mallory@" not in str(approval_texts.facts(row, viewer=agent))
    assert "mallory@" not in approval_texts.caution_of(row, viewer=agent)


def test_a_link_to_a_new_address_is_approved_in_words_only(moved, superuser, second, as_user):
    row = reset(superuser, moved)
    with pytest.raises(CautionNotAnswered):
        approvals.approve(actor=second, request=row)
    url = f"/api/admin/approvals/{row.pk}"
    assert "mallory@example.test" in as_user(second).get(url).json()["caution"]
    refused = as_user(second).post(f"{url}/approve", {}, format="json")
    assert problem(refused, 400)["errors"][0]["field"] == "reason"
    assert not AccessLink.objects.exists()
    row.refresh_from_db()
    done = approvals.approve(actor=second, request=row, reason="called her, it is her new one")
    assert done.state == "approved"


def test_the_page_shows_the_caution(moved, superuser, second, admin_client_for):
    row = reset(superuser, moved)
    page = reverse("admin:systemadmin_approvalrequest_change", args=[row.pk])
    assert "Ask the owner on another way" in admin_client_for(second).get(page).content.decode()


def test_who_set_the_new_address_does_not_approve_a_link_to_it(moved, operator):
    boss = StaffFactory(is_superuser=True)
    moved.email = "mallory@example.org"
    save_account(actor=boss, user=moved)
    row = reset(operator, moved)
    with pytest.raises(CannotDecideRequest):
        approvals.approve(actor=boss, request=row, reason="sure")
    assert not AccessLink.objects.exists()


def test_an_address_that_changes_while_it_waits_gets_no_link(operator, second, superuser):
    user = StaffFactory(role="support_agent", email="ana@example.test")
    row = reset(operator, user)
    user.email = "mallory@example.test"
    save_account(actor=superuser, user=user)
    done = approvals.approve(actor=second, request=row, reason="ok")
    assert done.state == "failed"
    assert not AccessLink.objects.exists()


def test_an_address_on_file_for_long_needs_no_words(moved, superuser, second):
    with time_machine.travel(timezone.now() + timedelta(days=15)):
        row = reset(superuser, moved)
        assert approvals.approve(actor=second, request=row).state == "approved"


def test_alone_in_a_place_the_trail_names_the_new_address(moved, superuser):
    object.__setattr__(declared_settings()["duties.single_person"], "default", True)
    access_links.reset_password(actor=superuser, user=moved, reason="forgot")
    entry = AuditEntry.objects.get(action="systemadmin.duties.acted_alone")
    assert "mallory@example.test" in entry.metadata["caution"]


# -- erased accounts -----------------------------------------------------------------------

ERASED = {
    "password": lambda actor, user: authentication.set_password(
        actor=actor, user=user, new_password=NEW
    ),
    "link": lambda actor, user: access_links.reset_password(actor=actor, user=user, reason="x"),
    "second factor": lambda actor, user: two_factor.reset(actor=actor, user=user, reason="x"),
    "suspend": lambda actor, user: suspend_user(actor=actor, user=user, reason="x"),
    "reinstate": lambda actor, user: reinstate_user(actor=actor, user=user),
    "verify": lambda actor, user: verify_user(actor=actor, user=user),
    "account": lambda actor, user: save_account(actor=actor, user=user),
    "rights": lambda actor, user: rights.set_rights(
        actor=actor, user=user, flags={"is_active": True, "is_staff": True}
    ),
}


@pytest.mark.parametrize("act", ERASED)
def test_nothing_is_done_to_an_erased_account(act, superuser):
    user = UserFactory()
    totp_device_for(user)
    User.objects.filter(pk=user.pk).update(is_active=False, email="", erased_at=timezone.now())
    user.refresh_from_db()
    before = AuditEntry.objects.count()
    with pytest.raises(AccountIsErased):
        ERASED[act](superuser, user)
    assert AuditEntry.objects.count() == before


def test_the_api_says_that_the_account_is_erased(superuser, as_user):
    user = UserFactory()
    User.objects.filter(pk=user.pk).update(is_active=False, email="", erased_at=timezone.now())
    client = as_user(superuser)
    for path, body in (
        ("password", {"new_password": NEW}),
        ("password-reset", {"reason": "x"}),
        ("2fa/reset", {"reason": "x"}),
        ("suspend", {"reason": "x"}),
        ("reinstate", {}),
        ("verify", {}),
    ):
        answer = client.post(f"/api/admin/users/{user.pk}/{path}", body, format="json")
        problem(answer, 409, "account_erased")


# -- keys --------------------------------------------------------------------------------------


def test_an_operator_makes_no_key_that_pays_without_a_limit(operator, superuser, as_user):
    names = ["marketplace.pay_order"]
    for owner in (operator, superuser):
        with pytest.raises(NotOnServiceKeys):
            create_service_key(actor=operator, name="pay", permissions=names, owner=owner)
    key = create_service_key(actor=superuser, name="pay", permissions=names).key
    with pytest.raises(KeyOfAColleague):
        rotate_service_key(actor=operator, key=key)
    with pytest.raises(KeyOfAColleague):
        hand_over_service_key(actor=operator, key=key, owner=operator)


def test_nobody_gives_a_key_what_only_its_owner_may(operator, superuser):
    names = ["riskops.override_riskscore"]
    with pytest.raises(NotOnServiceKeys):
        create_service_key(actor=operator, name="risk", permissions=names, owner=superuser)
    create_service_key(actor=superuser, name="risk", permissions=names)
