"""Signing in and out: passwords, suspension, second factor, tokens and their traces."""

from dataclasses import dataclass
from typing import Any, Final

from django.contrib.auth import authenticate, update_session_auth_hash
from django.contrib.auth import logout as django_logout
from django.contrib.auth import password_validation as validation
from django.contrib.auth.models import update_last_login
from django.contrib.auth.signals import user_login_failed as django_login_failed
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django_otp import login as otp_login
from django_otp.models import Device

from systemadmin import audit
from systemadmin.errors import (
    ColleagueSetsPasswordThemselves,
    InvalidCredentials,
    OtpInvalid,
    OwnerSetsPasswordThemselves,
    SignInLocked,
    SignInSuspended,
)
from systemadmin.events import user_logged_in, user_login_failed
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.context import current
from systemadmin.foundation.errors import InvalidInput, NotAllowed
from systemadmin.models import AccessLink, ApiToken, Demo2FASession, User, UserSession
from systemadmin.services import (
    access_links,
    address_history,
    rights,
    sessions,
    sign_in_lock,
    two_factor,
)
from systemadmin.services.demo_2fa import is_offered
from systemadmin.services.duties import concerned_user, decides
from systemadmin.services.emergency_account import report_emergency_sign_in
from systemadmin.services.security_notices import notify_owner

