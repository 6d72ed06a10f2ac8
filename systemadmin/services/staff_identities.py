"""Accounts of staff whom their identity provider signs in: found, linked, made, given their roles.

The provider decides who a person is (`iss` and `sub`) and which groups they are in; whether an
account is open, and what its roles allow, stays with this place.
"""

import logging
import re
from typing import Any, Final, NoReturn

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.backends import is_open
from systemadmin.errors import SignInSuspended
from systemadmin.errors.identity_provider import (
    AccountIsClosed,
    ClaimMissing,
    GroupsUnreadable,
    NoAccountHere,
    NoRoleHere,
)
from systemadmin.foundation.crypto import keyed_hashes
from systemadmin.foundation.errors import DomainError, InvalidInput, RuleViolation
from systemadmin.foundation.single_line import single_line
from systemadmin.models import StaffIdentity, User
from systemadmin.models.staff_identities import LONGEST_SUBJECT
from systemadmin.services import rights, sessions
from systemadmin.services.duties import concerned_user, decides
from systemadmin.services.security_notices import notify_owner
from systemadmin.services.staff_provider import Verified, claim

logger = logging.getLogger("atalaya.provider")

ERASED_PURPOSE: Final = "erased-identity"
_MOST_GROUPS: Final = 2000
_NAMES_TRIED: Final = 50
_NOT_IN_USERNAMES: Final = re.compile(r"[^A-Za-z0-9@.+_-]")


def account_of(verified: Verified) -> StaffIdentity:
    """Return the identity, with its account, of whom the provider signed in; roles are up to date.

    Must not run inside a transaction: the traces of a refusal have to outlive it. Raises
    `ClaimMissing`, `GroupsUnreadable`, `NoAccountHere`, `AccountIsClosed`, `SignInSuspended` and
    `NoRoleHere`.
    """
    _check_required_claims(verified.claims)
    roles = _roles_of(verified.claims)
    identity = _known(verified) or _new(verified, roles)
    _check_standing(identity.user)
    if roles is not None:
        _apply_roles(identity.user, roles)
    _check_has_role(identity.user, roles)
    StaffIdentity.objects.filter(pk=identity.pk).update(last_used_at=timezone.now())
    return StaffIdentity.objects.select_related("user").get(pk=identity.pk)


def note_refused(refusal: DomainError, user: User | None = None) -> None:
    """Record a sign-in that was refused; nothing that the provider said is kept."""
    audit.record(
        "systemadmin.login.refused",
        actor=user,
        target=user,
        metadata={"why": refusal.code, "by": "provider"},
    )


def _refuse(refusal: DomainError, user: User | None = None) -> NoReturn:
    note_refused(refusal, user)
    raise refusal


# -- what the provider says ------------------------------------------------------------


def _check_required_claims(claims: dict[str, Any]) -> None:
    for name, wanted in settings.STAFF_OIDC_REQUIRED_CLAIMS.items():
        allowed = wanted if isinstance(wanted, list) else [wanted]
        found = claim(claims, name)
        values = found if isinstance(found, list) else [found]
        if not any(_is_same(one, other) for one in values for other in allowed):
            _refuse(ClaimMissing())


def _is_same(one: Any, other: Any) -> bool:
    # In Python `True == 1`; in a claim they are not the same.
    return type(one) is type(other) and one == other


def _roles_of(claims: dict[str, Any]) -> set[str] | None:
    """Return the roles that the person's groups give; None where groups play no part here."""
    if not settings.STAFF_OIDC_ROLES:
        return None
    name = settings.STAFF_OIDC_GROUPS_CLAIM
    elsewhere = claims.get("_claim_names")
    found = claim(claims, name)
    if found is None and isinstance(elsewhere, dict) and name in elsewhere:
        # The list is kept elsewhere for its length: neither "no groups" nor any that we know.
        _refuse(GroupsUnreadable())
    groups = [found] if isinstance(found, str) else found
    if not isinstance(groups, list):
        return set()
    if len(groups) > _MOST_GROUPS:
        _refuse(GroupsUnreadable())
    given: set[str] = set()
    for group in groups:
        if isinstance(group, str):
            given |= set(_as_list(settings.STAFF_OIDC_ROLES.get(group, [])))
    return given


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def managed_roles() -> set[str]:
    """Return the roles that groups give and take; all others stay as staff gave them here."""
    return {role for value in settings.STAFF_OIDC_ROLES.values() for role in _as_list(value)}


