"""Members as the platform knows them: made and updated by its own ids, one or a thousand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from systemadmin import audit
from systemadmin.errors import ActsForMembersOnly, OwnInterest
from systemadmin.foundation.errors import InvalidInput
from systemadmin.member_rows import FIELDS, MemberRow, read_row, usual_username
from systemadmin.models import User
from systemadmin.services.duties import accounts_of
from systemadmin.services.security_notices import notify_addresses

MOST_ROWS: Final = 1000
NO_PASSWORD: Final = "!"  # noqa: S105 - the mark of an account that has none
COLUMNS: Final = tuple(column for column, _read in FIELDS.values())
# What an account is trusted for: since when it exists, and that its owner is known.
_TRUSTED: Final = frozenset({"date_joined", "verified_at"})
_VERIFY: Final = "systemadmin.verify_user"
_UPDATES_AT_ONCE: Final = 200


@dataclass(slots=True)
class Outcome:
    """What became of a row: `created`, `updated`, `unchanged` or `refused`."""

    index: int
    external_id: str
    status: str
    id: int | None = None
    errors: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, row: MemberRow, status: str, pk: int | None = None) -> "Outcome":
        """Return the outcome of a row."""
        return cls(row.index, row.external_id, status, pk, row.errors)


@transaction.atomic
def upsert_member(*, actor: User | None, external_id: str, values: Any) -> tuple[User, bool]:
    """Make or update the member of an external id; return it and whether it is new.

    What is left out stays. Raises `InvalidInput` and, for an account with rights beyond a member's
    own or out of the actor's reach, `ActsForMembersOnly`.
    """
    row = read_row(0, values, external_id=external_id)
    (outcome,) = _apply(actor, [row])
    if outcome.status == "refused":
        if outcome.errors[0]["code"] == ActsForMembersOnly.code:
            raise ActsForMembersOnly
        refusal = InvalidInput("", "")
        refusal.errors = list(outcome.errors)
        raise refusal
    return User.objects.get(pk=outcome.id), outcome.status == "created"


@transaction.atomic
def upsert_members(*, actor: User | None, rows: Sequence[Any]) -> list[Outcome]:
    """Make or update up to a thousand members; return one outcome per row, in order.

    Each row is judged by itself: those that are good are kept although others are refused. The
    number of statements does not depend on the number of rows, but for chunks of updates.
    """
    if not 1 <= len(rows) <= MOST_ROWS:
        raise InvalidInput("members", _("From 1 to %(most)s rows.") % {"most": MOST_ROWS})
    return _apply(actor, [read_row(index, source) for index, source in enumerate(rows)])


def _apply(actor: User | None, rows: list[MemberRow]) -> list[Outcome]:
    outcomes = {row.index: Outcome.of(row, "refused") for row in rows if row.errors}
    wanted = _wanted(rows, outcomes)
    stored = _stored(wanted)
    new = [row for key, row in wanted.items() if key not in stored]
    taken = _taken_names(wanted, stored)
    changed = _changes(actor, wanted, stored, taken, outcomes)
    _update(actor, changed, outcomes)
    _create(actor, new, taken, outcomes)
    return [outcomes[row.index] for row in rows]


def _wanted(rows: list[MemberRow], outcomes: dict[int, Outcome]) -> dict[str, MemberRow]:
    """Return the readable rows by external id; a second row of the same member is refused."""
    wanted: dict[str, MemberRow] = {}
    for row in rows:
        if row.index in outcomes:
            continue
        if row.external_id in wanted:
            row.refuse("external_id", "repeated", _("The same external id stands in another row."))
            outcomes[row.index] = Outcome.of(row, "refused")
        else:
            wanted[row.external_id] = row
    return wanted


def _changes(
    actor: User | None,
    wanted: dict[str, MemberRow],
    stored: dict[str, User],
    taken: dict[str, str | None],
    outcomes: dict[int, Outcome],
) -> list[tuple[MemberRow, User, dict[str, Any]]]:
    """Return the rows that change a stored account, with the values before."""
    protected = _protected(actor, stored)
    # Nobody says of themselves, or by a key of theirs, who they are, where, or since when.
    own = accounts_of(actor.pk) if actor is not None else set()
    changed: list[tuple[MemberRow, User, dict[str, Any]]] = []
    for key, account in stored.items():
        row = wanted[key]
        before = _differences(account, row)
        if account.pk in protected:
            row.refuse("external_id", ActsForMembersOnly.code, str(ActsForMembersOnly.title))
        elif "username" in before and taken.get(row.values["username"].lower(), key) != key:
            _refuse_name(row)
        else:
            _check_may_say(row, before, actor, is_own=account.pk in own)
        if before and not row.errors:
            changed.append((row, account, before))
            if "username" in before:
                taken[row.values["username"].lower()] = key
        outcomes[row.index] = Outcome.of(row, "refused" if row.errors else "unchanged", account.pk)
    return changed


def _check_may_say(
    row: MemberRow, before: dict[str, Any], actor: User | None, *, is_own: bool
) -> None:
    """Refuse changes of a related account, and of who a member is without the right to vouch."""
    if is_own:
        _refuse_columns(row, before, OwnInterest.code, str(OwnInterest.default_detail))
    elif _TRUSTED & before.keys() and not _may_vouch(actor):
        _refuse_columns(row, _TRUSTED & before.keys(), "not_given", _needs_verify())


def _stored(wanted: dict[str, MemberRow]) -> dict[str, User]:
    """Return the accounts of these external ids, locked in the order of their ids."""
    rows = User.objects.select_for_update().filter(external_id__in=wanted).order_by("pk")
    return {str(account.external_id): account for account in rows}


def _protected(actor: User | None, stored: dict[str, User]) -> set[int]:
    """Return the accounts that no platform updates: whoever has any right, and out of reach."""
    accounts = list(stored.values())
    keys = [account.pk for account in accounts]
    found = {
        account.pk
        for account in accounts
        if account.is_staff
        or account.is_superuser
        or (actor is not None and actor.is_demo and not account.is_demo)
    }
    if keys:
        for through in (User.user_permissions.through, User.groups.through):
            rows = through._base_manager.filter(user_id__in=keys)
            found |= set(rows.values_list("user_id", flat=True))
    return found


def _taken_names(wanted: dict[str, MemberRow], stored: dict[str, User]) -> dict[str, str | None]:
    """Return the wished names that accounts have, in small letters, with their external ids."""
    names: set[str] = set()
    for key, row in wanted.items():
        account = stored.get(key)
        name = row.values.get("username")
        if account is None:
            names.add(name or usual_username(key))
        elif name and name != account.username:
            names.add(name)
    rows = User.objects.named(names).values_list("username", "external_id") if names else ()
    return {name.lower(): owner for name, owner in rows}


def _may_vouch(actor: User | None) -> bool:
    """Return whether somebody may say since when a member is known, and that they are verified.

    A key that may manage members speaks for the platform, which knows; only superusers make one.
    """
    return actor is None or actor.is_service or actor.has_perm(_VERIFY)


def _needs_verify() -> str:
    return _("This needs the permission %(permission)s.") % {"permission": _VERIFY}


def _refuse_columns(row: MemberRow, columns: Iterable[str], code: str, detail: str) -> None:
    for column in sorted(columns):
        name = next(name for name, (stored, _read) in FIELDS.items() if stored == column)
        row.refuse(name, code, detail)


def _refuse_name(row: MemberRow) -> None:
    row.refuse("username", "unique", _("Another account has this user name."))


def _differences(account: User, row: MemberRow) -> dict[str, Any]:
    """Return the stored values that a row would change."""
    return {
        column: getattr(account, column)
        for column, value in row.values.items()
        if getattr(account, column) != value
    }


def _update(
    actor: User | None,
    changed: list[tuple[MemberRow, User, dict[str, Any]]],
    outcomes: dict[int, Outcome],
) -> None:
    if not changed:
        return
    columns = sorted({column for _row, _account, before in changed for column in before})
    for row, account, before in changed:
        for column in before:
            setattr(account, column, row.values[column])
        outcomes[row.index].status = "updated"
    accounts = [account for _row, account, _before in changed]
    User.objects.bulk_update(accounts, columns, batch_size=_UPDATES_AT_ONCE)
    for row, account, before in changed:
        # Who changes an address for somebody else could take their place: each has its own row.
        entry = audit.record(
            "systemadmin.member.updated",
            actor=actor,
            target=account,
            before=before,
            after={column: row.values[column] for column in before},
        )
        if before.get("email"):
            notify_addresses(user=account, old=before["email"], entry=entry)


def _create(
    actor: User | None,
    new: list[MemberRow],
    taken: dict[str, str | None],
    outcomes: dict[int, Outcome],
) -> None:
    accounts = _new_accounts(actor, new, taken, outcomes)
    if not accounts:
        return
    User.objects.bulk_create(accounts, ignore_conflicts=True)
    made = dict(
        User.objects.filter(external_id__in=[one.external_id for one in accounts]).values_list(
            "external_id", "pk"
        )
    )
    for row in new:
        if row.index in outcomes:
            continue
        if row.external_id not in made:
            # Somebody took the name between our look and our insert.
            _refuse_name(row)
            outcomes[row.index] = Outcome.of(row, "refused")
        else:
            outcomes[row.index] = Outcome.of(row, "created", made[row.external_id])
    audit.record(
        "systemadmin.members.created",
        actor=actor,
        after={"members": len(made), "ids": _ranges(sorted(made.values()))},
    )


def _new_accounts(
    actor: User | None,
    new: list[MemberRow],
    taken: dict[str, str | None],
    outcomes: dict[int, Outcome],
) -> list[User]:
    """Return the accounts to make; a row whose name is taken is refused."""
    accounts, names, may_vouch = [], set(taken), _may_vouch(actor)
    # In the order of the external ids: two batches at once wait for each other, in no circle.
    for row in sorted(new, key=lambda one: one.external_id):
        values = dict(row.values)
        if not may_vouch and _TRUSTED & values.keys():
            _refuse_columns(row, _TRUSTED & values.keys(), "not_given", _needs_verify())
            outcomes[row.index] = Outcome.of(row, "refused")
            continue
        name = values.pop("username", None) or usual_username(row.external_id)
        if name.lower() in names and "username" not in row.values:
            name = usual_username(row.external_id, is_taken=True)
        if name.lower() in names:
            _refuse_name(row)
            outcomes[row.index] = Outcome.of(row, "refused")
            continue
        names.add(name.lower())
        accounts.append(
            User(
                username=name,
                external_id=row.external_id,
                password=NO_PASSWORD,
                is_demo=actor is not None and actor.is_demo,
                **values,
            )
        )
    return accounts


def _ranges(keys: list[int]) -> list[list[int]]:
    """Return ids as first and last of each run."""
    found: list[list[int]] = []
    for key in keys:
        if found and found[-1][1] == key - 1:
            found[-1][1] = key
        else:
            found.append([key, key])
    return found
