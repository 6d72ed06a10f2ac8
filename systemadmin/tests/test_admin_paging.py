"""Lists of the admin: the first rows in pages, never a count of a table that grows."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from systemadmin.admin.users import UserAdmin
from systemadmin.foundation.admin.paging import BoundedPaginator
from systemadmin.models import User
from systemadmin.tests.factories import UserFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/systemadmin/user/"


@pytest.fixture
def browser(admin_client_for, superuser, monkeypatch):
    monkeypatch.setattr(BoundedPaginator, "most", 4)
    monkeypatch.setattr(UserAdmin, "list_per_page", 2)
    return admin_client_for(superuser)


def names_on(answer):
    return [user.username for user in answer.context["cl"].result_list]


def test_a_long_list_says_that_it_shows_the_first_rows(browser):
    made = [UserFactory(username=f"member-{number}") for number in range(6)]

    first, last, beyond = browser.get(LIST), browser.get(f"{LIST}?p=2"), browser.get(f"{LIST}?p=3")

    assert "The first 4 users" in first.content.decode()
    assert names_on(first) + names_on(last) == [user.username for user in reversed(made)][:4]
    assert beyond.status_code == 302


def test_a_short_list_is_counted(browser):
    UserFactory()
    text = browser.get(LIST).content.decode()
    assert f"{User.objects.count()} users" in text
    assert "The first" not in text


def test_no_list_counts_all_of_its_rows(browser):
    UserFactory.create_batch(6)
    with CaptureQueriesContext(connection) as queries:
        browser.get(LIST)
    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT" in sql for sql in counts)
