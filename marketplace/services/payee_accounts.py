"""Since when a seller's payout account is on file, and who entered it, by the audit trail."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketplace.models import SellerProfile
from systemadmin.foundation.configuration import setting
from systemadmin.models import AuditEntry, User
from systemadmin.services.known_passwords import given_by_others

CHANGED: Final = "account_changed"
UPDATED: Final = "marketplace.seller_profile.updated"
SHOWN: Final = 20


def last_change(seller: User) -> AuditEntry | None:
    """Return the row of the audit trail that put the present account on file, if it is known."""
    return _changes([seller.pk]).get(seller.pk)


def recent_changes(seller_ids: Iterable[int]) -> dict[int, AuditEntry]:
    """Return, by seller, those rows that are younger than `duties.new_account_days`."""
    since = timezone.now() - timedelta(days=setting("duties.new_account_days"))
    found = _changes(seller_ids)
    return {pk: entry for pk, entry in found.items() if entry.occurred_at > since}


def changes_by_others(seller_ids: Iterable[int]) -> dict[int, AuditEntry]:
    """Return those recent changes that the sellers did not make themselves.

    Where somebody gave a seller the password a short while ago, nobody knows who signed in.
    """
    return _by_others(recent_changes(seller_ids))


def _by_others(found: dict[int, AuditEntry]) -> dict[int, AuditEntry]:
    known = _recently_known(found)
    return {pk: entry for pk, entry in found.items() if pk in known or not _is_own(pk, entry)}


def _recently_known(seller_ids: Iterable[int]) -> dict[int, int]:
    """Return, by seller, who gave them the password that they still have, a short while ago."""
    since = timezone.now() - timedelta(days=setting("duties.new_account_days"))
    given = given_by_others(seller_ids) if seller_ids else {}
    return {
        pk: row.actor_id for pk, row in given.items() if row.actor_id and row.occurred_at > since
    }


def _is_own(seller_id: int, entry: AuditEntry) -> bool:
    """Return whether sellers did it themselves; a service that acts for them is somebody else."""
    return entry.actor_id == seller_id and not entry.metadata.get("service")


def authors(seller_ids: Iterable[int]) -> set[int]:
    """Return the accounts that changed where sellers are paid a short while ago.

    What a service key did its owner did, and what sellers did with a password that somebody gave
    them counts as that person's too.
    """
    changed = recent_changes(seller_ids)
    found = changed.values()
    actors = {entry.actor_id for entry in found if entry.actor_id}
    # Names change; the account of a key stays.
    services = {entry.metadata.get("service_id") for entry in found} - {None}
    names = {entry.metadata.get("service_owner") for entry in found} - {None, ""}
    owners = User.objects.filter(
        Q(username__in=names) | Q(service_keys__account__in=actors | services)
    )
    by_password = set(_recently_known(changed).values())
    return actors | set(owners.values_list("pk", flat=True)) | by_password


def _changes(seller_ids: Iterable[int]) -> dict[int, AuditEntry]:
    """Return, for each seller, the newest change of the account that payouts go to."""
    profiles = SellerProfile.objects.filter(user__in=list(seller_ids)).exclude(account_sealed="")
    sellers = {str(pk): user for pk, user in profiles.values_list("pk", "user_id")}
    rows = AuditEntry.objects.filter(
        target_type=SellerProfile._meta.label_lower,
        target_id__in=list(sellers),
        action=UPDATED,
        **{f"after__{CHANGED}": True},
    )
    return {sellers[entry.target_id]: entry for entry in rows.order_by("id")}


def stamps(seller_ids: Iterable[int]) -> list[Any]:
    """Return what differs once an account is another one, to see it change."""
    rows = SellerProfile.objects.filter(user__in=list(seller_ids)).exclude(account_sealed="")
    return list(rows.order_by("user_id").values_list("user_id", "account_sealed"))


def since(seller: User) -> str:
    """Return in words since when the account is on file, who entered it, and the one before."""
    found = last_change(seller)
    return in_words(found) if found else _("longer than the audit trail knows")


def in_words(entry: AuditEntry) -> str:
    """Return a change in words: how old, by whom, and which account there was before."""
    return _("since %(when)s UTC (%(days)s days), entered by %(who)s; before: %(before)s") % {
        "when": f"{entry.occurred_at:%Y-%m-%d %H:%M}",
        "days": (timezone.now() - entry.occurred_at).days,
        "who": _author(entry),
        "before": entry.before.get("account_masked") or _("none"),
    }


def _author(entry: AuditEntry) -> str:
    name = entry.actor_name or _("the command line")
    service = entry.metadata.get("service")
    return f"{name} ({service})" if service else name


def shown_of(seller: User) -> list[tuple[Any, Any]]:
    """Return, for whoever approves a payout, where it goes and since when."""
    profile = SellerProfile.objects.filter(user=seller).first()
    if profile is None or not profile.account_masked:
        return [(gettext_lazy("payout account"), gettext_lazy("none"))]
    return [
        (gettext_lazy("payout account"), profile.account_masked),
        (gettext_lazy("the account is on file"), since(seller)),
    ]


def shown_recent(seller_ids: Iterable[int]) -> list[tuple[Any, Any]]:
    """Return, for whoever approves a file, each account that was changed a short while ago."""
    found = recent_changes(seller_ids)
    profiles = SellerProfile.objects.filter(user__in=list(found)).select_related("user")
    return [
        (
            _("%(seller)s, new account %(account)s")
            % {"seller": one.user.get_username(), "account": one.account_masked},
            in_words(found[one.user_id]),
        )
        for one in profiles.order_by("pk")
    ]


def caution(seller_ids: Iterable[int]) -> str:
    """Return what whoever approves has to answer: that money would go to a new account.

    The first account that a seller enters is nobody's trick; a later one may be a thief's.
    """
    recent = recent_changes(seller_ids)
    others = _by_others(recent)
    found = {
        pk: entry
        for pk, entry in recent.items()
        if pk in others or entry.before.get("account_masked")
    }
    if not found:
        return ""
    names = User.objects.filter(pk__in=list(found)).order_by("username")
    listed = "; ".join(f"{one.get_username()} ({in_words(found[one.pk])})" for one in names[:SHOWN])
    return _(
        "Payout accounts were changed a short while ago: %(listed)s. Ask the sellers on another "
        "way, and say how in your remark."
    ) % {"listed": listed if len(found) <= SHOWN else f"{listed}; …"}
