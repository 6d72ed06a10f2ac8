"""Accounts by whoever has a shell: the first superuser, and passwords where nobody can sign in.

Nobody acts in the application here, so there is no actor. What guards the pages guards these too:
an act that a second person would have to approve is refused, unless it is an emergency, which is
audited, alerted and mailed to every superuser.
"""

from typing import Any

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.errors import ColleagueSetsPasswordThemselves, SuperuserExists
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.readable_text import visible_text
from systemadmin.models import User
from systemadmin.services import access_links, authentication, rights
from systemadmin.services.emergencies import EMERGENCY, report_emergency
from systemadmin.services.second_person import is_single_person_place


@transaction.atomic
def create_superuser(
    *, username: str, email: str, password: str, is_emergency: bool = False, reason: str = ""
) -> User:
    """Create the first superuser of a place; another one in an emergency only.

    Raises `SuperuserExists`, `InvalidInput` (a refused password, no reason for an emergency) and
    Django's `ValidationError` (a name or address that cannot be).
    """
    others = User.objects.staff().filter(is_superuser=True, is_demo=False)
    is_alone = others.exists()
    if is_alone:
        _check_emergency(SuperuserExists, is_emergency, reason)
    user = User(username=username, email=email)
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput({"password": error.messages}, code="password_refused") from None
    user.set_password(password)
    user.full_clean()
    user.save()
    audit.record(
        "systemadmin.user.created",
        target=user,
        after={"username": user.username, "email": user.email},
        reason=reason,
    )
    rights.set_rights(
        actor=None, user=user, flags={"is_staff": True, "is_superuser": True}, reason=reason
    )
    if is_alone:
        _report("systemadmin.set_rights", user, reason)
    return user


@transaction.atomic
def set_password(
    *, user: User, new_password: str, is_emergency: bool = False, reason: str = ""
) -> None:
    """Set a password: of a member by the staff's rules, of a colleague in an emergency only.

    Sessions and tokens end and the owner is told. Raises `ColleagueSetsPasswordThemselves`,
    `AccountIsErased` and `InvalidInput`.
    """
    if not access_links.is_colleague(user):
        authentication.set_password(actor=None, user=user, new_password=new_password, reason=reason)
        return
    _check_emergency(ColleagueSetsPasswordThemselves, is_emergency, reason)
    authentication.set_password_of_colleague(user=user, new_password=new_password, reason=reason)
    _report("systemadmin.reset_password", user, reason)


def check_may_set_password(*, user: User, is_emergency: bool, reason: str) -> None:
    """Raise what `set_password` would raise, before a password was asked for."""
    rights.check_not_erased(user)
    if access_links.is_colleague(user):
        _check_emergency(ColleagueSetsPasswordThemselves, is_emergency, reason)


def _check_emergency(refusal: type[Exception], is_emergency: bool, reason: str) -> None:
    """Refuse what a second person decides; a place with one person needs no flag, but a reason."""
    if not (is_emergency or is_single_person_place()):
        raise refusal
    if not visible_text(reason):
        raise InvalidInput("reason", _("Say why this is done without a second person."))


def _report(act: str, user: User, reason: str) -> None:
    details: dict[str, Any] = {"act": act, "single_person": True}
    audit.record(EMERGENCY, target=user, metadata=details, reason=reason)
    report_emergency(act=act, reason=f"{user.username}: {reason}")
