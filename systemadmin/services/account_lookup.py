"""Finding the account of a whole e-mail address, for staff who see addresses masked."""

import re
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from systemadmin import audit
from systemadmin.foundation.errors import DomainError
from systemadmin.foundation.personal_data import masked, sees_personal_data
from systemadmin.foundation.ratelimit import hit
from systemadmin.models import User

_WHOLE_ADDRESS: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}\.[^@\s.]{2,63}")
# More than one account has an address only by accident.
MOST_FOUND: Final = 20


class TooManyLookups(DomainError):
    """429: this person has looked up as many addresses as the work needs."""

    status = 429
    code = "throttled"
    title = _("You have looked up too many e-mail addresses. Try again later.")


def is_whole_address(text: str) -> bool:
    """Return whether a text is a whole e-mail address and not the beginning of one."""
    return _WHOLE_ADDRESS.fullmatch(text.strip()) is not None


def find_accounts(*, http: HttpRequest, actor: Any, accounts: QuerySet, text: str) -> QuerySet:
    """Return the accounts that a search by name, external id or e-mail address finds.

    Whoever sees addresses masked finds only by a whole one, as a customer tells it. Each such
    look-up is counted (`ratelimit.lookup`) and written into the audit trail. Raises
    `TooManyLookups`, `RateLimitUnavailable`.
    """
    if sees_personal_data(actor):
        return accounts.search(text, with_email=True)
    if not is_whole_address(text):
        return accounts.search(text)
    usage = hit(http, "lookup", user_id=actor.pk)
    if usage is not None and usage.is_exceeded:
        raise TooManyLookups(headers={"Retry-After": str(max(1, usage.reset))})
    found = list(User.objects.filter(email__iexact=text.strip()).values_list("pk", flat=True))
    audit.record(
        "systemadmin.account.looked_up",
        actor=actor,
        target=User.objects.get(pk=found[0]) if len(found) == 1 else None,
        metadata={"by": masked(text.strip()), "found": found[:MOST_FOUND]},
    )
    return accounts.filter(pk__in=found[:MOST_FOUND])
