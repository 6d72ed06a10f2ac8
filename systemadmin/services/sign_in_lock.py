"""When sign-ins with a name are refused, and what lets its owner in all the same.

- Five failures for one name from one IPv4 address or IPv6 /64 lock that pair (django-axes).
- Fifty failures for one name from anywhere hold the name: only networks from which its owner has
  signed in lately go on as usual. Guessing from many addresses gains nothing from more addresses.
- Neither keeps the owner out. The right password with a recovery code passes both. An account
  without a second factor is sent a one-time code when the right password comes in during a lock;
  the password with that code passes both. An authenticator code passes the hold of a name.

During a lock every other answer is the same, whether the password was right or not.

Names of failed sign-ins are kept as keyed hashes only: people type passwords into the name field.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db import transaction
from django.db.models import Max, Sum
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django_otp.models import Device

from systemadmin.audit import record
from systemadmin.backends import AccountBackend
from systemadmin.errors import SignInLocked
from systemadmin.foundation.addresses import network_of, parse_ip
from systemadmin.foundation.client_ip import lockout_address
from systemadmin.foundation.crypto import keyed_hash, keyed_hashes
from systemadmin.foundation.errors import DomainError, InvalidInput
from systemadmin.foundation.queue import enqueue
from systemadmin.models import AuditEntry, User
from systemadmin.services import two_factor
from systemadmin.services.notifications import notify_user

# Failures for one name, from wherever, within the cool-off time.
NAME_LIMIT: Final = 50
KNOWN_FOR: Final = timedelta(days=90)
# How many sign-ins are read to find the networks of the owner.
_LOOKED_AT: Final = 200
CODE_SECONDS: Final = 3600
_NAME_PURPOSE: Final = "sign-in-name"
_CODE_PURPOSE: Final = "sign-in-code"
SEND_CODE: Final = "systemadmin.tasks.send_sign_in_code"


class LockoutHandler(AxesDatabaseHandler):
    """django-axes' rule, and the hold of a name that is guessed from many networks."""

    def is_locked(self, request: Any, credentials: dict[str, Any] | None = None) -> bool:
        """Return whether this sign-in is refused without a look at the password."""
        if super().is_locked(request, credentials):
            return True
        username = _typed_name(request, credentials)
        if not username or not is_held(username, lockout_address(request)):
            return False
        request.sign_in_name_held = True
        return True


def is_held(username: str, network: str) -> bool:
    """Return whether sign-ins with this name from this network are held."""
    return _failures(username)["total"] >= NAME_LIMIT and not _is_known(username, network)


def _typed_name(request: Any, credentials: dict[str, Any] | None) -> str | None:
    field = settings.AXES_USERNAME_FORM_FIELD
    data = credentials or getattr(request, "data", request.POST)
    return data.get(field)


def kept_name(name: str) -> str:
    """Return what is stored of a name that somebody failed to sign in with: a keyed hash."""
    return keyed_hash(name, purpose=_NAME_PURPOSE)


def kept_names(name: str) -> list[str]:
    """Return every form in which a name may be stored: by the present key and by older ones."""
    return keyed_hashes(name, purpose=_NAME_PURPOSE)


def name_for_axes(request: Any, credentials: dict[str, Any] | None = None) -> str | None:
    """Return the name of a sign-in as django-axes stores, compares and logs it."""
    name = _typed_name(request, credentials)
    return kept_name(name) if name else None


def forget_failures(*, http: HttpRequest, username: str) -> None:
    """Delete the failures of a name from the network of the caller."""
    AxesProxyHandler.reset_attempts(ip_address=lockout_address(http), username=kept_name(username))


@transaction.atomic
def lift_locks(*, username: str = "", address: str = "", reason: str = "") -> int:
    """Forget the failed sign-ins of a name, of an address, or all of them; return how many.

    The audit trail says so. An IPv6 address stands for its /64, as it does when failures are
    counted. Raises `InvalidInput` for what is no address.
    """
    attempts = AccessAttempt.objects.all()
    if username:
        attempts = attempts.filter(username__in=kept_names(username))
    if address:
        known = parse_ip(address)
        if not known:
            raise InvalidInput("ip", _("Is not an IP address."))
        attempts = attempts.filter(ip_address=network_of(known))
    count = attempts.count()
    attempts.delete()
    record(
        "systemadmin.sign_in_lock.lifted",
        target=User.objects.filter(username=username).first() if username else None,
        before={"failed_sign_ins": count},
        after={"failed_sign_ins": 0},
        reason=reason,
        metadata={"address": address} if address else None,
    )
    return count


def _failures(username: str) -> dict[str, Any]:
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    rows = AccessAttempt.objects.filter(username=kept_name(username), attempt_time__gt=since)
    return rows.aggregate(total=Sum("failures_since_start", default=0), last=Max("attempt_time"))


