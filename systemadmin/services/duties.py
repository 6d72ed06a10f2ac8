"""Duties apart: nobody decides what concerns their own account or one confirmed as theirs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from pkgutil import walk_packages
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.utils.translation import gettext as _

from systemadmin.errors import OwnInterest
from systemadmin.foundation.context import current
from systemadmin.foundation.plugins import collect
from systemadmin.models import ServiceKey, User

P = ParamSpec("P")
R = TypeVar("R")

AccountIds = Iterable[int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A registered act over another account or its money."""

    act: str
    permission: str
    function: str
    summary: str
    concerns: Callable[..., AccountIds] | None = None


_decisions: dict[str, Decision] = {}


def decides(
    act: str,
    *,
    permission: str,
    concerns: Callable[..., AccountIds] | None,
    actor: str = "actor",
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a service as a decision and refuse it before it runs where the actor is concerned.

    `concerns` gets the keyword arguments of the call and returns ids of accounts. `permission` is
    what the API and the admin ask for it; empty where members decide themselves. `actor` names the
    argument that holds whoever acts. With `concerns=None` the service calls
    `check_no_own_interest` itself, once it knows that something changes.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def decided(*args: P.args, **kwargs: P.kwargs) -> R:
            person = kwargs.get(actor)
            if person is not None and concerns is not None:
                check_no_own_interest(actor=person, concerns=concerns(**kwargs), act=act)
                service = _service_behind(person)
                if service is not None:
                    # What members may do with what is theirs, the key's owner may not for them.
                    as_service = concerns(**{**kwargs, actor: service})
                    check_no_own_interest(actor=service, concerns=as_service, act=act)
            return function(*args, **kwargs)

        _decisions[act] = Decision(
            act=act,
            permission=permission,
            function=f"{function.__module__}.{function.__qualname__}",
            summary=(function.__doc__ or "").strip().partition("\n")[0],
            concerns=concerns,
        )
        return decided

    return decorate


def concerned_user(*, user: Any, **_rest: Any) -> list[int]:
    """Return the account that a service takes as `user`."""
    return [user.pk]


def concerned_by(act: str, arguments: Mapping[str, Any]) -> list[int | None]:
    """Return whom an act with these arguments concerns; nobody where it is no decision.

    A decision that finds out itself whom it concerns is about its `user`.
    """
    decision = _decisions.get(act)
    if decision is None:
        return []
    return list((decision.concerns or concerned_user)(**arguments))


def decisions() -> list[Decision]:
    """Return every registered decision, ordered by act."""
    for app in settings.ATALAYA_APPS:
        package = import_module(f"{app}.services")
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            import_module(found.name)
    return [_decisions[act] for act in sorted(_decisions)]


def check_no_own_interest(*, actor: Any, concerns: AccountIds, act: str) -> None:
    """Raise `OwnInterest` where a decision concerns the actor or an account confirmed as theirs.

    Superusers are refused too. Without an actor (system tasks) nothing is refused. Where a service
    key acts for the member who is the actor, it is refused what concerns the key's owner as well.
    """
    if actor is None:
        return
    ids = {pk for pk in concerns if pk is not None}
    if not ids:
        return
    if actor.pk in ids or not ids.isdisjoint(accounts_of(actor.pk)):
        raise _refusal(act)
    service = _service_behind(actor)
    if service is not None and not ids.isdisjoint(accounts_of(service.pk)):
        raise _refusal(act)


def _service_behind(actor: Any) -> User | None:
    """Return the account of the service key that acts for the actor, if one does."""
    service_id = current().service_id
    if service_id is None or service_id == actor.pk:
        return None
    return User.objects.filter(pk=service_id).first()


def check_key_owner(*, concerns: AccountIds, act: str) -> None:
    """Raise `OwnInterest` where a key acts for a member in what concerns the key's owner.

    For what members do by themselves, such as to buy: nobody does business with himself in the name
    of a member.
    """
    service_id = current().service_id
    if service_id is None:
        return
    ids = {pk for pk in concerns if pk is not None}
    if not ids.isdisjoint(accounts_of(service_id)):
        raise _refusal(act)


def accounts_of(account_id: int) -> set[int]:
    """Return the ids of all accounts that are confirmed to belong to the account's owner.

    A service key is its owner's: what they may not decide themselves their key may not either.
    """
    roots = {account_id, *key_owners([account_id]).values()}
    same_person = collect("interests", "SAME_PERSON")
    return roots.union(*(same(root) for root in roots for same in same_person))


def is_own_case(user: Any, account_ids: AccountIds) -> bool:
    """Return whether one of these accounts is the user's, or confirmed as theirs.

    Of their own case staff see what a member sees: no notes about themselves, no score.
    """
    return not accounts_of(user.pk).isdisjoint(account_ids)


def key_owners(account_ids: Iterable[int]) -> dict[int, int]:
    """Return the owners of service keys, by the account that the key acts as."""
    keys = ServiceKey.objects.filter(account__in=list(account_ids), owner__isnull=False)
    return dict(keys.values_list("account", "owner"))


def user_or_other_party(*, actor: Any, user: Any, **_rest: Any) -> set[int]:
    """Return the account, and those of the actor's that have open business with it, in all desks.

    For acts by which somebody would be rid of the other party of their own order or dispute.
    """
    own = accounts_of(actor.pk)
    asked = collect("interests", "OPEN_COUNTERPARTIES")
    return {user.pk}.union(*(counterparties(user.pk, own) for counterparties in asked))


def _refusal(act: str) -> OwnInterest:
    decision = _decisions.get(act)
    permission = decision.permission if decision else ""
    if not permission:
        return OwnInterest(extra={"act": act, "permission": "", "roles": []})
    roles = roles_with(permission)
    who = ", ".join([*roles, _("a superuser")])
    return OwnInterest(
        _(
            "This concerns your own account, or one that is confirmed to be yours."
            " Somebody else has to decide it: %(who)s."
        )
        % {"who": who},
        extra={"act": act, "permission": permission, "roles": roles},
    )


def roles_with(permission: str) -> list[str]:
    """Return the names of the roles that hold a permission."""
    app, codename = permission.split(".")
    holders = Group.objects.filter(
        permissions__content_type__app_label=app, permissions__codename=codename
    )
    return list(holders.order_by("name").values_list("name", flat=True))
