"""The second factor: enrolment, checking, recovery codes and reset."""

import hmac
import os
import secrets
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy
from django_otp.models import Device

from systemadmin import audit
from systemadmin.errors import (
    InvalidCredentials,
    OtpInvalid,
    OtpRequired,
    OtpThrottled,
    TwoFactorMandatory,
    TwoFactorNotEnabled,
    TwoFactorNotStarted,
)
from systemadmin.events import two_factor_changed
from systemadmin.foundation.crypto import encrypt_secret, keyed_hash, keyed_hashes
from systemadmin.foundation.errors import InvalidInput, NotAllowed
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import (
    AccessLink,
    ApiToken,
    AuditEntry,
    EncryptedTotpDevice,
    RecoveryCode,
    User,
)
from systemadmin.models.identity import TOTP_PURPOSE
from systemadmin.services import access_links, demo_2fa, rights
from systemadmin.services.duties import concerned_user, decides
from systemadmin.services.second_person import needs_second_person
from systemadmin.services.security_notices import notify_owner

RECOVERY_CODE_COUNT: Final = 10
# Without letters and digits that look alike on paper.
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LENGTH = 4, 4
_RECOVERY_PURPOSE: Final = "recovery-code"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs to know, once."""

    secret: str
    otpauth_url: str


def confirmed_device(user: User) -> EncryptedTotpDevice | None:
    """Return the authenticator app that the account must use, if it has one."""
    return EncryptedTotpDevice.objects.filter(user=user, confirmed=True).first()


def is_needed(user: User) -> bool:
    """Return whether a sign-in of this account must pass a second factor to count in full."""
    return user.is_staff and settings.REQUIRE_STAFF_2FA


def verify(*, user: User, code: str) -> Device:
    """Check an authenticator, recovery or demo code and return what accepted it.

    Commits its own bookkeeping, also on refusal, so call it outside of a transaction that a
    refusal would roll back. Raises `OtpRequired`, `OtpInvalid`, `OtpThrottled`.
    """
    code = code.strip()
    if not code:
        raise OtpRequired
    accepted: Device | None
    with transaction.atomic():
        device = (
            EncryptedTotpDevice.objects.select_for_update()
            .filter(user=user, confirmed=True)
            .first()
        )
        accepted = demo_2fa.accept(user=user, code=code)
        if accepted is None and device is not None:
            accepted = _verify_with(device, user, code)
    if accepted is None:
        raise OtpInvalid
    return accepted


def _verify_with(device: EncryptedTotpDevice, user: User, code: str) -> Device | None:
    # Recovery codes have 80 bits and need no throttle. One that they shared with the app's codes
    # would let whoever knows the password keep the owner out.
    if looks_like_recovery(code):
        if not _use_recovery_code(user, code):
            return None
        device.throttle_reset()
        return device
    allowed, why = device.verify_is_allowed()
    if not allowed:
        wait = (why["locked_until"] - timezone.now()).total_seconds()
        raise OtpThrottled(headers={"Retry-After": str(max(1, int(wait + 0.999)))})
    return device if device.verify_token(code.replace(" ", "")) else None


# -- enrolment -----------------------------------------------------------------------


def begin_setup(*, user: User, code: str = "") -> Enrolment:
    """Make a new secret that counts once confirmed; replacing an app takes a code of the old."""
    if confirmed_device(user) is not None:
        verify(user=user, code=code)
    with transaction.atomic():
        EncryptedTotpDevice.objects.filter(user=user, confirmed=False).delete()
        device = EncryptedTotpDevice.objects.create(
            user=user,
            name="totp",
            confirmed=False,
            secret=encrypt_secret(os.urandom(20).hex(), purpose=TOTP_PURPOSE),
        )
    return Enrolment(secret=device.base32_key, otpauth_url=device.config_url)


def pending_enrolment(user: User) -> Enrolment | None:
    """Return the enrolment begun and not confirmed, for showing its QR code again."""
    device = EncryptedTotpDevice.objects.filter(user=user, confirmed=False).first()
    return device and Enrolment(secret=device.base32_key, otpauth_url=device.config_url)


def confirm_setup(*, user: User, code: str) -> tuple[EncryptedTotpDevice, list[str]]:
    """Turn the new app on with its first code; returns it and fresh recovery codes.

    Raises `TwoFactorNotStarted`, `OtpThrottled`, `InvalidInput` (wrong code).
    """
    with transaction.atomic():
        device = (
            EncryptedTotpDevice.objects.select_for_update()
            .filter(user=user, confirmed=False)
            .first()
        )
        if device is None:
            raise TwoFactorNotStarted
        if _verify_with(device, user, code.strip()) is not None:
            return device, _enable(device, user)
    raise InvalidInput("otp_code", OtpInvalid.default_detail, code="otp_invalid")


def _enable(device: EncryptedTotpDevice, user: User) -> list[str]:
    EncryptedTotpDevice.objects.filter(user=user, confirmed=True).delete()
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    entry = audit.record("systemadmin.two_factor.enabled", actor=user, target=user)
    _announce(user, "enabled", entry)
    return _new_recovery_codes(user)


def disable(*, user: User, code: str) -> None:
    """Turn the second factor off with a last code; staff who must have one cannot."""
    if confirmed_device(user) is None:
        raise TwoFactorNotEnabled
    if is_needed(user):
        raise TwoFactorMandatory
    verify(user=user, code=code)
    with transaction.atomic():
        _remove(user)
        entry = audit.record("systemadmin.two_factor.disabled", actor=user, target=user)
        _announce(user, "disabled", entry)


@decides(
    "systemadmin.reset_two_factor",
    permission="systemadmin.reset_two_factor",
    concerns=concerned_user,
)
@needs_second_person(
    "systemadmin.reset_two_factor",
    kind="staff_reset",
    title=gettext_lazy("Reset a colleague's second factor"),
    permission="systemadmin.reset_two_factor",
    rule=gettext_lazy("when the account holds rights: staff and service accounts"),
    needs=lambda attempt: access_links.is_colleague(attempt.arguments["user"]),
    subject=lambda attempt: attempt.arguments["user"],
    state=access_links.state,
    shown=access_links.shown,
    question_for_approver=access_links.caution,
    excluded_approvers=access_links.tied,
)
@transaction.atomic
def reset(*, actor: User | None, user: User, reason: str) -> None:
    """Take the second factor off another account, for the day phone and codes are lost.

    Staff do it themselves, by a one-time link that goes to their address. Raises `NotAllowed`,
    `TwoFactorNotEnabled`, `NoAddressOnFile` and `InvalidInput` (no reason).
    """
    rights.check_not_erased(user)
    if not user.is_in_reach_of(actor):
        raise NotAllowed
    if confirmed_device(user) is None:
        raise TwoFactorNotEnabled
    if not is_visible(reason):
        raise InvalidInput("reason", code="required")
    if access_links.is_colleague(user):
        purpose = AccessLink.Purpose.TWO_FACTOR
        access_links.send_link(actor=actor, user=user, purpose=purpose, reason=reason)
        return
    _remove(user)
    entry = audit.record(
        "systemadmin.two_factor.reset", actor=actor, target=user, reason=reason.strip()
    )
    _announce(user, "reset", entry)


@transaction.atomic
def give_up_by_link(*, link: AccessLink, password: str) -> None:
    """Take one's own second factor off by a one-time link and one's password.

    Raises `LinkNotValid` and `InvalidInput` (wrong password).
    """
    user = access_links.use_up(link)
    if not user.check_password(password):
        raise InvalidInput("password", InvalidCredentials.default_detail, code="wrong")
    _remove(user)
    access_links.note_used(user, link.purpose)


def remove_all(user: User) -> None:
    """Delete apps and recovery codes of an account that stops being staff."""
    _remove(user)


def _remove(user: User) -> None:
    EncryptedTotpDevice.objects.filter(user=user).delete()
    RecoveryCode.objects.filter(user=user).delete()
    # What the lost factor vouched for is vouched for no more.
    ApiToken.objects.filter(user=user).update(two_factor_at=None)


def _announce(user: User, change: str, entry: AuditEntry) -> None:
    notify_owner(user=user, kind=f"two_factor_{change}", entry=entry)
    two_factor_changed.send(
        sender=User,
        user_id=user.pk,
        enabled=change == "enabled",
        occurred_at=entry.occurred_at,
        event_key=f"two-factor-{entry.pk}",
    )


# -- recovery codes ------------------------------------------------------------------


def regenerate_recovery_codes(*, user: User, code: str) -> list[str]:
    """Replace all recovery codes; the old ones stop working. Shown once, stored hashed."""
    if confirmed_device(user) is None:
        raise TwoFactorNotEnabled
    verify(user=user, code=code)
    with transaction.atomic():
        entry = audit.record(
            "systemadmin.two_factor.recovery_codes_issued", actor=user, target=user
        )
        notify_owner(user=user, kind="recovery_codes_issued", entry=entry)
        return _new_recovery_codes(user)


def recovery_codes_left(user: User) -> int:
    """Return how many recovery codes still work."""
    return RecoveryCode.objects.filter(user=user, used_at=None).count()


def _new_recovery_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    codes = ["-".join(_group() for _ in range(_GROUPS)) for _ in range(RECOVERY_CODE_COUNT)]
    RecoveryCode.objects.bulk_create(
        RecoveryCode(user=user, digest=keyed_hash(_plain(code), purpose=_RECOVERY_PURPOSE))
        for code in codes
    )
    return codes


def _group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH))


def _plain(code: str) -> str:
    return "".join(char for char in code.lower() if char.isalnum())


def code_from(digest: str) -> str:
    """Return a code of the recovery codes' form and strength, made from a hexadecimal digest."""
    number, letters = int(digest, 16), []
    for _place in range(_GROUPS * _GROUP_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[index])
    text = "".join(letters)
    return "-".join(text[i : i + _GROUP_LENGTH] for i in range(0, len(text), _GROUP_LENGTH))


def is_same_code(code: str, valid: list[str]) -> bool:
    """Return whether a code, in any spelling, is one of `valid`; compared in constant time."""
    given = _plain(code).encode()
    return any(hmac.compare_digest(given, _plain(one).encode()) for one in valid)


def looks_like_recovery(code: str) -> bool:
    """Return whether a code has the length of a recovery code."""
    return len(_plain(code)) == _GROUPS * _GROUP_LENGTH


def _use_recovery_code(user: User, code: str) -> bool:
    digests = keyed_hashes(_plain(code), purpose=_RECOVERY_PURPOSE)
    # One conditional UPDATE: of two sign-ins with the same code only one finds it unused.
    used = RecoveryCode.objects.filter(user=user, digest__in=digests, used_at=None).update(
        used_at=timezone.now()
    )
    if used:
        entry = audit.record(
            "systemadmin.two_factor.recovery_code_used",
            actor=user,
            target=user,
            metadata={"left": recovery_codes_left(user)},
        )
        notify_owner(user=user, kind="recovery_code_used", entry=entry)
    return bool(used)