# -- whose account ---------------------------------------------------------------------


def _known(verified: Verified) -> StaffIdentity | None:
    """Return the identity of an issuer and subject; that of an erased account is recognised too."""
    erased = [f"erased-{one}" for one in keyed_hashes(_joined(verified), purpose=ERASED_PURPOSE)]
    found = StaffIdentity.objects.filter(
        issuer=verified.issuer, subject__in=[verified.subject, *erased]
    )
    return found.select_related("user").first()


def _joined(identity: Any) -> str:
    return f"{identity.issuer} {identity.subject}"


def erased_subject(identity: StaffIdentity) -> str:
    """Return what stands for the subject of an erased account: recognised, not readable."""
    return f"erased-{keyed_hashes(_joined(identity), purpose=ERASED_PURPOSE)[0]}"


def _new(verified: Verified, roles: set[str] | None) -> StaffIdentity:
    try:
        with transaction.atomic():
            user = _by_verified_email(verified) or _made(verified, roles)
            if user is not None:
                return _link(user, verified.issuer, verified.subject, actor=None)
    except IntegrityError:
        # Two sign-ins at once: the other one made it.
        found = _known(verified)
        if found is not None:
            return found
        raise
    _refuse(NoAccountHere())


def _by_verified_email(verified: Verified) -> User | None:
    """Return the one account of staff with the address that the provider verified.

    Only where the settings say so, and never a superuser's: those are connected by hand.
    """
    email = _verified_email(verified.claims)
    if not settings.STAFF_OIDC_LINK_BY_EMAIL or not email:
        return None
    with_address = User.objects.filter(email__iexact=email, is_demo=False, is_service=False)
    found = list(with_address.filter(erased_at=None)[:2])
    if len(found) != 1 or not found[0].is_staff or found[0].is_superuser:
        return None
    is_linked = StaffIdentity.everything.filter(user=found[0], issuer=verified.issuer).exists()
    return None if is_linked else found[0]


def _verified_email(claims: dict[str, Any]) -> str:
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        return ""
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email if len(email) <= 254 else ""


def _made(verified: Verified, roles: set[str] | None) -> User | None:
    """Make the account of somebody whose groups give a role, where the settings say so."""
    if not settings.STAFF_OIDC_CREATE_ACCOUNTS or not roles or not _existing(roles):
        return None
    claims = verified.claims
    user = User(
        username=_free_username(claims, verified.subject),
        first_name=_text(claims.get("given_name")),
        last_name=_text(claims.get("family_name")),
        email=_verified_email(claims),
        password=make_password(None),
    )
    user.full_clean()
    user.save()
    audit.record(
        "systemadmin.user.created",
        target=user,
        after={"username": user.username, "email": user.email},
        metadata={"by": "provider"},
    )
    reason = "made at the first sign-in by the identity provider"
    rights.set_rights(
        actor=None, user=user, flags={"is_staff": True}, roles=_existing(roles), reason=reason
    )
    return user


def _text(value: Any) -> str:
    return single_line(value)[:150].strip() if isinstance(value, str) else ""


def _free_username(claims: dict[str, Any], subject: str) -> str:
    """Return a name that nobody has, near the one that the provider gives."""
    wished = str(claims.get("preferred_username") or claims.get("email") or "")
    base = (
        _NOT_IN_USERNAMES.sub("", wished)
        or "staff-" + keyed_hashes(subject, purpose="username")[0][:12]
    )[:140]
    names = [base, *(f"{base}-{number}" for number in range(2, _NAMES_TRIED))]
    lowered = {name.lower() for name in names}
    taken = User.objects.filter(username__istartswith=base).values_list("username", flat=True)
    used = {name.lower() for name in taken} & lowered
    return next(name for name in names if name.lower() not in used)