def _is_known(username: str, network: str) -> bool:
    found = AuditEntry.objects.filter(
        actor__username=username,
        action="systemadmin.login.succeeded",
        occurred_at__gt=timezone.now() - KNOWN_FOR,
    )
    addresses = found.order_by("-id").values_list("ip", flat=True)[:_LOOKED_AT]
    return any(network_of(ip) == network for ip in addresses if ip)


def refusal(http: HttpRequest, username: str) -> SignInLocked:
    """Return the refusal of a locked sign-in, with the seconds that the lock still lasts."""
    if getattr(http, "sign_in_name_held", False):
        last = _failures(username)["last"]
    else:
        pair = AccessAttempt.objects.filter(
            username=kept_name(username), ip_address=lockout_address(http)
        )
        last = pair.aggregate(last=Max("attempt_time"))["last"]
    end: datetime = (last or timezone.now()) + settings.AXES_COOLOFF_TIME
    wait = max(1, int((end - timezone.now()).total_seconds() + 0.999))
    return SignInLocked(headers={"Retry-After": str(wait)})


# -- the owner's way in ----------------------------------------------------------------


def pass_lock(
    *, http: HttpRequest, username: str, password: str, code: str, staff_only: bool = False
) -> tuple[User, Device | None] | None:
    """Return the account and second factor of a locked sign-in that its owner makes.

    None when the password is wrong or `code` is not strong enough; nothing tells which. Must not
    run inside a transaction.
    """
    user = AccountBackend().authenticate(http, username=username, password=password)
    if not isinstance(user, User) or user.is_suspended or (staff_only and not user.is_acting_staff):
        # As much work as for a right password: the time must not tell either.
        enqueue(SEND_CODE, 0)
        return None
    passed = _strong_factor(http, user, code)
    if passed is None:
        enqueue(SEND_CODE, user.pk)
        return None
    vars(http)["axes_locked_out"] = False
    user.backend = f"{AccountBackend.__module__}.{AccountBackend.__qualname__}"
    return user, passed[0]


def _strong_factor(http: HttpRequest, user: User, code: str) -> tuple[Device | None] | None:
    if not code.strip():
        return None
    if two_factor.confirmed_device(user) is None:
        return (None,) if _use_one_time_code(user, code) else None
    is_recovery = two_factor.looks_like_recovery(code)
    if not is_recovery and not getattr(http, "sign_in_name_held", False):
        return None
    try:
        return (two_factor.verify(user=user, code=code),)
    except DomainError:
        return None


def send_code(user_id: int) -> None:
    """Send the owner of an account the one-time code of a sign-in that is locked.

    Once an hour at most. An account with a second factor has recovery codes for this.
    """
    user = User.objects.filter(pk=user_id, is_active=True, is_demo=False).first()
    if user is None or two_factor.confirmed_device(user) is not None:
        return
    window = _window()
    with translation.override(user.language):
        until = datetime.fromtimestamp((window + 2) * CODE_SECONDS, tz=UTC)
        body = _(
            "Hello %(name)s,\n\nthere were many failed sign-ins to your account, so we ask for "
            "more than the password at the moment. Somebody has just entered the right password."
            "\n\nIf this is you, sign in with your password and this code: %(code)s\n"
            "It works once, until %(until)s.\n\n"
            "If this is not you, change your password: somebody else knows it."
        ) % {
            "name": user.get_short_name() or user.get_username(),
            "code": _one_time_codes(user, window)[0],
            "until": until.strftime("%Y-%m-%d %H:%M UTC"),
        }
        notify_user(
            user=user,
            kind="security.sign_in_code",
            subject=_("Your sign-in code"),
            body=body,
            key=f"sign-in-code-{user.pk}-{window}-{_last_login(user)}",
        )


def _window() -> int:
    return int(timezone.now().timestamp()) // CODE_SECONDS


def _last_login(user: User) -> int:
    return int(user.last_login.timestamp()) if user.last_login else 0


def _one_time_codes(user: User, window: int) -> list[str]:
    # The last sign-in is part of it: the one that uses the code makes it void.
    text = f"{user.pk}:{user.password}:{user.last_login}:{window}"
    return [two_factor.code_from(key) for key in keyed_hashes(text, purpose=_CODE_PURPOSE)]


def _use_one_time_code(user: User, code: str) -> bool:
    windows = (_window(), _window() - 1)
    valid = [one for window in windows for one in _one_time_codes(user, window)]
    if not two_factor.is_same_code(code, valid):
        return False
    # Conditional, so that of two sign-ins with one code only one gets in.
    used = User.objects.filter(pk=user.pk, last_login=user.last_login)
    if user.last_login is None:
        used = User.objects.filter(pk=user.pk, last_login__isnull=True)
    return bool(used.update(last_login=timezone.now()))
