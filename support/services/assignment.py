"""Whose ticket it is: by hand, in turn, or to whoever has least open."""

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from support import lifecycle
from support.errors import NotAnAgent
from support.models import AgentState, Category, Mailbox, Ticket
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import NotAllowed
from systemadmin.models import User
from systemadmin.services.duties import accounts_of, check_no_own_interest

MANUAL, ROUND_ROBIN, LOAD = "manual", "round_robin", "load"


def agents() -> QuerySet:
    """Return active staff who may answer tickets by their role."""
    return User.objects.staff().granted("support.reply_ticket")


def check_agent(user: User) -> None:
    """Refuse an account that could not answer."""
    if not (user.is_acting_staff and user.has_perm("support.reply_ticket")):
        raise NotAnAgent


def reads(user: User, ticket: Ticket) -> bool:
    """Return whether an agent reads the tickets of this one's category and mailbox."""
    places = ((Category, ticket.category_id), (Mailbox, ticket.mailbox_id))
    return not any(
        key is not None and model.objects.closed_to(user).filter(pk=key).exists()
        for model, key in places
    )


def check_reads(user: User, ticket: Ticket) -> None:
    """Refuse to give a ticket to an agent who may not read it."""
    if not reads(user, ticket):
        raise NotAnAgent(_("This agent does not read the tickets of this category or mailbox."))


def check_assignee(actor: User | None, ticket: Ticket, assignee: User | None) -> None:
    """Refuse an assignee who is no agent or no reader, and an actor who may not choose them."""
    if assignee is not None:
        check_agent(assignee)
        check_reads(assignee, ticket)
        check_not_own(assignee, ticket)
    check_may_assign(actor, ticket, assignee)


def check_may_choose(actor: User | None, ticket: Ticket) -> None:
    """Raise `OwnInterest` where somebody would choose who answers them: the rule chooses."""
    check_no_own_interest(actor=actor, concerns=[ticket.requester_id], act="support.update_ticket")


def check_not_own(user: User, ticket: Ticket) -> None:
    """Raise `OwnInterest` where a ticket would be given to whoever asks in it."""
    check_no_own_interest(actor=user, concerns=[ticket.requester_id], act="support.update_ticket")


def check_may_assign(actor: User | None, ticket: Ticket, assignee: User | None) -> None:
    """Check that the actor may assign: what is free may be taken, all else needs a right."""
    if actor is None or actor.has_perm("support.assign_ticket"):
        return
    takes_free = assignee == actor and ticket.assignee_id in (None, actor.pk)
    lets_go = assignee is None and ticket.assignee_id == actor.pk
    if not (takes_free or lets_go):
        raise NotAllowed(_("You may take free tickets, not those of others."))


def choose_agent(
    category: Category | None, mailbox: Mailbox | None = None, *, requester: User | None = None
) -> User | None:
    """Return the agent whose turn it is under the category's rule, noted as given; None by hand.

    Nobody is given what they ask themselves, nor what an account confirmed as theirs asks.
    """
    strategy = (category.assignment if category else "") or setting("support.assignment")
    if strategy == MANUAL:
        return None
    candidates = _candidates(category, mailbox)
    if requester is not None:
        candidates = candidates.exclude(pk__in=accounts_of(requester.pk))
    ids = list(candidates.values_list("pk", flat=True))
    for pk in ids:
        AgentState.objects.get_or_create(user_id=pk)
    # Taking turns is one line: two tickets opened at once must not see the same turn.
    states = {
        state.pk: state
        for state in AgentState.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    }
    chosen = _next_in_turn(states, strategy)
    if chosen is None:
        return None
    chosen.last_assigned_at = timezone.now()  # read under the lock, or turns would mix up
    chosen.save(update_fields=["last_assigned_at"])
    return chosen.user


def _candidates(category: Category | None, mailbox: Mailbox | None) -> QuerySet[User]:
    """Return the agents present who may be given a ticket of this category and mailbox."""
    found = agents().exclude(agent_state__is_available=False)
    if category is not None and category.agents.exists():
        found = found.filter(pk__in=category.agents.values("pk"))
    for place in (category, mailbox):
        if place is not None and place.is_confined:
            found = found.filter(pk__in=place.readers.values("pk"))
    return found


def _next_in_turn(states: dict[int, AgentState], strategy: str) -> AgentState | None:
    load = _open_tickets(list(states))
    free = [s for s in states.values() if s.capacity is None or load.get(s.pk, 0) < s.capacity]

    def turn(state: AgentState) -> tuple[int, float, int]:
        waited = state.last_assigned_at.timestamp() if state.last_assigned_at else 0.0
        return (load.get(state.pk, 0) if strategy == LOAD else 0, waited, state.pk)

    return min(free, key=turn, default=None)


def _open_tickets(ids: list[int]) -> dict[int, int]:
    counted = (
        Ticket.objects.filter(assignee_id__in=ids, status__in=lifecycle.OPEN_STATUSES)
        .order_by()
        .values_list("assignee_id")
        .annotate(open=Count("pk"))
    )
    return dict(counted)


def workload() -> QuerySet:
    """Return whom a ticket may be given to, by name, with the number each has as `open_tickets`."""
    open_ones = (
        Ticket.objects.filter(assignee=OuterRef("pk"), status__in=lifecycle.OPEN_STATUSES)
        .order_by()
        .values("assignee")
        .annotate(open=Count("pk"))
        .values("open")
    )
    people = User.objects.staff().filter(Q(pk__in=agents().values("pk")) | Q(is_superuser=True))
    return people.annotate(
        open_tickets=Coalesce(Subquery(open_ones), 0),
        takes_tickets=Coalesce(F("agent_state__is_available"), True),
    ).order_by("username")
