"""One-time links: staff whose password or second factor is lost get back in by themselves.

Whoever asks for it neither sets nor sees anything: the link goes to the address on file, works
once, for an hour, and for that address only. The row holds no secret; the link is signed when the
mail is written.
"""

from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin import audit
from systemadmin.errors import LinkNotValid, NoAddressOnFile
from systemadmin.foundation.concurrency import lock_row
from systemadmin.foundation.crypto import keyed_hash, keyed_hash_matches
from systemadmin.foundation.errors import InvalidInput, NotAllowed, StaleVersion
from systemadmin.foundation.readable_text import is_visible
from systemadmin.models import AccessLink, User
from systemadmin.services import address_history, rights, sessions
from systemadmin.services.duties import concerned_user, decides, key_owners
from systemadmin.services.notifications import notify_user
from systemadmin.services.second_person import Attempt, needs_second_person
from systemadmin.services.security_notices import notify_owner

HOURS: Final = 1
KIND: Final = "access_link."
_SALT: Final = "systemadmin.access-link"
_PURPOSE: Final = "access-link-address"


def is_colleague(user: User) -> bool:
    """Return whether others may reset the account by a link only.

    Service accounts count: whoever set the password of one could pay orders in its name.
    """
    return user.holds_rights


def _needs_another(attempt: Attempt) -> bool:
    """Return whether the link goes to a colleague, or to an address that staff set of late."""
    user = attempt.arguments["user"]
    change = address_history.recent_change_by_staff(user, attempt.actor)
    return is_colleague(user) or change is not None


def shown(*, user: User, reason: str = "", **_rest: Any) -> list[tuple[Any, Any]]:
    """Return what who decides about a reset is shown: also where the link goes, since when."""
    held = [*user.groups.order_by("name").values_list("name", flat=True)]
    held += rights.names_of(user.user_permissions.all())
    return [
        (gettext_lazy("account"), user.get_username()),
        (gettext_lazy("rights"), ", ".join(["superuser"] * user.is_superuser + held)),
        (gettext_lazy("is done"), gettext_lazy("A one-time link goes to its owner by e-mail.")),
        (gettext_lazy("address of the link"), user.email),
        (gettext_lazy("the address is on file"), address_history.since(user)),
    ]


def caution(*, user: User, **_rest: Any) -> str:
    """Return what who approves a reset has to answer: that the address is a new one."""
    change = address_history.recent_change(user)
    if change is None:
        return ""
    return _(
        "The address %(address)s was set by %(who)s at %(when)s UTC. Whoever reads its mail gets "
        "into the account. Ask the owner on another way, and say how in your remark."
    ) % {
        "address": user.email,
        "who": change.actor_name,
        "when": f"{change.occurred_at:%Y-%m-%d %H:%M}",
    }


def tied(*, user: User, **_rest: Any) -> set[int]:
    """Return who does not approve a reset: whoever set the address of late, or owns the key."""
    change = address_history.recent_change(user)
    if change is None or change.actor_id is None:
        return set()
    return {change.actor_id, *key_owners([change.actor_id]).values()}


def state(*, user: User, **_rest: Any) -> list[Any]:
    """Return what a decision about a reset is about."""
    return [user.email, rights.rights_of(user), user.password]


@decides(
    "systemadmin.reset_password", permission="systemadmin.set_password", concerns=concerned_user
)
@needs_second_person(
    "systemadmin.reset_password",
    kind="staff_reset",
    title=gettext_lazy("Reset a colleague's password"),
    permission="systemadmin.set_password",
    rule=gettext_lazy(
        "when the account holds rights (staff and service accounts), and when staff set its address"
        " within `duties.new_address_days`"
    ),
    needs=_needs_another,
    subject=lambda attempt: attempt.arguments["user"],
    state=state,
    shown=shown,
    question_for_approver=caution,
    excluded_approvers=tied,
)
@transaction.atomic
def reset_password(*, actor: User | None, user: User, reason: str) -> None:
    """Send the owner a link to choose a new password, and end every session and token.

    The old password keeps working until the link is used. Raises `NotAllowed`, `NoAddressOnFile`
    and `InvalidInput` (no reason).
    """
    rights.check_not_erased(user)
    if not user.is_in_reach_of(actor):
        raise NotAllowed
    send_link(actor=actor, user=user, purpose=AccessLink.Purpose.PASSWORD, reason=reason)


