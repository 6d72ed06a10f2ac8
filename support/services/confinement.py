"""Who reads a confined category or mailbox: nobody lets themselves in, and it is on record."""

from collections.abc import Mapping
from typing import Any

from support.models import Category, Mailbox
from systemadmin.models import User
from systemadmin.services.duties import check_no_own_interest, key_owners


def check_confinement(
    *, actor: User | None, place: Category | Mailbox, values: Mapping[str, Any], act: str
) -> None:
    """Raise `OwnInterest` where somebody would let themselves or a related account in.

    Call it with the place as it is stored, before it changes. A new place has no tickets yet, and
    whoever reads a place anyway may open it to others.
    """
    if actor is None or place.pk is None or not place.is_confined:
        return
    let_in = {one.pk for one in _added(place, values)}
    # A key reads for whoever answers for it.
    concerned = let_in | set(key_owners(let_in).values())
    lifts = not values.get("is_confined", True)
    if lifts and type(place).objects.closed_to(actor).filter(pk=place.pk).exists():
        concerned.add(actor.pk)
    check_no_own_interest(actor=actor, concerns=concerned, act=act)


def set_readers(place: Category | Mailbox, values: Mapping[str, Any]) -> dict[str, Any]:
    """Set the readers, where `values` has them; return what the audit trail says of it."""
    if "readers" not in values:
        return {}
    added = _named(_added(place, values))
    removed = _named(place.readers.exclude(pk__in=[one.pk for one in values["readers"]]))
    place.readers.set(values["readers"])
    return {"readers_added": added, "readers_removed": removed} if added or removed else {}


def _added(place: Category | Mailbox, values: Mapping[str, Any]) -> list[User]:
    known = set(place.readers.values_list("pk", flat=True))
    return [one for one in values.get("readers", ()) if one.pk not in known]


def _named(people: Any) -> list[dict[str, Any]]:
    return [{"id": one.pk, "name": one.get_username()} for one in people]
