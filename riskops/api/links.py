"""Related accounts, the graph, identifiers and clusters."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from riskops.api.link_filters import ClusterFilter, RangeFilter, RelatedFilter
from riskops.api.link_serializers import (
    ClusterDetailSerializer,
    ClusterSerializer,
    DecisionNoteInput,
    DecisionReasonInput,
    GraphSerializer,
    IdentifierSerializer,
    JudgedPairSerializer,
    PairVerdictInput,
    RangeSerializer,
    RelatedAccountSerializer,
    SuspendedAccountsSerializer,
)
from riskops.links.clusters import confirm_cluster, dismiss_cluster, suspend_cluster
from riskops.links.graph import MAX_DEPTH, neighbourhood_graph
from riskops.links.related import show_pairs
from riskops.links.verdicts import (
    confirm_related,
    dismiss_related,
    reopen_related,
    share_identifier,
    unshare_identifier,
)
from riskops.masking import PERSONAL, shown
from riskops.models import AccountCluster, Identifier, IpRange, RelatedAccount
from systemadmin.foundation.api import (
    ListAction,
    PagedList,
    RetrieveAction,
    StaffViewSet,
    expected_version,
)
from systemadmin.foundation.errors import InvalidInput, NotFound
from systemadmin.foundation.parsing import Unreadable, parse_whole_number
from systemadmin.foundation.references import REFERENCE_REGEX
from systemadmin.models import User

SEEN_SHOWN = 50


class AccountLinksViewSet(StaffViewSet):
    """`/api/admin/users/{id}/related-accounts` and `/graph`."""

    access = {
        "related_accounts": "riskops.view_relatedaccount",
        "graph": "riskops.view_relatedaccount",
    }
    serializer_class = RelatedAccountSerializer
    pagination_class = PagedList
    filterset_class: Any = None
    ordering_fields = ("strength", "id")
    lookup_value_regex = REFERENCE_REGEX
    strict_parameters = False

    def get_queryset(self) -> QuerySet:
        if self.action == "related_accounts":
            return RelatedAccount.objects.order_by("-strength", "id")
        return User.objects.all()

    @extend_schema(
        summary="Accounts related to an account",
        responses=RelatedAccountSerializer(many=True),
    )
    @action(
        detail=True,
        url_path="related-accounts",
        filterset_class=RelatedFilter,
        strict_parameters=True,
    )
    def related_accounts(self, request: Request, pk: str) -> Response:
        """Return the accounts that may have the same owner, strongest first, with their evidence.

        Identifiers are masked without the right to see personal data. A crowded or public
        identifier is listed with 0 bits: it links nobody.
        """
        account_id = int(pk)
        if not User.objects.filter(pk=account_id).exists():
            raise NotFound
        pairs = self.get_queryset().of_account(account_id)
        page = self.paginate_queryset(self.filter_queryset(pairs))
        found = show_pairs(
            page or [], account_id=account_id, unmasked=self.caller.has_perm(PERSONAL)
        )
        data = RelatedAccountSerializer(found, many=True).data
        return self.get_paginated_response(data)

    @extend_schema(
        summary="Neighbourhood of an account",
        parameters=[
            OpenApiParameter("depth", OpenApiTypes.INT, description="1 to 3 links away; 1."),
            OpenApiParameter("min_strength", OpenApiTypes.INT, description="0 to 100; 0."),
        ],
        responses=GraphSerializer,
        filters=False,
    )
    @action(
        detail=True,
        pagination_class=None,
        serializer_class=GraphSerializer,
    )
    def graph(self, request: Request, pk: str) -> Response:
        """Return accounts and links within `depth` steps, bounded; dismissed links are left out."""
        unknown = sorted(set(request.query_params) - {"depth", "min_strength"})
        if unknown:
            raise InvalidInput(dict.fromkeys(unknown, _("Unknown parameter.")))
        account = self.get_object()
        graph = neighbourhood_graph(
            account,
            viewer=self.caller,
            depth=self._number("depth", 1, 1, MAX_DEPTH),
            min_strength=self._number("min_strength", 0, 0, 100),
        )
        return Response(GraphSerializer(graph).data)

    def _number(self, name: str, default: int, low: int, high: int) -> int:
        raw = self.request.query_params.get(name)
        if raw is None:
            return default
        try:
            return parse_whole_number(raw, low, high)
        except Unreadable as error:
            raise InvalidInput(name, str(error)) from error


class RelatedAccountViewSet(StaffViewSet):
    """`/api/admin/related-accounts/{id}/…`: verdicts."""

    access = {"default": "riskops.judge_relatedaccount"}
    queryset = RelatedAccount.objects.shown_with()
    serializer_class = JudgedPairSerializer
    filterset_class: Any = None
    versioned = True

    @extend_schema(request=PairVerdictInput, summary="Confirm that two accounts have one owner")
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Confirm the pair: the verdict outlives every recompute until it ends or is taken back."""
        return self._judge(confirm_related, PairVerdictInput)

    @extend_schema(request=PairVerdictInput, summary="Dismiss a pair of accounts")
    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, pk: str) -> Response:
        """Dismiss the pair until the two share something new, or the verdict ends."""
        return self._judge(dismiss_related, PairVerdictInput)

    @extend_schema(request=DecisionNoteInput, summary="Take a verdict on a pair back")
    @action(detail=True, methods=["post"])
    def reopen(self, request: Request, pk: str) -> Response:
        """Take the verdict back: the pair is only suspected again."""
        return self._judge(reopen_related, DecisionNoteInput)

    def _judge(self, service: Any, body: Any) -> Response:
        pair = self.get_object()
        data = self.parse(body)
        version = expected_version(self.request)
        return self.answer(service(actor=self.caller, pair=pair, expected_version=version, **data))


