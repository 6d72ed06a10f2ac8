"""The rules of sending: whether a member may send this to that member now."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from messaging import links, quotas
from messaging.errors import (
    LinkNotAllowed,
    MessagesNotAccepted,
    RecipientBlockedByYou,
    RecipientUnavailable,
    RepeatedContent,
    SenderSuspended,
    TeamDoesNotRead,
    TooManyLinks,
    TooManyMessages,
)
from messaging.models import Message, Participant, Preferences
from messaging.quotas import Tier, Window
from messaging.services.acquaintances import acquaintances_of
from messaging.services.facts import Facts
from messaging.services.team import is_team
from messaging.services.trust import windows_of
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import DomainError, InvalidInput
from systemadmin.foundation.parsing import Unreadable
from systemadmin.foundation.readable_text import check_readable, visible_text
from systemadmin.models import User

_CAUTIOUS = {Tier.RISKY, Tier.NEW}


def check_body(body: str, *, has_attachment: bool = False) -> str:
    """Return the body as it is stored; refuses empty and overlong ones."""
    text = visible_text(body.replace("\x00", ""))
    if not text and not has_attachment:
        raise InvalidInput("body", _("Write something, or attach a file."), code="blank")
    longest = setting("messaging.max_body_length")
    if len(text) > longest:
        raise InvalidInput(
            "body",
            _("At most %(longest)d characters.") % {"longest": longest},
            code="max_length",
        )
    try:
        check_readable(text, may_be_blank=has_attachment)
    except Unreadable as error:
        raise InvalidInput("body", str(error), code=error.code) from error
    return text


def check_parties(sender: User, recipient: User, facts: Facts) -> None:
    """Refuse where the sender cannot write, or has decided not to write to this account."""
    if sender.is_suspended or not sender.is_active:
        raise SenderSuspended
    if sender.pk == recipient.pk:
        raise InvalidInput("recipient", _("You cannot write to yourself."), code="yourself")
    if is_team(recipient):
        raise TeamDoesNotRead
    if facts.has_blocked:
        raise RecipientBlockedByYou


def check_recipient(sender: User, recipient: User, facts: Facts) -> None:
    """Refuse where the other side cannot, or does not want to, be written to.

    Comes last: what else is wrong with a sending is answered alike whoever it is for. Why it is
    refused is shown to those who have met; for others the account looks as if it did not exist.
    """
    refusal = _refusal_of(recipient, sender, facts)
    if refusal is None:
        return
    knows = facts.conversation_id or acquaintances_of(sender.pk, [recipient.pk]).named
    raise refusal if knows else no_such_recipient()


def no_such_recipient() -> InvalidInput:
    """Return the refusal for an account that is not there, or that a stranger cannot reach."""
    text = _("There is no such member, or they do not accept messages from you.")
    return InvalidInput("recipient", text, code="recipient_not_found")


def _refusal_of(recipient: User, sender: User, facts: Facts) -> DomainError | None:
    if not recipient.is_active:
        return RecipientUnavailable()
    if facts.is_blocked or not _accepts(recipient, sender):
        return MessagesNotAccepted()
    return None


def _accepts(recipient: User, sender: User) -> bool:
    preferences = getattr(recipient, "messaging_preferences", None)
    wanted = preferences.who_may_write if preferences else Preferences.Audience.EVERYONE
    if wanted == Preferences.Audience.EVERYONE:
        return True
    if wanted == Preferences.Audience.VERIFIED:
        return sender.verified_at is not None
    if wanted == Preferences.Audience.CONTACTS:
        return has_written(recipient.pk, to_id=sender.pk)
    return False


def has_written(user_id: int, *, to_id: int) -> bool:
    """Return True when the member has ever written to the other one."""
    conversation = Participant.objects.filter(user_id=user_id, peer_id=to_id).values("conversation")
    return Message.objects.filter(conversation__in=conversation, sender_id=user_id).exists()


def check_content(sender: User, recipient: User, body: str, tier: Tier) -> None:
    """Refuse links that are not wanted from this sender."""
    hosts = links.link_hosts(body)
    most = setting("messaging.max_links")
    if len(hosts) > most:
        raise TooManyLinks(_("A message may hold at most %(most)d links.") % {"most": most})
    refused = links.refused_host(links.every_host(body), setting("messaging.refused_domains"))
    if refused:
        raise LinkNotAllowed(_("Links to %(host)s are not allowed.") % {"host": refused})
    foreign = [host for host in hosts if host != (urlsplit(settings.PUBLIC_URL).hostname or "")]
    if foreign and tier in _CAUTIOUS and not _may_link(sender, recipient):
        raise LinkNotAllowed(
            _("New accounts can send links only to members who have written to them.")
        )


def _may_link(sender: User, recipient: User) -> bool:
    rule = setting("messaging.links_from_new")
    if rule == "answered":
        return has_written(recipient.pk, to_id=sender.pk)
    return rule == "allowed"


def check_volume(sender: User, tier: Tier, facts: Facts, now: datetime) -> None:
    """Refuse what exceeds the sender's quota or repeats one text to many.

    Exact under concurrency because the sender's mailbox is locked.
    """
    windows = windows_of(tier)
    if any(facts.is_full(window) for window in windows):
        _refuse_volume(sender, windows, now)
    if facts.same_text >= _repeat_limit(tier):
        raise RepeatedContent


def _refuse_volume(sender: User, windows: tuple[Window, ...], now: datetime) -> None:
    depth = quotas.largest_limit(windows)
    sent = Message.objects.sent_by_member(sender.pk, now - timedelta(days=1))
    newest = list(sent.values_list("created_at", flat=True)[:depth])
    refused = quotas.refusal(windows, newest, now)
    if refused is None:
        return
    window = refused.window
    raise TooManyMessages(
        _("You have sent %(limit)d messages in %(span)s. Try again in %(wait)d seconds.")
        % {"limit": window.limit, "span": _span(window.seconds), "wait": refused.retry_after},
        headers={
            "Retry-After": str(refused.retry_after),
            "RateLimit-Policy": f'"messages";q={window.limit};w={window.seconds}',
            "RateLimit": f'"messages";r=0;t={refused.retry_after}',
        },
        extra={"limit": window.limit, "window_seconds": window.seconds},
    )


def _span(seconds: int) -> str:
    minutes = seconds // 60
    if minutes < 60:
        return _("%(n)d minutes") % {"n": max(minutes, 1)}
    return _("%(n)d hours") % {"n": minutes // 60}


def _repeat_limit(tier: Tier) -> int:
    key = "messaging.repeat_limit_new" if tier in _CAUTIOUS else "messaging.repeat_limit"
    return setting(key)
