"""What staff search in the base app: people."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from systemadmin.foundation.display import display_name
from systemadmin.foundation.parsing import Unreadable, parse_whole_number
from systemadmin.foundation.personal_data import sees_personal_data
from systemadmin.foundation.plugins import Hit, SearchSource, person_view
from systemadmin.models import User

# Where a person's page is, best first: (name of the address, permission).
PERSON_PAGES = [("admin:systemadmin_user_change", "systemadmin.view_user")]


def find_people(user: Any, text: str, limit: int) -> list[Hit]:
    """Return accounts by id, or by how user name, names, external id or e-mail begin."""
    found = {account.pk: account for account in _by_id(text)}
    begins = User.objects.search(text, with_email=sees_personal_data(user))
    for account in begins.order_by("-pk")[:limit]:
        found.setdefault(account.pk, account)
    view = person_view(user)
    return [_hit(account, view) for account in list(found.values())[:limit]]


def _by_id(text: str) -> list[User]:
    try:
        return list(User.objects.filter(pk=parse_whole_number(text.lstrip("#"))))
    except Unreadable:
        return []


def _hit(account: User, view: str) -> Hit:
    return Hit(
        title=display_name(account),
        url=reverse(view, args=[account.pk]),
        text=" · ".join(
            part for part in (f"@{account.username}", account.external_id, account.country) if part
        ),
        badge=_("Suspended") if account.is_suspended else "",
    )


SOURCES = [
    SearchSource(
        code="people",
        title=_("People"),
        permission="systemadmin.view_user",
        icon="user",
        find=find_people,
        order=10,
    ),
]