# Whoever signs in more often than this without signing out loses the oldest token.
MAX_TOKENS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInfo:
    """What a client states about the machine it runs on."""

    fingerprint: str = ""
    screen: str = ""
    language: str = ""
    timezone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A sign-in that succeeded; `secret` is the only time the token is seen."""

    user: User
    secret: str
    token: ApiToken

    @property
    def needs_setup(self) -> bool:
        """Whether the token opens nothing yet but the enrolment of a second factor."""
        return two_factor.is_needed(self.user) and self.token.two_factor_at is None


def login(
    *,
    http: HttpRequest,
    username: str,
    password: str,
    otp_code: str = "",
    device: DeviceInfo | None = None,
) -> SignIn:
    """Check name, password, standing and second factor, then issue a bearer token.

    Must not run inside a transaction: the traces of a refusal have to outlive it. Raises
    `InvalidCredentials`, `SignInLocked`, `SignInSuspended`, `OtpRequired`, `OtpInvalid`,
    `OtpThrottled`.
    """
    device = device or DeviceInfo()
    http.sign_in_device = device
    user, factor = _checked(http, username, password, otp_code)
    with transaction.atomic():
        signed_in = _issue(user, factor, device)
        note_signed_in(user, device=device.fingerprint, token=signed_in.token)
        update_last_login(User, user)
    # Only now: a password alone must not wipe the count of wrong codes.
    sign_in_lock.forget_failures(http=http, username=user.get_username())
    return signed_in


def _checked(
    http: HttpRequest, username: str, password: str, code: str
) -> tuple[User, Device | None]:
    try:
        user = check_password(http=http, username=username, password=password)
        return user, check_second_factor(http=http, user=user, code=code)
    except SignInLocked:
        passed = sign_in_lock.pass_lock(http=http, username=username, password=password, code=code)
        if passed is None:
            raise
        return passed


def check_password(*, http: HttpRequest, username: str, password: str) -> User:
    """Return the account that name and password belong to, if it may sign in at all."""
    user = authenticate(http, username=username, password=password)
    if user is None:
        raise sign_in_lock.refusal(http, username) if _is_locked(http) else InvalidCredentials()
    if user.is_suspended:
        audit.record(
            "systemadmin.login.refused", actor=user, target=user, metadata={"why": "suspended"}
        )
        raise SignInSuspended.of(user)
    return user


def _is_locked(http: HttpRequest) -> bool:
    return getattr(http, "axes_locked_out", False)


def check_second_factor(*, http: HttpRequest, user: User, code: str) -> Device | None:
    """Return the device that vouches for the sign-in; None when the account has, and owes, none."""
    if two_factor.confirmed_device(user) is None and not (
        is_offered(user) and (code or two_factor.is_needed(user))
    ):
        return None
    try:
        return two_factor.verify(user=user, code=code)
    except OtpInvalid:
        # Counted with the wrong passwords, so that a stolen password buys five guesses.
        django_login_failed.send(
            sender=__name__,
            credentials={"username": user.get_username()},
            request=http,
        )
        if _is_locked(http):
            raise sign_in_lock.refusal(http, user.get_username()) from None
        raise OtpInvalid() from None


def _issue(user: User, factor: Device | None, device: DeviceInfo) -> SignIn:
    call, now = current(), timezone.now()
    token, secret = ApiToken.objects.create(
        user=user,
        device=device.fingerprint,
        device_info={
            "screen": device.screen,
            "language": device.language,
            "timezone": device.timezone,
        },
        ip=call.ip,
        user_agent=call.user_agent,
        two_factor_at=now if factor is not None else None,
    )
    if isinstance(factor, Demo2FASession):
        token.demo_session = factor
        token.expiry = factor.expires_at
        token.save(update_fields=["demo_session", "expiry"])
    surplus = ApiToken.objects.filter(user=user).order_by("-created", "pk")[MAX_TOKENS:]
    ApiToken.objects.filter(pk__in=[row.pk for row in surplus]).delete()
    return SignIn(user=user, secret=secret, token=token)


# -- traces: audit rows and events -----------------------------------------------------


def note_signed_in(
    user: User,
    *,
    device: str = "",
    token: ApiToken | None = None,
    factor: Device | None = None,
    is_by_provider: bool = False,
) -> None:
    """Record a sign-in, by token or in the browser, and send the signal."""
    entry = audit.record(
        "systemadmin.login.succeeded",
        actor=user,
        target=user,
        metadata={
            "channel": "api" if token is not None else "web",
            "two_factor": (token.two_factor_at is not None) if token else factor is not None,
            "device": device,
            **({"by": "provider"} if is_by_provider else {}),
        },
    )
    if not is_by_provider:
        report_emergency_sign_in(user)
    user_logged_in.send(
        sender=User,
        user_id=user.pk,
        ip=entry.ip,
        device=device,
        country="",
        occurred_at=entry.occurred_at,
        event_key=f"login-{entry.pk}",
    )


@transaction.atomic
def note_failed(*, username: str, http: HttpRequest | None) -> None:
    """Record a failed sign-in; the name is kept only when an account bears it.

    People type passwords into the name field: an unknown name is not worth that risk.
    """
    user = User.objects.filter(username=username).first()
    device: DeviceInfo = getattr(http, "sign_in_device", None) or DeviceInfo()
    entry = audit.record(
        "systemadmin.login.failed",
        target=user,
        metadata={
            "known_account": user is not None,
            "locked": bool(http and _is_locked(http)),
            "device": device.fingerprint,
        },
    )
    if user is not None:
        user_login_failed.send(
            sender=User,
            user_id=user.pk,
            ip=entry.ip,
            device=device.fingerprint,
            occurred_at=entry.occurred_at,
            event_key=f"login-{entry.pk}",
        )


# -- signing out, passwords ------------------------------------------------------------


@transaction.atomic
def logout(*, user: User, access: ApiToken | HttpRequest) -> None:
    """End the token, or the browser session, that the call came with."""
    if isinstance(access, ApiToken):
        access.delete()
        audit.record("systemadmin.logout", actor=user, target=user, metadata={"channel": "api"})
    else:
        django_logout(access)  # its signal leaves the trace, for every way out of the browser


@transaction.atomic
def note_signed_out(*, user: User, session_key: str | None) -> None:
    """Record the end of a browser session."""
    UserSession.objects.filter(session_key=session_key).delete()
    audit.record("systemadmin.logout", actor=user, target=user, metadata={"channel": "web"})


def confirm_two_factor(*, user: User, code: str, access: ApiToken | HttpRequest) -> list[str]:
    """Turn a new authenticator app on; the sign-in that did it counts as verified by it."""
    device, codes = two_factor.confirm_setup(user=user, code=code)
    if isinstance(access, ApiToken):
        access.two_factor_at = timezone.now()
        access.save(update_fields=["two_factor_at"])
    else:
        otp_login(access, device)
    return codes


@transaction.atomic
def change_password(*, user: User, current_password: str, new_password: str, keep: Any) -> None:
    """Let people change their own password; every other session and token ends.

    `keep` is the token (or, in the browser, the request) that the call came with.
    """
    if not user.check_password(current_password):
        raise InvalidInput("current_password", InvalidCredentials.default_detail, code="wrong")
    _set_password(user, new_password)
    if isinstance(keep, HttpRequest):
        _renew_session(keep, user)
    sessions.end_all(actor=user, user=user, keep=keep, reason="password changed")
    entry = audit.record("systemadmin.password.changed", actor=user, target=user)
    notify_owner(user=user, kind="password_changed", entry=entry)


def _renew_session(http: HttpRequest, user: User) -> None:
    """Keep the browser signed in under its new password, and its row under its new key."""
    old_key = http.session.session_key
    update_session_auth_hash(http, user)
    UserSession.objects.filter(session_key=old_key).update(session_key=http.session.session_key)


@decides("systemadmin.set_password", permission="systemadmin.set_password", concerns=concerned_user)
@transaction.atomic
def set_password(*, actor: User | None, user: User, new_password: str, reason: str = "") -> None:
    """Give a member a new password; all its sessions and tokens end.

    Whoever knows it could act as the member: whoever has an address on file gets a one-time link
    instead (`access_links.reset_password`), unless the command line asks; so do staff and service
    accounts. Raises `NotAllowed`, `AccountIsErased`, `ColleagueSetsPasswordThemselves`,
    `OwnerSetsPasswordThemselves` and `InvalidInput`.
    """
    # The row that `set_rights` locks too: rights are either seen here or see the new password.
    user = lock_row(User.objects.all(), pk=user.pk)
    rights.check_not_erased(user)
    if not user.is_in_reach_of(actor):
        raise NotAllowed
    if access_links.is_colleague(user):
        raise ColleagueSetsPasswordThemselves
    if actor is not None and not may_be_given(user):
        raise OwnerSetsPasswordThemselves
    _give_password(actor, user, new_password, reason)


def may_be_given(user: User) -> bool:
    """Return whether staff may give the account a password: no link would reach its owner."""
    if access_links.is_colleague(user) or user.email:
        return False
    return address_history.recent_change(user) is None


@transaction.atomic
def set_password_of_colleague(*, user: User, new_password: str, reason: str) -> None:
    """Give staff a new password where nobody can sign in: `shell_accounts` says when.

    Raises `AccountIsErased` and `InvalidInput`.
    """
    user = lock_row(User.objects.all(), pk=user.pk)
    rights.check_not_erased(user)
    _give_password(None, user, new_password, reason)


def _give_password(actor: User | None, user: User, new_password: str, reason: str) -> None:
    _set_password(user, new_password)
    sessions.end_all(actor=actor, user=user, reason="password set by staff")
    entry = audit.record("systemadmin.password.set", actor=actor, target=user, reason=reason)
    notify_owner(user=user, kind="password_set", entry=entry)


@transaction.atomic
def choose_password(*, link: AccessLink, new_password: str) -> None:
    """Set one's own password by a one-time link; every session and token ends.

    Raises `LinkNotValid` and `InvalidInput` (a refused password leaves the link usable).
    """
    user = access_links.use_up(link)
    _set_password(user, new_password)
    sessions.end_all(actor=None, user=user, reason="password chosen by a link")
    access_links.note_used(user, link.purpose)


def _set_password(user: User, new_password: str) -> None:
    try:
        validation.validate_password(new_password, user)
    except ValidationError as error:
        raise InvalidInput({"new_password": error.messages}, code="password_refused") from None
    user.set_password(new_password)
    user.save(update_fields=["password"])
    validation.password_changed(new_password, user)
