"""No two user names differ in capitals only, whoever makes or renames an account."""

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.utils import timezone

from riskops.ingest.record import record_rows
from systemadmin.models import User
from systemadmin.services import members
from systemadmin.services.service_keys import create_service_key
from systemadmin.services.shell_accounts import create_superuser
from systemadmin.services.users import save_account
from systemadmin.tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough passphrase"


@pytest.fixture
def ana(db):
    call_command("setup", verbosity=0)
    return UserFactory(username="Ana.Admin", external_id="one")


@pytest.fixture
def root(db):
    return StaffFactory(is_superuser=True)


def renamed(root):
    other = UserFactory(username="other")
    other.username = "ana.admin"
    save_account(actor=root, user=other)


MAKES = {
    "made by staff": lambda root: save_account(actor=root, user=User(username="ana.admin")),
    "renamed by staff": renamed,
    "made by a shell": lambda _root: create_superuser(
        username="ANA.ADMIN", email="", password=PASSWORD, is_emergency=True, reason="first"
    ),
}


@pytest.mark.parametrize("made", sorted(MAKES))
def test_a_name_that_differs_in_capitals_is_refused(made, ana, root):
    with pytest.raises(ValidationError) as refusal:
        MAKES[made](root)
    assert "username" in refusal.value.message_dict
    assert User.objects.named(["ana.admin"]).get() == ana


def test_the_page_refuses_it(ana, root, admin_client_for):
    browser = admin_client_for(root)
    data = {"username": "ana.admin", "usable_password": "false"}
    answer = browser.post("/admin/systemadmin/user/add/", data)
    assert "already exists" in answer.content.decode()
    assert User.objects.named(["ana.admin"]).get() == ana


def test_members_are_refused_row_by_row(ana, root):
    UserFactory(username="two", external_id="two")
    UserFactory(username="three", external_id="three")
    rows = [
        {"external_id": "new", "username": "ana.admin"},
        {"external_id": "two", "username": "ANA.ADMIN"},
        {"external_id": "three", "username": "Fresh"},
        {"external_id": "four", "username": "fresh"},
        {"external_id": "one", "username": "ANA.admin"},
    ]
    found = members.upsert_members(actor=root, rows=rows)
    assert [one.status for one in found] == [
        "refused", "refused", "updated", "refused", "updated"
    ]  # fmt: skip
    # Without a name of its own a member gets another one.
    (made,) = members.upsert_members(actor=root, rows=[{"external_id": "aNA.admin"}])
    assert made.status == "created"
    assert User.objects.get(external_id="aNA.admin").username.startswith("member-")


def test_accounts_of_events_get_another_name(ana):
    event = {"kind": "login_ok", "occurred_at": timezone.now().isoformat()}
    ids = ["ana.admin", "AbC", "aBc"]
    rows = [{**event, "external_id": f"e-{one}", "account_external_id": one} for one in ids]
    result = record_rows(rows, source="test", create_accounts=True)
    assert result.refused == []
    names = [User.objects.get(external_id=one).username for one in ids]
    assert names[1] == "AbC"
    assert names[0].startswith("member-")
    assert names[2].startswith("member-")


def test_a_service_key_gets_another_name(root):
    UserFactory(username="Key.Till")
    issued = create_service_key(actor=None, name="till", owner=root, permissions=[])
    assert issued.key.account.username == "key.till.2"


def test_names_that_were_alike_before_stay(ana, root):
    twin = UserFactory(username="ana.admin")
    twin.first_name = "Twin"
    save_account(actor=root, user=twin)
    assert User.objects.get(pk=twin.pk).first_name == "Twin"
