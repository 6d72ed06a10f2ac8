"""The neighbourhood of an account in the graph of links, bounded on hubs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from riskops.links.rules import KINDS
from riskops.models import LinkStatus, RelatedAccount
from riskops.models.scores import Level
from riskops.querysets.shown_scores import shown_score
from systemadmin.models import User

MAX_DEPTH = 3
MAX_NODES = 150
# The strongest links of each account are followed; a hub is marked by `truncated`.
MAX_LINKS = 20


@dataclass(slots=True)
class Graph:
    """Nodes and edges as plain values."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    edges: list[dict[str, Any]] = field(default_factory=list)
    truncated: bool = False


def neighbourhood_graph(account: User, *, viewer: User, depth: int, min_strength: int = 0) -> Graph:
    """Return the accounts within `depth` links, strongest first; the queries per step are fixed.

    The viewer's own accounts are shown without their scores.
    """
    graph = Graph()
    steps = {account.pk: 0}
    edges: dict[int, RelatedAccount] = {}
    frontier = {account.pk}
    for step in range(1, depth + 1):
        found: set[int] = set()
        for source, pair in _links(frontier, min_strength, graph):
            other = pair.high_id if pair.low_id == source else pair.low_id
            if other not in steps:
                if len(steps) >= MAX_NODES:
                    graph.truncated = True
                    continue
                steps[other] = step
                found.add(other)
            edges[pair.pk] = pair
        frontier = found
        if not frontier:
            break
    graph.nodes = _nodes(steps, viewer)
    graph.edges = [_edge(pair) for pair in sorted(edges.values(), key=lambda p: p.pk)]
    return graph


def _links(frontier: set[int], min_strength: int, graph: Graph) -> list[tuple[int, RelatedAccount]]:
    pairs = (
        RelatedAccount.objects.filter(Q(low_id__in=frontier) | Q(high_id__in=frontier))
        .filter(strength__gte=min_strength)
        .exclude(status=LinkStatus.DISMISSED)
        .order_by("-strength", "id")[: MAX_NODES * MAX_LINKS]
    )
    taken: dict[int, int] = {}
    result = []
    for pair in pairs:
        for source in (pair.low_id, pair.high_id):
            if source not in frontier:
                continue
            taken[source] = taken.get(source, 0) + 1
            if taken[source] > MAX_LINKS:
                graph.truncated = True
            else:
                result.append((source, pair))
    return result


def _nodes(steps: dict[int, int], viewer: User) -> list[dict[str, Any]]:
    people = User.objects.filter(pk__in=steps).prefetch_related(shown_score(viewer))
    nodes = []
    for user in people.order_by("pk"):
        score = getattr(user, "risk_score", None)
        nodes.append(
            {
                "id": user.pk,
                "label": user.get_username(),
                "depth": steps[user.pk],
                "score": score.score if score else None,
                "level": Level(score.level).code if score else None,
                "suspended": user.is_suspended,
            }
        )
    return nodes


def _edge(pair: RelatedAccount) -> dict[str, Any]:
    return {
        "id": pair.pk,
        "source": pair.low_id,
        "target": pair.high_id,
        "strength": pair.strength,
        "status": pair.status,
        "kinds": [kind for code, kind in enumerate(KINDS) if pair.kinds & (1 << code)],
    }