class IdentifierViewSet(RetrieveAction, StaffViewSet):
    """`/api/admin/identifiers/{id}…`: who is behind it, and whether it is a public place."""

    access = {
        "retrieve": "riskops.view_identifier",
        "share": "riskops.share_identifier",
        "unshare": "riskops.share_identifier",
    }
    needs_second_person = {"share"}
    queryset = Identifier.objects.all()
    serializer_class = IdentifierSerializer
    filterset_class: Any = None

    @extend_schema(summary="Accounts behind an identifier")
    def retrieve(self, request: Request, pk: str) -> Response:
        """Return an IP address, device or wallet and the accounts last seen with it."""
        return self._answer(self.get_object())

    @extend_schema(request=DecisionReasonInput, summary="Mark an identifier as a public place")
    @action(detail=True, methods=["post"])
    def share(self, request: Request, pk: str) -> Response:
        """From now on it links nobody; 409 when it is marked already.

        Where more than one account stands behind it, it waits for a second person.
        """
        reason = self.parse(DecisionReasonInput)["reason"]
        identifier = self.get_object()
        return self._answer(
            share_identifier(actor=self.caller, identifier=identifier, reason=reason)
        )

    @extend_schema(request=DecisionNoteInput, summary="Unmark a public place")
    @action(detail=True, methods=["post"])
    def unshare(self, request: Request, pk: str) -> Response:
        """Let the identifier link accounts again."""
        note = self.parse(DecisionNoteInput).get("note", "")
        identifier = self.get_object()
        return self._answer(
            unshare_identifier(actor=self.caller, identifier=identifier, reason=note)
        )

    def _answer(self, identifier: Any) -> Response:
        seen = identifier.sightings.select_related("account").order_by("-last_seen", "-id")
        identifier.latest_sightings = seen[:SEEN_SHOWN]
        identifier.shown_value = shown(
            identifier.kind,
            identifier.value,
            identifier.pk,
            unmasked=self.caller.has_perm(PERSONAL),
        )
        return self.answer(identifier)


@extend_schema_view(
    list=extend_schema(summary="Clusters of accounts"),
    retrieve=extend_schema(summary="A cluster and its accounts", responses=ClusterDetailSerializer),
)
class ClusterViewSet(ListAction, RetrieveAction, StaffViewSet):
    """`/api/admin/clusters…`."""

    access = {
        "list": "riskops.view_accountcluster",
        "retrieve": "riskops.view_accountcluster",
        "confirm": "riskops.judge_accountcluster",
        "dismiss": "riskops.judge_accountcluster",
        "suspend": ("riskops.suspend_accountcluster", "systemadmin.suspend_user"),
    }
    needs_second_person = {"suspend"}
    queryset = AccountCluster.objects.select_related("decided_by").order_by("-size", "-id")
    serializer_class = ClusterSerializer
    filterset_class = ClusterFilter
    ordering_fields = ("size", "strength", "id")
    versioned = True

    def get_serializer_class(self) -> Any:
        return ClusterSerializer if self.action == "list" else ClusterDetailSerializer

    @extend_schema(
        request=DecisionNoteInput, responses=ClusterDetailSerializer, summary="Confirm a cluster"
    )
    @action(detail=True, methods=["post"])
    def confirm(self, request: Request, pk: str) -> Response:
        """Confirm every link inside it as one act."""
        return self._judge(confirm_cluster)

    @extend_schema(
        request=DecisionNoteInput, responses=ClusterDetailSerializer, summary="Dismiss a cluster"
    )
    @action(detail=True, methods=["post"])
    def dismiss(self, request: Request, pk: str) -> Response:
        """Dismiss every link inside it as one act."""
        return self._judge(dismiss_cluster)

    @extend_schema(
        request=DecisionReasonInput,
        responses=SuspendedAccountsSerializer,
        summary="Suspend a cluster",
    )
    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, pk: str) -> Response:
        """Suspend every account of it as one act, all or none."""
        reason = self.parse(DecisionReasonInput)["reason"]
        suspended = suspend_cluster(
            actor=self.caller,
            cluster=self.get_object(),
            reason=reason,
            expected_version=expected_version(request),
        )
        return Response({"suspended": suspended})

    def _judge(self, service: Any) -> Response:
        cluster = self.get_object()
        note = self.parse(DecisionNoteInput).get("note", "")
        version = expected_version(self.request)
        judged = service(actor=self.caller, cluster=cluster, note=note, expected_version=version)
        return self.answer(judged, serializer_class=ClusterDetailSerializer)


@extend_schema_view(list=extend_schema(summary="Listed addresses"))
class IpRangeViewSet(ListAction, StaffViewSet):
    """`/api/admin/ip-ranges`."""

    access = {"list": "riskops.view_iprange"}
    serializer_class = RangeSerializer
    filterset_class = RangeFilter

    def get_queryset(self) -> QuerySet:
        return IpRange.objects.order_by("first", "id")
