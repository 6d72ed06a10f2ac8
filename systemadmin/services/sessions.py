"""Sessions and tokens of an account: listing, noting and ending them."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from systemadmin import audit
from systemadmin.foundation.context import current
from systemadmin.foundation.errors import NotAllowed, NotFound
from systemadmin.foundation.parsing import is_whole_number
from systemadmin.foundation.personal_data import masked, sees_personal_data
from systemadmin.models import ApiToken, User, UserSession
from systemadmin.services.duties import decides

# Writing "seen now" on every request would make every read a write.
SEEN_EVERY: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One way into an account that is open now, whether token or browser session."""

    id: str
    kind: str
    title: str
    ip: str | None
    device: str
    user_agent: str
    created_at: datetime
    last_seen_at: datetime | None
    expires_at: datetime | None
    two_factor: bool | None
    is_current: bool


def open_accesses(user: User, *, current_access: Any = None) -> list[Access]:
    """Return every session and token of the account that still works, last used first."""
    found = [_of_token(row, current_access) for row in live_tokens(user)]
    keys = dict(
        Session.objects.filter(
            session_key__in=UserSession.objects.filter(user=user).values("session_key"),
            expire_date__gt=timezone.now(),
        ).values_list("session_key", "expire_date")
    )
    rows = UserSession.objects.filter(user=user, session_key__in=keys)
    found += [_of_session(row, keys[row.session_key], current_access) for row in rows]
    return sorted(found, key=lambda row: row.last_seen_at or row.created_at, reverse=True)


def shown_accesses(user: User, *, viewer: Any, current_access: Any = None) -> list[Access]:
    """Return what is open as the viewer sees it: some see addresses and devices masked."""
    found = open_accesses(user, current_access=current_access)
    if viewer.pk == user.pk or sees_personal_data(viewer):
        return found
    return [replace(row, ip=masked(row.ip) or None, device=masked(row.device)) for row in found]


def live_tokens(user: User) -> QuerySet[ApiToken]:
    """Return tokens of the account that have not expired."""
    unexpired = Q(expiry__isnull=True) | Q(expiry__gt=timezone.now())
    return ApiToken.objects.filter(unexpired, user=user)


def _of_token(row: ApiToken, current_access: Any) -> Access:
    return Access(
        id=f"token-{row.public_id.hex}",
        kind="token",
        title=row.label,
        ip=row.ip,
        device=row.device,
        user_agent=row.user_agent,
        created_at=row.created,
        last_seen_at=row.last_used_at,
        expires_at=row.expiry,
        two_factor=row.two_factor_at is not None,
        is_current=isinstance(current_access, ApiToken) and current_access.pk == row.pk,
    )


def _of_session(row: UserSession, expires_at: datetime, current_access: Any) -> Access:
    return Access(
        id=f"session-{row.pk}",
        kind="session",
        title="",
        ip=row.ip,
        device="",
        user_agent=row.user_agent,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        expires_at=expires_at,
        # Kept in the session itself, which is not worth decoding for a list.
        two_factor=None,
        is_current=_session_key(current_access) == row.session_key,
    )


def _session_key(access: Any) -> str | None:
    return access.session.session_key if isinstance(access, HttpRequest) else None


# -- noting ----------------------------------------------------------------------------


def note_web_session(*, http: HttpRequest, user: User) -> UserSession:
    """Remember whose session this is; called once, at sign-in."""
    if not http.session.session_key:
        http.session.create()
    call = current()
    row, _created = UserSession.objects.update_or_create(
        session_key=http.session.session_key,
        defaults={
            "user": user,
            "ip": call.ip,
            "user_agent": call.user_agent,
            "last_seen_at": timezone.now(),
        },
    )
    return row


def note_seen(*, session_key: str | None) -> None:
    """Move "last seen" of a browser session forward, at most every few minutes."""
    now = timezone.now()
    stale = UserSession.objects.filter(session_key=session_key, last_seen_at__lt=now - SEEN_EVERY)
    # Asked first: even an UPDATE of nothing would wait for SQLite's only writer.
    if stale.exists():
        stale.update(last_seen_at=now, ip=current().ip)


def note_token_used(token: ApiToken) -> None:
    """Move "last used" of a token forward, at most every few minutes."""
    now = timezone.now()
    if token.last_used_at < now - SEEN_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


# -- ending ----------------------------------------------------------------------------


def _another_account(*, actor: User, user: User, **_rest: Any) -> list[int]:
    """Everybody may end their own."""
    return [] if actor.pk == user.pk else [user.pk]


@decides(
    "systemadmin.end_session", permission="systemadmin.end_sessions", concerns=_another_account
)
@transaction.atomic
def end_one(*, actor: User, user: User, access_id: str, reason: str = "") -> None:
    """End one session or token of the account; raises `NotFound`."""
    if not user.is_in_reach_of(actor):
        raise NotAllowed
    kind, _dash, number = access_id.partition("-")
    if kind == "token":
        ended = ApiToken.objects.filter(user=user, public_id=_uuid(number)).delete()[0]
    elif kind == "session" and is_whole_number(number):
        ended = _end_web(UserSession.objects.filter(user=user, pk=int(number)))
    else:
        ended = 0
    if not ended:
        raise NotFound
    audit.record(
        "systemadmin.session.ended",
        actor=actor,
        target=user,
        reason=reason,
        metadata={"access": access_id},
    )


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(hex=text)
    except ValueError:
        raise NotFound from None


@decides(
    "systemadmin.end_sessions", permission="systemadmin.end_sessions", concerns=_another_account
)
@transaction.atomic
def end_all(*, actor: User | None, user: User, keep: Any = None, reason: str = "") -> int:
    """End every session and token of the account, but the one to keep; returns how many."""
    if not user.is_in_reach_of(actor):
        raise NotAllowed
    tokens = ApiToken.objects.filter(user=user)
    webs = UserSession.objects.filter(user=user)
    if isinstance(keep, ApiToken):
        tokens = tokens.exclude(pk=keep.pk)
    key = _session_key(keep)
    if key:
        webs = webs.exclude(session_key=key)
    ended = _delete_tokens(tokens) + _end_web(webs)
    audit.record(
        "systemadmin.sessions.ended",
        actor=actor,
        target=user,
        reason=reason,
        metadata={"ended": ended},
    )
    return ended


@transaction.atomic
def end_all_of_members(*, actor: User, reason: str) -> int:
    """Log out everyone but staff; returns how many sessions and tokens ended.

    A demo account logs out demo accounts only.
    """
    members = Q(user__is_staff=False, user__is_superuser=False)
    if actor.is_demo:
        members &= Q(user__is_demo=True)
    ended = _delete_tokens(ApiToken.objects.filter(members))
    ended += _end_web(UserSession.objects.filter(members))
    audit.record(
        "systemadmin.sessions.ended_of_members",
        actor=actor,
        reason=reason,
        metadata={"ended": ended},
    )
    return ended


def _delete_tokens(tokens: QuerySet[ApiToken]) -> int:
    return tokens.delete()[0]


def _end_web(rows: QuerySet[UserSession]) -> int:
    Session.objects.filter(session_key__in=rows.values("session_key")).delete()
    return rows.delete()[0]
