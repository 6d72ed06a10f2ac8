"""Demo data: whether there is any, and removing exactly it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from django.contrib.sessions.models import Session
from django.db import IntegrityError, connection, models, transaction
from django.db.models import CASCADE, DO_NOTHING, SET_DEFAULT, SET_NULL, Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from systemadmin import audit, services
from systemadmin.errors import DemoPurgeRunning, DemoRowsInUse
from systemadmin.foundation import plugins
from systemadmin.foundation.configuration import forget_stored_values
from systemadmin.foundation.locks import named_lock
from systemadmin.models import ConfigurationChange, SystemConfig, User, UserSession
from systemadmin.services.second_person import Subject, needs_second_person

# That many name the problem; the rest is only counted.
_SHOWN_BLOCKERS: Final = 20
_BATCH: Final = 500

Rows = dict[type[Model], set[Any]]


@dataclass(slots=True)
class DemoRows:
    """Every demo row by table, what real rows stand on them, and what merely mentions them."""

    rows: Rows
    blockers: list[str] = field(default_factory=list)
    mentions: list[tuple[models.ForeignKey, list[Any]]] = field(default_factory=list)
    # Shared configuration that real rows use: it is no demo data any more.
    in_use: Rows = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        named = {str(m._meta.label): len(keys) for m, keys in self.rows.items() if keys}
        return dict(sorted(named.items()))

    @property
    def detached(self) -> dict[str, int]:
        """Optional references in real rows that become empty, by table and field."""
        found: Counter[str] = Counter()
        for foreign_key, keys in self.mentions:
            found[f"{foreign_key.model._meta.label}.{foreign_key.name}"] += len(keys)
        return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeReport:
    """What a purge removed, or would."""

    dry_run: bool
    total: int
    counts: dict[str, int]
    detached: dict[str, int]
    blockers: list[str]
    backup: str | None


def has_demo_rows() -> bool:
    """Return whether any demo account exists; every demo row hangs on one."""
    return User.objects.demo().exists()


@needs_second_person(
    "systemadmin.purge_demo",
    kind="purge",
    title=gettext_lazy("Remove the demo data"),
    permission="systemadmin.purge_demo",
    rule=gettext_lazy("always, but for a dry run"),
    needs=lambda attempt: not attempt.arguments.get("dry_run"),
    subject=lambda _attempt: Subject(type="demo", id="demo", name="demo data"),
    in_transaction=False,
)
def purge_demo(*, actor: User | None, dry_run: bool = False) -> PurgeReport:
    """Remove exactly the demo rows, after a backup; a dry run only counts them.

    Raises `DemoRowsInUse` when a real row depends on a demo row, naming it, and
    `DemoPurgeRunning`. Must not run inside a transaction: a backup could not see the data.
    """
    with named_lock("demo.purge") as held:
        if not held:
            raise DemoPurgeRunning
        found = find_demo_rows()
        if dry_run:
            return _report(found, dry_run=True)
        _refuse_blocked(found)
        backup = _backup_first(actor) if found.counts else None
        with transaction.atomic():
            # Again, inside: nobody may have come to depend on them during the backup.
            found = find_demo_rows()
            _refuse_blocked(found)
            _remove(found)
            report = _report(found, dry_run=False, backup=backup)
            audit.record(
                "systemadmin.demo.purged",
                actor=actor if actor is None or actor.pk not in found.rows[User] else None,
                metadata={"counts": report.counts, "backup": backup or ""},
            )
    return report


def _report(found: DemoRows, *, dry_run: bool, backup: str | None = None) -> PurgeReport:
    return PurgeReport(
        dry_run=dry_run,
        total=sum(found.counts.values()),
        counts=found.counts,
        detached=found.detached,
        blockers=found.blockers,
        backup=backup,
    )


def _refuse_blocked(found: DemoRows) -> None:
    if found.blockers:
        shown = found.blockers[:_SHOWN_BLOCKERS]
        raise DemoRowsInUse(
            _("%(count)d real rows depend on demo rows: %(rows)s.")
            % {"count": len(found.blockers), "rows": "; ".join(shown)},
            extra={"blockers": shown},
        )


def _backup_first(actor: User | None) -> str | None:
    """Return a backup through the backup desk of this app, where it is installed."""
    backup_before = getattr(services, "backup_before", None)
    if backup_before is None:
        return None
    made = backup_before(actor=actor, reason="demo purge")
    return str(made) if made else None


# -- finding ---------------------------------------------------------------------------


def find_demo_rows() -> DemoRows:
    """Return the demo accounts, what each app lists as demo, and what belongs to these alone."""
    rows: Rows = {User: set(User.objects.demo().values_list("pk", flat=True))}
    for module in plugins.modules("demo"):
        for _label, queryset in module.purge_queryset_list():
            keys = queryset.order_by().values_list("pk", flat=True)
            rows.setdefault(queryset.model, set()).update(keys)
    found = DemoRows(rows)
    pending = {model: set(keys) for model, keys in rows.items()}
    while pending:
        pending = _follow(found, pending)
    # A row met as a blocker may have turned out to be demo by another way.
    found = _find_references(DemoRows(found.rows))
    while found.in_use:
        # What stays may use other configuration in turn.
        for model, keys in found.in_use.items():
            found.rows[model] -= keys
        found = _find_references(DemoRows(found.rows))
    return found


def _shared_models() -> set[type[Model]]:
    """Return the tables of configuration that demo and real rows share."""
    return set(plugins.collect("demo", "SHARED"))


def _references(model: type[Model]) -> Iterator[models.ForeignKey]:
    """Yield every foreign key, of any table, that points to this one."""
    for relation in model._meta.get_fields(include_hidden=True):
        if relation.auto_created and (relation.one_to_many or relation.one_to_one):
            foreign_key = getattr(relation, "field", None)
            if isinstance(foreign_key, models.ForeignKey) and not foreign_key.model._meta.proxy:
                yield foreign_key


def _pointing(foreign_key: models.ForeignKey, keys: Iterable[Any]) -> Iterator[Model]:
    """Yield the rows whose foreign key points to one of the keys."""
    for some in _chunks(keys):
        manager = foreign_key.model._base_manager
        yield from manager.filter(**{f"{foreign_key.name}__pk__in": some}).iterator()


def _follow(found: DemoRows, pending: Rows) -> Rows:
    """Add what cascades from the pending rows and belongs to no real account."""
    added: Rows = {}
    for model, keys in pending.items():
        for foreign_key in _references(model):
            if foreign_key.remote_field.on_delete is not CASCADE:
                continue
            known = found.rows.setdefault(foreign_key.model, set())
            for row in _pointing(foreign_key, keys):
                if row.pk not in known and not _is_of_real_account(row, found.rows[User]):
                    known.add(row.pk)
                    added.setdefault(foreign_key.model, set()).add(row.pk)
    return added


def _is_of_real_account(row: Model, demo_users: set[Any]) -> bool:
    for each in row._meta.concrete_fields:
        if isinstance(each, models.ForeignKey) and each.related_model is User:
            key = getattr(row, each.attname)
            if key is not None and key not in demo_users:
                return True
    return False


def _real_rows(found: DemoRows, foreign_key: models.ForeignKey, keys: Iterable[Any]) -> list[Model]:
    """Return the real rows that refer to these demo rows by one foreign key."""
    if foreign_key.remote_field.on_delete is DO_NOTHING and not foreign_key.db_constraint:
        return []  # a copy of the key, made to outlive the account
    mine = found.rows.get(foreign_key.model, set())
    return [row for row in _pointing(foreign_key, keys) if row.pk not in mine]


def _find_references(found: DemoRows) -> DemoRows:
    """Sort what real rows hold on to demo rows into dependence and mere mention."""
    shared = _shared_models()
    for model, keys in found.rows.items():
        for foreign_key in _references(model):
            real = _real_rows(found, foreign_key, keys)
            if not real:
                continue
            if model in shared:
                used = {getattr(row, foreign_key.attname) for row in real}
                found.in_use.setdefault(model, set()).update(used)
            elif foreign_key.remote_field.on_delete in (SET_NULL, SET_DEFAULT):
                found.mentions.append((foreign_key, [row.pk for row in real]))
            else:
                found.blockers += [_name(row, foreign_key) for row in real]
    return found


def _name(row: Model, foreign_key: models.ForeignKey) -> str:
    target = getattr(row, foreign_key.attname)
    to = foreign_key.related_model._meta.verbose_name
    return f"{row._meta.verbose_name} {row.pk} ({foreign_key.name}: {to} {target})"


def _chunks(keys: Iterable[Any]) -> Iterator[list[Any]]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), _BATCH):
        yield ordered[start : start + _BATCH]


# -- removing --------------------------------------------------------------------------


def _remove(found: DemoRows) -> None:
    """Delete the rows of all tables; foreign keys are checked at the end, in any order."""
    _undo_settings()
    _forget_files(found)
    try:
        _delete(found)
        connection.check_constraints()
    except IntegrityError as error:
        # A row that came meanwhile, or a table that guards its rows (the ledger).
        raise DemoRowsInUse(str(error).splitlines()[0]) from error


def _undo_settings() -> None:
    """Give settings that a demo account changed last their defaults again."""
    last: dict[str, bool] = {}
    changes = ConfigurationChange.objects.order_by("pk").values_list("key", "actor__is_demo")
    for key, is_demo in changes.iterator():
        last[key] = bool(is_demo)
    undone = [key for key, is_demo in last.items() if is_demo]
    if undone:
        SystemConfig.objects.filter(key__in=undone).delete()
        transaction.on_commit(forget_stored_values)


def _delete(found: DemoRows) -> None:
    sessions = UserSession.objects.filter(user__is_demo=True).values("session_key")
    Session.objects.filter(session_key__in=sessions).delete()
    for foreign_key, mentioning in found.mentions:
        for some in _chunks(mentioning):
            rows = foreign_key.model._base_manager.filter(pk__in=some)
            nulls = foreign_key.remote_field.on_delete is SET_NULL
            rows.update(**{foreign_key.name: None if nulls else foreign_key.get_default()})
    for model, keys in found.rows.items():
        for some in _chunks(keys):
            # Raw: models of record refuse to be deleted, and cascades were followed above.
            model._base_manager.filter(pk__in=some)._raw_delete(using=connection.alias)


def _forget_files(found: DemoRows) -> None:
    """Delete uploaded files of demo rows once the rows are gone for good."""
    for model, keys in found.rows.items():
        for each in model._meta.concrete_fields:
            if isinstance(each, models.FileField):
                _delete_files_on_commit(model, each, keys)


def _delete_files_on_commit(model: type[Model], each: models.FileField, keys: set[Any]) -> None:
    names = [
        name
        for some in _chunks(keys)
        for name in model._base_manager.filter(pk__in=some).values_list(each.name, flat=True)
        if name
    ]

    def delete() -> None:
        for name in names:
            each.storage.delete(name)

    if names:
        transaction.on_commit(delete)
