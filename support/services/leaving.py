"""An agent leaves: open tickets, categories and escalations go on without them."""

from django.db.models import QuerySet

from support import lifecycle
from support.models import Category, SlaPolicy, Ticket
from support.services.assignment import check_agent
from support.services.tickets import update_ticket
from systemadmin import audit
from systemadmin.models import User


def count_assigned(user: User) -> int:
    """Return how many open tickets the agent has."""
    return _open(user).count()


def count_categories(user: User) -> int:
    """Return how many categories name the agent."""
    return Category.objects.filter(agents=user).count()


def count_escalations(user: User) -> int:
    """Return how many policies escalate to the agent."""
    return SlaPolicy.objects.filter(escalate_to=user).count()


def release_tickets(*, actor: User | None, user: User, successor: User | None) -> None:
    """Hand every open ticket to the successor, or make it free for everybody."""
    if successor is not None and _open(user).exists():
        check_agent(successor)
    for ticket in _open(user).order_by("pk"):
        update_ticket(actor=actor, ticket=ticket, changes={"assignee": successor})


def leave_categories(*, actor: User | None, user: User, successor: User | None) -> None:
    """Put the successor in the agent's place; a category that names nobody means every agent."""
    for category in Category.objects.filter(agents=user).order_by("pk"):
        category.agents.remove(user)
        if successor is not None:
            category.agents.add(successor)
        _audit("support.category.agents_changed", actor, category, user, successor)


def leave_escalations(*, actor: User | None, user: User, successor: User | None) -> None:
    """Let policies escalate to the successor or, without one, to nobody by name."""
    for policy in SlaPolicy.objects.filter(escalate_to=user).order_by("pk"):
        policy.escalate_to = successor
        policy.save(update_fields=["escalate_to"])
        _audit("support.policy.escalation_changed", actor, policy, user, successor)


def _open(user: User) -> QuerySet[Ticket]:
    return Ticket.objects.filter(assignee=user, status__in=lifecycle.OPEN_STATUSES)


def _audit(
    action: str, actor: User | None, target: Category | SlaPolicy, user: User, to: User | None
) -> None:
    audit.record(
        action,
        actor=actor,
        target=target,
        before={"agent": user.pk},
        after={"agent": to.pk if to else None},
    )
