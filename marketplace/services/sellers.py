"""Writes of seller profiles: by staff, and by sellers about themselves."""

from datetime import date
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from marketplace.models import SellerProfile
from marketplace.seller_ids import clean_iban, clean_tax_id, mask_iban
from marketplace.services import clock, concerned, payee_accounts
from systemadmin import audit
from systemadmin.foundation.concurrency import check_version
from systemadmin.foundation.crypto import decrypt_secret, encrypt_secret
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.parsing import Unreadable
from systemadmin.models import User
from systemadmin.services.duties import decides
from systemadmin.services.security_notices import notify_owner

ACCOUNT = "payout_account"
EARLIEST_BIRTH = date(1900, 1, 1)
# What sellers say of themselves; what staff decide comes besides.
OWN_FIELDS = ("legal_name", "tax_id", "birth_date", "address", "postal_code", "city")
STAFF_FIELDS = (*OWN_FIELDS, "tax_status", "level")
# Whoever changes these is somebody else until it was checked.
IDENTIFYING = ("legal_name", "tax_id", "birth_date")
# Who changes one of these is checked anew.
_CHECKED_ANEW = (SellerProfile.Identity.VERIFIED, SellerProfile.Identity.MISSING)


@decides(
    "marketplace.save_seller_profile",
    permission="marketplace.change_sellerprofile",
    concerns=concerned.paid_seller,
)
@transaction.atomic
def save_seller_profile(
    *, actor: Any, seller: User, expected_version: int | None = None, **values: Any
) -> SellerProfile:
    """Set what staff know of a seller; rules, taxes on fees and payouts look at it.

    `iban` is the payout account; it is kept encrypted and shown masked.
    """
    return _save(actor, seller, values, STAFF_FIELDS, expected_version)


@transaction.atomic
def save_own_details(
    *, actor: User, expected_version: int | None = None, **values: Any
) -> SellerProfile:
    """Set what a seller says of themselves; a new name or tax id has to be checked again."""
    return _save(actor, actor, values, OWN_FIELDS, expected_version)


@decides(
    "marketplace.check_identity",
    permission="marketplace.check_identity",
    concerns=concerned.paid_seller,
)
@transaction.atomic
def check_identity(
    *, actor: Any, seller: User, identity: str, expected_version: int | None = None
) -> SellerProfile:
    """Record how the check of a seller's identity stands."""
    if identity not in SellerProfile.Identity.values:
        raise InvalidInput("identity", _("Not a status of an identity check."))
    profile = _locked(seller, expected_version)
    before = profile.identity
    profile.identity = identity
    _store(profile)
    audit.record(
        "marketplace.seller.identity_checked",
        actor=actor,
        target=profile,
        before={"identity": before},
        after={"identity": identity},
    )
    return profile


def payout_account(seller: User) -> str:
    """Return the IBAN of a seller, empty when there is none."""
    profile = SellerProfile.objects.filter(user=seller).first()
    return open_account(profile) if profile else ""


def open_account(profile: SellerProfile) -> str:
    """Return the IBAN of a profile that was read already, empty when there is none."""
    if not profile.account_sealed:
        return ""
    return decrypt_secret(profile.account_sealed, purpose=ACCOUNT)


def _locked(seller: User, expected_version: int | None) -> SellerProfile:
    # The account's row is locked, so that two first saves do not both insert.
    User.objects.select_for_update().get(pk=seller.pk)
    profile = SellerProfile.objects.select_for_update().filter(user=seller).first()
    if profile is None:
        profile = SellerProfile(user=seller)
    # One that is not stored yet is shown as version 1.
    check_version(profile, expected_version)
    return profile


def _save(
    actor: Any,
    seller: User,
    values: dict[str, Any],
    fields: tuple[str, ...],
    expected_version: int | None,
) -> SellerProfile:
    profile = _locked(seller, expected_version)
    before = _shown(profile)
    identifying = [getattr(profile, name) for name in IDENTIFYING]
    for name in fields:
        if name in values:
            setattr(profile, name, values[name])
    _clean_person(profile, seller.country)
    is_new_account = "iban" in values and _set_account(profile, values["iban"])
    is_same_person = identifying == [getattr(profile, name) for name in IDENTIFYING]
    if not is_same_person and profile.identity in _CHECKED_ANEW:
        profile.identity = SellerProfile.Identity.PENDING
    _store(profile)
    entry = audit.record(
        payee_accounts.UPDATED,
        actor=actor,
        target=profile,
        before=before,
        after=_shown(profile) | ({payee_accounts.CHANGED: True} if is_new_account else {}),
    )
    if is_new_account:
        what = _("The account that your payouts go to was changed.")
        notify_owner(user=seller, kind="payout_account_changed", entry=entry, what=what)
    return profile


def _clean_person(profile: SellerProfile, country: str) -> None:
    if profile.tax_id:
        try:
            profile.tax_id = clean_tax_id(profile.tax_id, country)
        except Unreadable as error:
            raise InvalidInput("tax_id", str(error)) from error
    born = profile.birth_date
    if born is not None and not EARLIEST_BIRTH <= born <= clock.today():
        raise InvalidInput("birth_date", _("Between the year 1900 and today."))


def _set_account(profile: SellerProfile, iban: str) -> bool:
    """Put an account into a profile; return whether it is another one than before."""
    try:
        plain = clean_iban(iban) if iban.strip() else ""
    except Unreadable as error:
        raise InvalidInput("iban", str(error)) from error
    if plain == open_account(profile):
        return False
    profile.account_sealed = encrypt_secret(plain, purpose=ACCOUNT) if plain else ""
    profile.account_masked = mask_iban(plain)
    return True


def _store(profile: SellerProfile) -> None:
    if not profile._state.adding:
        profile.bump()
    profile.full_clean()
    profile.save()


def _shown(profile: SellerProfile) -> dict[str, Any]:
    """Return what the audit says: which personal fields there are, and not what they hold."""
    plain = ("tax_status", "level", "identity", "account_masked")
    shown: dict[str, Any] = {name: getattr(profile, name) for name in plain}
    return shown | {f"has_{name}": bool(getattr(profile, name)) for name in OWN_FIELDS}
