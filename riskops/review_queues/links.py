"""The queues of suspected pairs and clusters of accounts."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from riskops import services
from riskops.links.hubs import ring_text
from riskops.links.related import same_person, show_pairs
from riskops.masking import PERSONAL
from riskops.models import AccountCluster, LinkStatus, RelatedAccount
from riskops.querysets.shown_scores import is_own, shown_score
from riskops.review_queues.marks import account_url, level_mark
from systemadmin.foundation.display import display_name
from systemadmin.foundation.review_queues import Card, Decision, Panel, Queue

MEMBERS_SHOWN = 50
LINKS_SHOWN = 10


def _marked(pair: Any) -> list[tuple[Any, Any]]:
    """Return both accounts, each with the mark of its score; one's own has none."""
    return [
        (account, level_mark(None if hidden else getattr(account, "risk_score", None)))
        for account, hidden in (
            (pair.low, getattr(pair, "is_own_low", True)),
            (pair.high, getattr(pair, "is_own_high", True)),
        )
    ]


def pair_name(pair: Any) -> str:
    """Return the names of both."""
    return gettext("%(one)s and %(other)s") % {
        "one": display_name(pair.low),
        "other": display_name(pair.high),
    }


def _pair_card(pair: Any) -> Card:
    return Card(
        title=pair_name(pair),
        line=same_person(pair),
        marks=[mark for _account, mark in _marked(pair)],
        since=pair.calculated_at,
    )


def _pair_panels(request: Any, pair: Any) -> list[Panel]:
    unmasked = request.user.has_perm(PERSONAL)
    found = show_pairs([pair], account_id=pair.low_id, unmasked=unmasked)[0]
    sides = [
        {
            "account": account,
            "url": account_url(account.pk),
            "mark": mark,
        }
        for account, mark in _marked(pair)
    ]
    return [
        Panel(title=_("Two accounts"), template="admin/review/pair.html", context={"sides": sides}),
        Panel(
            title=_("What they share"),
            template="admin/review/evidence.html",
            context=found.evidence,
            mark=len(found.evidence),
        ),
    ]


def _reopen_pair(*, actor: Any, thing: Any) -> None:
    services.reopen_related(actor=actor, pair=thing)


PAIRS = Queue(
    code="pairs",
    model="riskops.RelatedAccount",
    rows=lambda user: RelatedAccount.objects.select_related(
        "low__risk_score", "high__risk_score", "decided_by"
    ).annotate(is_own_low=is_own(user, "low"), is_own_high=is_own(user, "high")),
    waiting=lambda rows: rows.filter(status=LinkStatus.SUSPECTED),
    order=("-strength", "-pk"),
    card=_pair_card,
    panels=_pair_panels,
    account=lambda pair: pair.low,
    decisions=[
        Decision(
            code="confirm",
            action="confirm",
            title=_("Confirm link"),
            key="l",
            icon="link-2",
            text="note",
            undo=_reopen_pair,
            for_several=True,
        ),
        Decision(
            code="dismiss",
            action="dismiss",
            title=_("Not the same"),
            key="u",
            icon="unlink",
            text="note",
            undo=_reopen_pair,
            for_several=True,
        ),
    ],
    text_label=_("Note, kept with the pair"),
    decided=lambda pair: (pair.decided_by, pair.decided_at),
)


def _cluster_card(cluster: Any) -> Card:
    return Card(
        title=gettext("%(count)d accounts") % {"count": cluster.size},
        line=ring_text(cluster)
        or gettext("Weakest link %(strength)d") % {"strength": cluster.strength},
        marks=[("bad", _("Ring"))] if cluster.hubs else [],
        since=cluster.updated_at,
    )


def _cluster_panels(request: Any, cluster: Any) -> list[Panel]:
    members = cluster.members.select_related("account").order_by("account_id")
    members = members.prefetch_related(shown_score(request.user, of="account"))
    rows = [
        {
            "account": member.account,
            "url": account_url(member.account_id),
            "mark": level_mark(getattr(member.account, "risk_score", None)),
        }
        for member in members[:MEMBERS_SHOWN]
    ]
    return [
        Panel(
            title=_("Accounts"),
            template="admin/review/members.html",
            context={"members": rows, "more": cluster.size - len(rows)},
            mark=cluster.size,
        ),
        _strongest_links(request, cluster),
    ]


def _strongest_links(request: Any, cluster: Any) -> Panel:
    """Return the strongest pairs among the accounts, and what each of them shares."""
    members = cluster.members.values("account_id")
    pairs = RelatedAccount.objects.filter(low__in=members, high__in=members)
    found = show_pairs(
        list(pairs.order_by("-strength", "-pk")[:LINKS_SHOWN]),
        account_id=None,
        unmasked=request.user.has_perm(PERSONAL),
    )
    rows = [
        {
            "name": pair_name(one.pair),
            "url": reverse("admin:riskops_relatedaccount_change", args=[one.pair.pk]),
            "status": one.pair.get_status_display(),
            "sure": same_person(one.pair),
            "evidence": one.evidence,
        }
        for one in found
    ]
    return Panel(
        title=_("What holds them together"),
        template="admin/review/links.html",
        context={"links": rows, "most": LINKS_SHOWN},
    )


def _judge_cluster(text: Any) -> Any:
    def consequence(cluster: Any, _data: Any) -> str:
        return str(text) % {"count": cluster.size}

    return consequence


CLUSTERS = Queue(
    code="clusters",
    model="riskops.AccountCluster",
    rows=lambda user: AccountCluster.objects.select_related("decided_by"),
    waiting=lambda rows: rows.filter(status=LinkStatus.SUSPECTED),
    order=("-size", "-pk"),
    card=_cluster_card,
    panels=_cluster_panels,
    decisions=[
        Decision(
            code="confirm",
            action="confirm",
            title=_("One owner"),
            key="l",
            icon="link-2",
            text="note",
            consequence=_judge_cluster(
                _("Every undecided pair of these %(count)d accounts is confirmed with it.")
            ),
        ),
        Decision(
            code="dismiss",
            action="dismiss",
            title=_("Not one owner"),
            key="u",
            icon="unlink",
            text="note",
            consequence=_judge_cluster(
                _("Every undecided pair of these %(count)d accounts is dismissed with it.")
            ),
        ),
        Decision(
            code="suspend",
            action="suspend",
            title=_("Suspend all"),
            key="s",
            tone="bad",
            icon="ban",
            text="reason",
            needs_text=True,
            consequence=_judge_cluster(
                _("All %(count)d accounts are suspended and signed out now, all or none of them.")
            ),
        ),
    ],
    text_label=_("Why: members who are suspended read it"),
    decided=lambda cluster: (cluster.decided_by, cluster.decided_at),
)
