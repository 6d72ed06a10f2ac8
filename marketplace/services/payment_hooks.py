"""Where payment services tell of payments: made, changed, given a new secret, removed."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.translation import gettext as _

from marketplace import hook_signatures
from marketplace.errors import PaymentHookInUse, PaymentHookNeedsSuperuser
from marketplace.models import PaymentHook
from marketplace.payment_notices import MAPPED, NoticeKind
from systemadmin import audit
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.crypto import decrypt_secret, encrypt_secret
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User
from systemadmin.services.demo_limits import check_shared

PURPOSE: Final = "payment-hook"
ROTATION: Final = timedelta(hours=24)
SETTINGS: Final = frozenset(
    {"signature_header", "timestamp_header", "algorithm", "encoding", "prefix"}
    | {"event_id", "type", "kinds", "fields", "amounts"}
)


def signing_secrets(hook: PaymentHook) -> list[str]:
    """Return the secrets in force, the current one first."""
    stored = [hook.secret]
    until = hook.previous_secret_until
    if hook.previous_secret and until and until > timezone.now():
        stored.append(hook.previous_secret)
    return [decrypt_secret(one, purpose=PURPOSE) for one in stored]


@transaction.atomic
def save_payment_hook(
    *,
    actor: User,
    hook: PaymentHook | None = None,
    secret: str = "",
    expected_version: int | None = None,
    **values: Any,
) -> PaymentHook:
    """Make or change a hook; a new secret is good beside the one before for a day.

    Raises `InvalidInput` that names the field, and `VersionConflict`.
    """
    check_shared(actor)
    before: dict[str, Any] = {}
    if hook is None:
        hook = PaymentHook()
        if not secret:
            raise InvalidInput("secret", _("The secret that signs its events."), code="required")
    else:
        hook = lock_row(PaymentHook.objects.all(), pk=hook.pk, expected_version=expected_version)
        before = _shown(hook)
        hook.bump()
    for name, value in values.items():
        setattr(hook, name, value)
    if secret or before.items() & _trusted(hook).items() != _trusted(hook).items():
        _check_may_vouch(actor)
    if secret:
        if hook.secret:
            hook.previous_secret = hook.secret
            hook.previous_secret_until = timezone.now() + ROTATION
        hook.secret = encrypt_secret(secret, purpose=PURPOSE)
    check_mapping(hook)
    hook.full_clean()
    hook.save()
    audit.record(
        "marketplace.payment_hook.saved",
        actor=actor,
        target=hook,
        before=before,
        after=_shown(hook) | {"new_secret": bool(secret)},
    )
    return hook


def _trusted(hook: PaymentHook) -> dict[str, Any]:
    """Return what decides whose word on payments is taken."""
    shown = _shown(hook)
    return {name: shown[name] for name in ("name", "scheme", "mapping")}


def _check_may_vouch(actor: User) -> None:
    """Refuse who does not hold all rights: whoever knows a secret pays orders of any amount.

    What a hook tells is not counted as done by hand, so no limit and no second person holds it.
    """
    if not actor.holds_all_rights:
        raise PaymentHookNeedsSuperuser


@transaction.atomic
def rotate_payment_secret(
    *, actor: User, hook: PaymentHook, secret: str, end_previous: bool = False
) -> PaymentHook:
    """Give a hook a new secret; the one before is good for a day, or ends now if it leaked."""
    hook = save_payment_hook(actor=actor, hook=hook, secret=secret)
    if end_previous:
        hook.previous_secret, hook.previous_secret_until = "", None
        hook.save()
        audit.record("marketplace.payment_hook.previous_secret_ended", actor=actor, target=hook)
    return hook


@transaction.atomic
def delete_payment_hook(
    *, actor: User, hook: PaymentHook, expected_version: int | None = None
) -> None:
    """Remove a hook that kept no event; raises `PaymentHookInUse` and `VersionConflict`."""
    check_shared(actor)
    hook = lock_row(PaymentHook.objects.all(), pk=hook.pk, expected_version=expected_version)
    audit.record("marketplace.payment_hook.deleted", actor=actor, target=hook, before=_shown(hook))
    try:
        hook.delete()
    except ProtectedError as error:
        raise PaymentHookInUse from error


def _shown(hook: PaymentHook) -> dict[str, Any]:
    return {
        "name": hook.name,
        "scheme": hook.scheme,
        "mapping": json.dumps(hook.mapping, sort_keys=True),
        "is_active": hook.is_active,
    }


def check_mapping(hook: PaymentHook) -> None:
    """Refuse a mapping that could not be used, naming what is wrong in it."""
    mapping = hook.mapping
    if hook.scheme == PaymentHook.Scheme.STRIPE:
        if mapping:
            raise InvalidInput("mapping", _("Stripe needs none."))
        return
    if not isinstance(mapping, Mapping):
        raise InvalidInput("mapping", _("An object with named fields."))
    kinds, fields = mapping.get("kinds"), mapping.get("fields")
    if not (_has_sound_settings(mapping) and _are_kinds(kinds) and _are_paths(fields)):
        raise InvalidInput(
            "mapping",
            _(
                "Name signature_header, kinds (theirs to ours) and fields (ours to dotted paths); "
                "optional: timestamp_header, algorithm, encoding, prefix, event_id, type, amounts."
            ),
        )


def _has_sound_settings(mapping: Mapping[str, Any]) -> bool:
    texts = [value for name, value in mapping.items() if name not in ("kinds", "fields")]
    return (
        set(mapping) <= SETTINGS
        and all(isinstance(value, str) and value for value in texts)
        and bool(mapping.get("signature_header"))
        and mapping.get("algorithm", "sha256") in hook_signatures.ALGORITHMS
        and mapping.get("encoding", "hex") in hook_signatures.ENCODINGS
        and mapping.get("amounts", "minor") in ("minor", "major")
    )


def _are_kinds(kinds: Any) -> bool:
    """Return whether this maps kinds of theirs to kinds of ours."""
    if not isinstance(kinds, Mapping):
        return False
    return all(isinstance(kind, str) and kind in set(NoticeKind) for kind in kinds.values())


def _are_paths(fields: Any) -> bool:
    """Return whether this maps fields of ours to dotted paths."""
    if not isinstance(fields, Mapping) or not set(fields) <= MAPPED:
        return False
    return all(isinstance(path, str) and path for path in fields.values())