def _check_standing(user: User) -> None:
    if user.erased_at is not None or not user.is_staff or not is_open(user):
        _refuse(AccountIsClosed(), user)
    if user.is_suspended:
        _refuse(SignInSuspended.of(user), user)


# -- roles -----------------------------------------------------------------------------


def _existing(names: set[str]) -> list[Group]:
    found = list(Group.objects.filter(name__in=names))
    missing = names - {role.name for role in found}
    if missing:
        logger.error("STAFF_OIDC_ROLES names roles that do not exist: %s", sorted(missing))
    return found


def _apply_roles(user: User, given: set[str]) -> None:
    """Give the account the roles of its groups and take the others that groups give.

    A change ends every session and token of the account, as every change of rights does.
    """
    kept = list(user.groups.exclude(name__in=managed_roles()))
    rights.set_rights(
        actor=None,
        user=user,
        roles=[*kept, *_existing(given)],
        reason="groups at the identity provider",
    )


def _check_has_role(user: User, roles: set[str] | None) -> None:
    holds = user.is_superuser or user.groups.exists() or user.user_permissions.exists()
    if roles is not None and not holds:
        _refuse(NoRoleHere(), user)


# -- connecting by hand ----------------------------------------------------------------


class AlreadyLinked(RuleViolation):
    """The account has an identity there, or the identity another account."""

    code = "already_linked"


@transaction.atomic
def link_identity(*, actor: User | None, user: User, subject: str) -> StaffIdentity:
    """Connect an account of staff with a subject of the provider that is set.

    Raises `NotAllowed`, `AccountIsErased`, `AlreadyLinked` and `InvalidInput`.
    """
    rights.check_hands_out_rights(actor)
    rights.check_reach(actor, user)
    rights.check_not_erased(user)
    if not settings.STAFF_OIDC_ISSUER:
        raise InvalidInput("issuer", _("There is no identity provider here."), code="required")
    if not user.is_staff or user.is_service:
        raise InvalidInput("user", _("Only accounts of staff are connected."), code="not_staff")
    if not 0 < len(subject) <= LONGEST_SUBJECT or not (subject.isascii() and subject.isprintable()):
        raise InvalidInput("subject", _("From 1 to 255 visible ASCII characters."))
    try:
        with transaction.atomic():
            return _link(user, settings.STAFF_OIDC_ISSUER, subject, actor=actor)
    except IntegrityError as error:
        raise AlreadyLinked(_("This account or this identity is connected already.")) from error


def _link(user: User, issuer: str, subject: str, *, actor: User | None) -> StaffIdentity:
    identity = StaffIdentity.objects.create(
        user=user, name="provider", issuer=issuer, subject=subject
    )
    entry = audit.record(
        "systemadmin.identity.linked", actor=actor, target=user, metadata={"issuer": issuer}
    )
    notify_owner(user=user, kind="identity_linked", entry=entry)
    return identity


@decides(
    "systemadmin.unlink_identity",
    permission="systemadmin.manage_staff",
    concerns=concerned_user,
)
@transaction.atomic
def unlink_identity(
    *, actor: User | None, user: User, reason: str = "", issuer: str | None = None
) -> bool:
    """Cut the account's connection with the provider and end its sessions; return whether it had.

    `issuer` names a provider that is not set any more.

    Raises `NotAllowed`, `OwnInterest` and `AccountIsErased`: what is left of an erased account
    keeps its owner from coming back as somebody new.
    """
    rights.check_hands_out_rights(actor)
    rights.check_reach(actor, user)
    rights.check_not_erased(user)
    issuer = settings.STAFF_OIDC_ISSUER if issuer is None else issuer
    found = StaffIdentity.everything.filter(user=user, issuer=issuer)
    if not found.delete()[0]:
        return False
    sessions.end_all(actor=None, user=user, reason="identity at the provider disconnected")
    entry = audit.record(
        "systemadmin.identity.unlinked",
        actor=actor,
        target=user,
        reason=reason,
        metadata={"issuer": issuer},
    )
    notify_owner(user=user, kind="identity_unlinked", entry=entry)
    return True
