"""Whom a call of a service key is by, and the member that it acts for."""

from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import AuthenticationFailed

from systemadmin.errors import ActsForMembersOnly
from systemadmin.foundation.addresses import is_within, parse_ip
from systemadmin.foundation.errors import InvalidInput, NotAllowed
from systemadmin.foundation.parsing import Unreadable
from systemadmin.foundation.references import key_of, parse_reference
from systemadmin.models import ServiceKey, ServiceKeySecret, User
from systemadmin.service_key_format import digest_of, is_well_formed
from systemadmin.services.duties import check_no_own_interest
from systemadmin.services.rights import check_demo

ACT_FOR: Final = "systemadmin.act_for_member"
ISSUE_TOKEN: Final = "systemadmin.issue_member_token"  # noqa: S105 - a permission's name

SEEN_EVERY: Final = timedelta(minutes=1)

_UNKNOWN: Final = _("There is no such service key.")
_REVOKED: Final = _("This service key is revoked.")
_EXPIRED: Final = _("This service key has expired.")
_REPLACED: Final = _("This secret was replaced by a newer one of the same service key.")
_ELSEWHERE: Final = _("This service key is not accepted from this address.")
_CLOSED: Final = _("The account of this service key is closed.")


def key_of_secret(secret: str, *, ip: str) -> ServiceKey:
    """Return the key that a secret opens, from this address and now.

    Raises `AuthenticationFailed` with a code that says why not: `key_unknown`, `key_revoked`,
    `key_expired`, `key_replaced`, `key_elsewhere`, `key_closed`.
    """
    # A text that only looks like a key costs no query.
    if not is_well_formed(secret):
        raise AuthenticationFailed(_UNKNOWN, "key_unknown")
    found = (
        ServiceKeySecret.objects.select_related("key__account", "key__owner")
        .filter(digest=digest_of(secret))
        .first()
    )
    if found is None:
        raise AuthenticationFailed(_UNKNOWN, "key_unknown")
    key = found.key
    if key.revoked_at is not None:
        raise AuthenticationFailed(_REVOKED, "key_revoked")
    if key.is_expired:
        raise AuthenticationFailed(_EXPIRED, "key_expired")
    if found.ends_at is not None and found.ends_at <= timezone.now():
        raise AuthenticationFailed(_REPLACED, "key_replaced")
    if key.networks and not is_within(ip, key.networks):
        raise AuthenticationFailed(_ELSEWHERE, "key_elsewhere")
    if not key.account.is_acting_staff:
        raise AuthenticationFailed(_CLOSED, "key_closed")
    note_key_used(found, ip=ip)
    return key


def member_for(key: ServiceKey, named: str) -> User:
    """Return the member that a key acts for, named by our id or `ext:…`.

    Raises `NotAllowed` (the key may not), `ActsForMembersOnly` (staff, services, accounts with
    permissions), `OwnInterest` (an account of the key's owner) and `InvalidInput`.
    """
    if not key.account.has_perm(ACT_FOR):
        raise NotAllowed(_("This service key may not act for members."), code="act_for_refused")
    member = active_member(named, field="Act-For")
    check_demo(key.account, member)
    check_no_own_interest(actor=key.account, concerns=[member.pk], act=ACT_FOR)
    return member


def active_member(named: str | int, *, field: str) -> User:
    """Return an open account of a member, or raise `InvalidInput` and `ActsForMembersOnly`."""
    try:
        pk = key_of(parse_reference(named))
    except Unreadable as error:
        raise InvalidInput(field, str(error)) from error
    member = User.objects.filter(pk=pk, is_active=True).first()
    if member is None:
        raise InvalidInput(field, _("There is no such member."), code="does_not_exist")
    check_is_member(member)
    return member


def check_is_member(account: User) -> None:
    """Raise `ActsForMembersOnly` for whoever has any right beyond a member's own."""
    is_more = account.is_staff or account.is_superuser or account.is_service
    if is_more or account.user_permissions.exists() or account.groups.exists():
        raise ActsForMembersOnly


def note_key_used(secret: ServiceKeySecret, *, ip: str) -> None:
    """Move "last used" of a key and its secret forward, at most once a minute."""
    now = timezone.now()
    late = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - SEEN_EVERY)
    if secret.last_used_at is None or secret.last_used_at < now - SEEN_EVERY:
        ServiceKeySecret.objects.filter(late, pk=secret.pk).update(last_used_at=now)
        ServiceKey.objects.filter(late, pk=secret.key_id).update(
            last_used_at=now, last_used_ip=parse_ip(ip) or None
        )
