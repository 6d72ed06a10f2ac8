"""Legal holds: by the API, the admin and the services."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from systemadmin.errors import LegalHoldOver
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.testing import problem
from systemadmin.models import AuditEntry, LegalHold, User
from systemadmin.querysets.legal_holds import held_accounts, is_held
from systemadmin.services.legal_holds import hold_account, release_hold
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

URL = "/api/admin/legal-holds"


def in_days(days):
    return timezone.now() + timedelta(days=days)


@pytest.fixture
def operator(staff):
    return staff("operator")


@pytest.fixture
def account(db):
    return UserFactory(username="held")


def test_a_hold_counts_until_it_is_released_or_ends(operator, account):
    other = UserFactory()
    assert not is_held(account.pk)
    hold = hold_account(actor=operator, user=account, reason="Court case", ends_at=in_days(5))
    ended = hold_account(actor=operator, user=other, reason="Old case", ends_at=in_days(5))
    LegalHold.objects.filter(pk=ended.pk).update(
        created_at=in_days(-9), ends_at=timezone.now() - timedelta(seconds=1)
    )
    assert list(held_accounts()) == [account.pk]
    assert is_held(account.pk)
    assert not is_held(other.pk)
    assert list(User.objects.exclude(pk__in=held_accounts()).filter(pk=account.pk)) == []
    release_hold(actor=operator, hold=hold, reason="Case closed")
    assert list(held_accounts()) == []
    actions = AuditEntry.objects.filter(action__startswith="systemadmin.legal_hold")
    assert sorted(actions.values_list("action", "target_id")) == [
        ("systemadmin.legal_hold.created", str(account.pk)),
        ("systemadmin.legal_hold.created", str(other.pk)),
        ("systemadmin.legal_hold.released", str(account.pk)),
    ]


def test_two_holds_are_two_reasons(operator, account):
    first = hold_account(actor=operator, user=account, reason="Case A", ends_at=in_days(5))
    hold_account(actor=operator, user=account, reason="Case B", ends_at=in_days(5))
    release_hold(actor=operator, hold=first, reason="Closed")
    assert is_held(account.pk)
    with pytest.raises(LegalHoldOver):
        release_hold(actor=operator, hold=first, reason="Closed")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"reason": "\u200b "}, "reason"),
        ({"ends_at": timezone.now() - timedelta(days=1)}, "ends_at"),
        ({"ends_at": timezone.now() + timedelta(days=3000)}, "ends_at"),
    ],
)
def test_a_hold_needs_a_reason_and_an_end(operator, account, values, field):
    asked = {"reason": "Case", "ends_at": in_days(5), **values}
    with pytest.raises(InvalidInput) as refusal:
        hold_account(actor=operator, user=account, **asked)
    assert refusal.value.errors[0]["field"] == field
    assert not LegalHold.objects.exists()


def test_by_the_api(as_user, operator, account):
    client = as_user(operator)
    body = {"account": account.pk, "reason": "Court case 12", "ends_at": in_days(9).isoformat()}
    made = client.post(URL, body, format="json")
    assert made.status_code == 201
    assert client.get(URL, {"account": account.pk}).json()["results"] == [made.json()]
    problem(client.post(URL, {**body, "account": 999_999}, format="json"), 400, "invalid")
    problem(client.post(URL, {**body, "ends_at": "soon"}, format="json"), 400, "invalid")
    release = f"{URL}/{made.json()['id']}/release"
    assert client.post(release, {"reason": "Closed"}, format="json").json()["released_at"]
    problem(client.post(release, {"reason": "Closed"}, format="json"), 409, "legal_hold_over")


def test_by_the_admin(admin_client_for, operator, account):
    browser = admin_client_for(operator)
    form = {
        "account": account.pk,
        "reason": "Case",
        "ends_at_0": "2030-01-01",
        "ends_at_1": "00:00",
    }
    assert browser.post(reverse("admin:systemadmin_legalhold_add"), form).status_code == 302
    hold = LegalHold.objects.get()
    assert (hold.account, hold.created_by) == (account, operator)
    page = reverse("admin:systemadmin_legalhold_changelist")
    data = {"action": "release", "_selected_action": hold.pk, "apply": "1", "reason": "Closed"}
    assert browser.post(page, data).status_code == 302
    assert not is_held(account.pk)
