"""How pages show accounts and moments."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.utils import translation

from systemadmin.foundation.display import display_moment, display_name
from systemadmin.models import User


def test_an_account_is_shown_by_its_full_name():
    user = User(username="ada", first_name="Ada", last_name="Byron")
    assert display_name(user) == "Ada Byron"


def test_an_account_without_a_name_is_shown_by_its_user_name():
    assert display_name(User(username="ada")) == "ada"


def test_a_moment_is_shown_in_the_zone_asked_for():
    moment = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    with translation.override("en"):
        assert display_moment(moment) == "31 Jan 2026, 23:30"
        assert display_moment(moment, ZoneInfo("Europe/Madrid")) == "1 Feb 2026, 00:30"
