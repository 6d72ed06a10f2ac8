"""Acts that need a second person: their registry, and the check around each of their services.

A service declares with `@needs_second_person` when one person alone is not enough. It runs in a
transaction first, so that everything it validates is validated; then that is rolled back and
`SecondPersonNeeded` is raised. `approvals` keeps a request for it and, when somebody else
approves, calls the same service again.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import wraps
from importlib import import_module
from pkgutil import walk_packages
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import Model

from systemadmin import audit
from systemadmin.events import acted_alone
from systemadmin.foundation.configuration import forget_stored_values, setting
from systemadmin.foundation.context import current
from systemadmin.foundation.errors import Deferred
from systemadmin.foundation.texts import source
from systemadmin.services.approval_arguments import decode_found, encode_all
from systemadmin.services.daily_sums import keep_amount, sum_of_day

P = ParamSpec("P")
R = TypeVar("R")

SINGLE_PERSON = "duties.single_person"
ACTED_ALONE = "systemadmin.duties.acted_alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call of an act: `before` is what the act's own `before` returned."""

    actor: Any
    arguments: Mapping[str, Any]
    before: Any
    result: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a request is about where it is no row of a table."""

    type: str
    id: str
    name: str

    @classmethod
    def of(cls, found: "Model | Subject") -> "Subject":
        """Return the subject that a row is."""
        if isinstance(found, Subject):
            return found
        return cls(type=found._meta.label_lower, id=str(found.pk), name=str(found)[:200])


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyLimit:
    """From which sum an act over money needs a second person.

    `setting` names the limit, in minor units. What one person did alone within 24 hours counts
    with it, over all acts of the same `kind` and all currencies.
    """

    kind: str
    setting: str

    def is_reached(self, actor: Any, amount: int) -> bool:
        """Return whether the sum needs a second person; call it inside the act's transaction."""
        allowed = setting(self.setting)
        if amount >= allowed:
            return True
        return amount + sum_of_day(actor=actor, kind=self.kind) >= allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedAct:
    """A service that one person alone does not do to the end.

    - `needs` says whether a call needs a second person. With a `limit`, it says whether the sum of
      the call counts at all; a call with `always_needed` then waits whatever its sum.
    - `subject` says what the call is about; `amount` is its sum in minor units with the currency.
    - `state` takes the arguments and returns, as JSON, what the decision is about. It is for
      objects without a version.
    - `shown` takes the arguments and returns pairs of label and value for the approver.
    - `approver` is asked of a person beyond the permission. `superusers_only` takes the arguments
      and returns whether only superusers approve the call.
    - `question_for_approver` takes the arguments and returns a question that the approver answers
      in words, or nothing. `excluded_approvers` returns the ids of accounts that may not approve.
    - `in_transaction=False` is for an act that must not run inside a transaction. It is not tried
      first, and runs in the queue once approved.
    - `stored_arguments` is for an act that stores files. It returns the arguments as a request
      holds them, with the place of the file; `subject` then names all that was asked.
      `discard_files` takes the arguments of a request that came to nothing and deletes the file.
    """

    name: str = field(kw_only=False)
    kind: str
    title: Any
    permission: str
    # When it waits, in words.
    rule: Any
    # Where the service is; known once it is registered.
    function: str = ""
    needs: Callable[[Attempt], bool]
    subject: Callable[[Attempt], Model | Subject]
    amount: Callable[[Attempt], tuple[int, str] | None] | None = None
    limit: MoneyLimit | None = None
    always_needed: Callable[[Attempt], bool] | None = None
    before: Callable[..., Any] | None = None
    state: Callable[..., Any] | None = None
    shown: Callable[..., list[tuple[Any, Any]]] | None = None
    approver: Callable[[Any], bool] | None = None
    superusers_only: Callable[..., bool] | None = None
    question_for_approver: Callable[..., str] | None = None
    excluded_approvers: Callable[..., set[int]] | None = None
    in_transaction: bool = True
    stored_arguments: Callable[[Attempt], Mapping[str, Any]] | None = None
    discard_files: Callable[..., None] | None = None

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Register a service as this act and return it with the check around it.

        Calls without an actor (system tasks) never wait.
        """
        act = replace(self, function=f"{function.__module__}.{function.__qualname__}")
        _acts[act.name] = act

        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            actor = kwargs.get("actor")
            if actor is None or not _enforced.get():
                return function(*args, **kwargs)
            arguments = {key: value for key, value in kwargs.items() if key != "actor"}
            if not act.in_transaction:
                return _run_checked(act, actor, arguments, lambda: function(*args, **kwargs))
            return _run_tried(act, actor, arguments, lambda: function(*args, **kwargs))

        return guarded

    def is_for_superusers(self, kept: Mapping[str, Any]) -> bool:
        """Return whether superusers alone approve a call; `kept` are its arguments as JSON."""
        if self.approver is not None:
            return True
        return self.superusers_only is not None and self.superusers_only(**decode_found(kept))

    def amount_of(
        self, actor: Any, arguments: Mapping[str, Any], result: Any
    ) -> tuple[int, str] | None:
        """Return the sum of a call that ran."""
        if self.amount is None:
            return None
        attempt = Attempt(actor=actor, arguments=arguments, before=None, result=result)
        return self.amount(attempt)

    def run(self, *, actor: Any, arguments: Mapping[str, Any]) -> Any:
        """Call the service of the act with these arguments and return its result."""
        module, _dot, name = self.function.rpartition(".")
        return getattr(import_module(module), name)(actor=actor, **arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDraft:
    """What is asked for: everything of a request but who asks; `arguments` as JSON holds them."""

    act: str
    arguments: dict[str, Any]
    subject: Subject
    amount: int | None
    currency: str
    reason: str

    @classmethod
    def of(cls, act: GuardedAct, attempt: Attempt) -> "RequestDraft":
        """Return the draft of a request for this call."""
        amount, currency = _amount(act, attempt)
        given = attempt.arguments.get("reason") or attempt.arguments.get("note") or ""
        return cls(
            act=act.name,
            arguments=encode_all(
                act.stored_arguments(attempt) if act.stored_arguments else attempt.arguments
            ),
            subject=Subject.of(act.subject(attempt)),
            amount=amount,
            currency=currency,
            reason=str(given),
        )

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "RequestDraft":
        """Return the draft that `dataclasses.asdict` turned into this."""
        return cls(**{**kept, "subject": Subject(**kept["subject"])})


class SecondPersonNeeded(Deferred):
    """The act is valid now and waits for a second person; nothing was done."""

    def __init__(self, act: GuardedAct, attempt: Attempt) -> None:
        super().__init__(act.name)
        self.actor = attempt.actor
        self.wish = RequestDraft.of(act, attempt)


def _amount(act: GuardedAct, attempt: Attempt) -> tuple[int | None, str]:
    found = act.amount(attempt) if act.amount else None
    return found or (None, "")


_acts: dict[str, GuardedAct] = {}
_enforced: ContextVar[bool] = ContextVar("atalaya_asks_for_second_person", default=True)


@contextmanager
def without_second_person() -> Iterator[None]:
    """Run acts in this block at once: they are approved, or the block makes demo data."""
    token = _enforced.set(False)
    try:
        yield
    finally:
        _enforced.reset(token)


def is_single_person_place() -> bool:
    """Return whether this installation says that it has one person of staff."""
    return bool(setting(SINGLE_PERSON))


# How a service declares that it is an act: `@needs_second_person("marketplace.payout", …)`.
needs_second_person = GuardedAct


def _run_tried(act: GuardedAct, actor: Any, arguments: dict[str, Any], call: Callable[[], R]) -> R:
    """Run, then decide: what waits is rolled back with everything that it did."""
    # Read before the call: the act itself may change the setting that allows a single person.
    is_single = is_single_person_place()
    try:
        with transaction.atomic():
            before = act.before(**arguments) if act.before else None
            result = call()
            attempt = Attempt(actor=actor, arguments=arguments, before=before, result=result)
            if _needs(act, attempt):
                _check(act, attempt, is_single)
            return result
    except SecondPersonNeeded:
        # Settings that were read inside were never in force.
        forget_stored_values()
        raise


def _run_checked(
    act: GuardedAct, actor: Any, arguments: dict[str, Any], call: Callable[[], R]
) -> R:
    """Run the act, or raise `SecondPersonNeeded` if it needs another person."""
    before = act.before(**arguments) if act.before else None
    attempt = Attempt(actor=actor, arguments=arguments, before=before)
    if act.needs(attempt):
        _check(act, attempt, is_single_person_place())
    return call()


def _needs(act: GuardedAct, attempt: Attempt) -> bool:
    """Return whether a call that ran needs a second person; what does not is counted."""
    if not act.needs(attempt) or act.limit is None:
        return bool(act.needs(attempt))
    amount, currency = _amount(act, attempt)
    if amount is None:
        return False
    needed = act.limit.is_reached(attempt.actor, amount)
    keep_amount(actor=attempt.actor, kind=act.limit.kind, currency=currency, amount=amount)
    return needed or (act.always_needed is not None and act.always_needed(attempt))


def _check(act: GuardedAct, attempt: Attempt, is_single: bool) -> None:
    """Raise `SecondPersonNeeded`, or mark and report the act where there is one person only.

    A service key never acts alone, wherever it is.
    """
    if not is_single or attempt.actor.is_service:
        raise SecondPersonNeeded(act, attempt)
    note_acted_alone(act, attempt)


def note_acted_alone(act: GuardedAct, attempt: Attempt) -> None:
    """Leave an audit row that says that one person did this alone, and report it."""
    subject = act.subject(attempt)
    amount, currency = _amount(act, attempt)
    caution = act.question_for_approver(**attempt.arguments) if act.question_for_approver else ""
    audit.record(
        ACTED_ALONE,
        actor=attempt.actor,
        target=subject if isinstance(subject, Model) else None,
        after={"act": act.name, "amount": amount, "currency": currency},
        reason=str(attempt.arguments.get("reason") or current().stated_reason),
        metadata={
            "single_person": True,
            "object": Subject.of(subject).name,
            **({"caution": caution} if caution else {}),
        },
    )
    acted_alone.send(sender=GuardedAct, act=act.name, actor_name=attempt.actor.get_username())


def acts() -> dict[str, GuardedAct]:
    """Return every registered act by name."""
    for app in settings.ATALAYA_APPS:
        package = import_module(f"{app}.services")
        for found in walk_packages(package.__path__, f"{package.__name__}."):
            import_module(found.name)
    return dict(sorted(_acts.items()))


def title_of(name: str) -> str:
    """Return the English title of an act, which is its key in the catalogue."""
    return source(act_named(name).title)


def act_named(name: str) -> GuardedAct:
    """Return an act by name; one that only another release knows can be read and not decided."""
    return acts().get(name) or GuardedAct(
        name=name,
        kind="",
        title=name,
        permission="systemadmin.unknown_act",
        rule=None,
        function="",
        needs=lambda _attempt: True,
        subject=lambda _attempt: Subject(type="", id="", name=name),
        amount=None,
        limit=None,
        always_needed=None,
        before=None,
        state=None,
        shown=None,
        approver=lambda _person: False,
        superusers_only=None,
        question_for_approver=None,
        excluded_approvers=None,
        in_transaction=True,
        stored_arguments=None,
        discard_files=None,
    )
