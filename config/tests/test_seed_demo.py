"""Demo seeding: all or nothing, once, the same town for the same seed, and marked as demo."""

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from systemadmin import demo
from systemadmin.foundation import plugins
from systemadmin.foundation.queue import drain
from systemadmin.models import Notification, User
from systemadmin.services import notify_user
from systemadmin.services.demo import has_demo_rows

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def demo_mode(settings):
    settings.DEMO_MODE = True


@pytest.fixture
def people_only(monkeypatch):
    """The desks have tests of their own; here their part is left out."""
    monkeypatch.setattr(plugins, "modules", lambda name: iter([demo]))


def town():
    return list(
        User.objects.demo().order_by("username").values_list("username", "first_name", "country")
    )


@pytest.mark.slow
def test_every_desk_adds_its_part():
    call_command("seed_demo")
    assert User.objects.demo().filter(is_staff=False).count() == demo.MEMBERS


def test_nobody_is_told_of_a_past_that_never_was(monkeypatch):
    def tell(world):
        member = world.members[0]
        notify_user(user=member, kind="demo", subject="Sold", body="Yesterday", key="demo-1")

    desk = type("desk", (), {"seed": staticmethod(tell), "__name__": "desk.demo"})
    monkeypatch.setattr(plugins, "modules", lambda name: iter([demo, desk]))
    call_command("seed_demo")
    drain()
    assert [notice.status for notice in Notification.objects.all()] == ["skipped"]
    assert mail.outbox == []


@pytest.mark.usefixtures("people_only")
class TestSeeding:
    def test_everybody_is_marked_as_demo_and_can_sign_in(self):
        call_command("seed_demo")
        assert not User.objects.filter(is_demo=False).exists()
        assert {user.username for user in User.objects.filter(is_staff=True)} == {
            person[0] for person in demo.STAFF.values()
        }
        assert User.objects.get(username="demo_member_001").check_password(demo.PASSWORD)
        support = User.objects.get(username="demo_support")
        assert [group.name for group in support.groups.all()] == ["support_agent"]

    def test_the_same_seed_gives_the_same_town_and_another_another(self):
        towns = []
        for seed in (1, 1, 2):
            call_command("seed_demo", seed=seed)
            towns.append(town())
            User.objects.demo().delete()
        assert towns[0] == towns[1] != towns[2]

    def test_once_means_once(self):
        call_command("seed_demo", once=True)
        before = town()
        call_command("seed_demo", once=True)
        assert town() == before
        with pytest.raises(CommandError, match="purge_demo"):
            call_command("seed_demo")

    def test_without_demo_mode_nothing_is_made(self, settings):
        settings.DEMO_MODE = False
        with pytest.raises(CommandError, match="DEMO_MODE"):
            call_command("seed_demo")
        assert not has_demo_rows()

    def test_a_desk_that_fails_leaves_nothing_behind(self, monkeypatch):
        def fail(world):
            raise RuntimeError("no coats today")

        broken = type("desk", (), {"seed": staticmethod(fail), "__name__": "broken.demo"})
        monkeypatch.setattr(plugins, "modules", lambda name: iter([demo, broken]))
        with pytest.raises(RuntimeError, match="no coats"):
            call_command("seed_demo")
        assert not has_demo_rows()

    def test_the_logins_that_are_printed_exist(self):
        call_command("seed_demo")
        assert demo.logins()[0] == ("demo_admin", "admin")
        assert len(demo.logins()) == len(demo.STAFF)