@transaction.atomic
def send_link(*, actor: User | None, user: User, purpose: str, reason: str) -> AccessLink:
    """Queue the mail with the link.

    Raises `NoAddressOnFile`, `InvalidInput` (no reason) and `StaleVersion` (another address
    meanwhile).
    """
    if not is_visible(reason):
        raise InvalidInput("reason", code="required")
    if lock_row(User.objects.all(), pk=user.pk).email != user.email:
        raise StaleVersion
    if not user.email:
        raise NoAddressOnFile
    AccessLink.objects.filter(user=user, purpose=purpose).usable().update(expires_at=timezone.now())
    link = AccessLink.objects.create(
        user=user,
        purpose=purpose,
        address_digest=keyed_hash(user.email, purpose=_PURPOSE),
        expires_at=timezone.now() + timedelta(hours=HOURS),
    )
    sessions.end_all(actor=None, user=user, reason="access is reset")
    audit.record(
        f"systemadmin.{purpose}.link_sent", actor=actor, target=user, reason=reason.strip()
    )
    notify_user(
        user=user,
        kind=f"{KIND}{purpose}",
        subject=_("The security of your account"),
        body="",
        key=f"access-link-{link.pk}",
        channels=("email",),
    )
    return link


def words(user: User, purpose: str) -> tuple[str, str] | None:
    """Return subject and body of the mail, with the link; None when there is no usable one."""
    link = AccessLink.objects.usable().filter(user=user, purpose=purpose).order_by("-id").first()
    if link is None or not _is_for(link, user):
        return None
    token = signing.dumps(link.pk, salt=_SALT)
    address = f"{settings.PUBLIC_URL.rstrip('/')}{reverse('admin:access_link')}"
    what = {
        AccessLink.Purpose.PASSWORD: _("With this link you choose a new password:"),
        AccessLink.Purpose.TWO_FACTOR: _("With this link you set up a new second factor:"),
    }[AccessLink.Purpose(purpose)]
    body = _(
        "Hello %(name)s,\n\n%(what)s\n\n%(link)s\n\nIt works once, until %(when)s UTC. Nobody of "
        "our staff knows it or will ask you for it. If you do not expect this, tell us at once."
    ) % {
        "name": user.get_short_name() or user.get_username(),
        "what": what,
        "link": f"{address}?{urlencode({'token': token})}",
        "when": f"{link.expires_at:%Y-%m-%d %H:%M}",
    }
    return _("The security of your account"), body


def _is_for(link: AccessLink, user: User) -> bool:
    return keyed_hash_matches(user.email, link.address_digest, purpose=_PURPOSE)


def find_link(token: str) -> AccessLink:
    """Return the link that a token names; raises `LinkNotValid` for one that opens nothing."""
    try:
        key = signing.loads(token, salt=_SALT)
    except signing.BadSignature as error:
        raise LinkNotValid from error
    link = AccessLink.objects.usable().select_related("user").filter(pk=key).first()
    if link is None:
        raise LinkNotValid
    user = link.user
    if not user.is_active or user.is_suspended or not _is_for(link, user):
        raise LinkNotValid
    return link


def use_up(link: AccessLink) -> User:
    """Mark a link as used and return its account, locked; of two calls at once one succeeds."""
    user = lock_row(User.objects.all(), pk=link.user_id)
    if not AccessLink.objects.usable().filter(pk=link.pk).update(used_at=timezone.now()):
        raise LinkNotValid
    if not _is_for(link, user):
        raise LinkNotValid
    return user


def note_used(user: User, purpose: str) -> None:
    """Leave the trace of a used link and write to the owner."""
    entry = audit.record(f"systemadmin.{purpose}.link_used", actor=user, target=user)
    kind = "password_changed" if purpose == AccessLink.Purpose.PASSWORD else "two_factor_reset"
    notify_owner(user=user, kind=kind, entry=entry)
