"""Tokens for a member's own app, made by the platform: some scopes, some minutes."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.errors import OnlyServicesIssueTokens
from systemadmin.foundation.errors import InvalidInput, NotAllowed
from systemadmin.models import ApiToken, ServiceKey, User
from systemadmin.services.duties import check_no_own_interest
from systemadmin.services.rights import check_demo
from systemadmin.services.service_access import ISSUE_TOKEN, check_is_member

PREFIX: Final = "atm_"
LONGEST: Final = timedelta(minutes=60)
# An app that asks again and again loses its oldest.
MOST_TOKENS: Final = 20


@transaction.atomic
def issue_member_token(
    *, actor: User, member: User, scopes: Iterable[str], minutes: int
) -> tuple[ApiToken, str]:
    """Make a token with which a member's app calls for this member alone; return it and its secret.

    Only a service key makes one, with no more scopes than its own. Raises
    `OnlyServicesIssueTokens`, `ActsForMembersOnly`, `OwnInterest`, `DemoActsOnReal` and
    `InvalidInput`.
    """
    key = ServiceKey.objects.live().filter(account=actor).first() if actor.is_service else None
    if key is None:
        raise OnlyServicesIssueTokens
    if not actor.has_perm(ISSUE_TOKEN):
        raise NotAllowed
    check_is_member(member)
    check_demo(actor, member)
    check_no_own_interest(actor=actor, concerns=[member.pk], act=ISSUE_TOKEN)
    wanted = sorted(set(scopes))
    excess = [scope for scope in wanted if scope not in key.member_scopes]
    if excess or not wanted:
        raise InvalidInput(
            "scopes",
            _("Some of what the key itself has: %(scopes)s.")
            % {"scopes": ", ".join(key.member_scopes) or "-"},
            code="not_given",
        )
    if not 1 <= minutes <= LONGEST.total_seconds() // 60:
        raise InvalidInput("minutes", _("From 1 to 60."))
    _end_oldest(member)
    token, secret = ApiToken.objects.create(
        user=member,
        expiry=timedelta(minutes=minutes),
        prefix=PREFIX,
        scopes=wanted,
        service_key=key,
        label=key.name[:100],
    )
    audit.record(
        "systemadmin.member_token.issued",
        actor=actor,
        target=member,
        after={"scopes": wanted, "expires_at": token.expiry},
    )
    return token, secret


def _end_oldest(member: User) -> None:
    rows = ApiToken.objects.filter(user=member, scopes__isnull=False)
    rows.filter(expiry__lte=timezone.now()).delete()
    kept = rows.order_by("-created").values_list("digest", flat=True)[MOST_TOKENS - 1 :]
    ApiToken.objects.filter(digest__in=list(kept)).delete()
