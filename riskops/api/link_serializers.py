"""What the API says about links, clusters and identifiers, and what it takes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from riskops.links.hubs import ring_text
from riskops.links.rules import KINDS
from riskops.models import AccountCluster, IpCategory, LinkStatus, RelatedAccount
from riskops.models.identifiers import IdentifierKind
from systemadmin.foundation.api import StrictSerializer
from systemadmin.models import User


class AccountBriefSerializer(serializers.ModelSerializer):
    """An account by its names."""

    class Meta:
        model = User
        fields = ("id", "username", "external_id")


class EvidenceIdentifierSerializer(serializers.Serializer):
    """An identifier, masked for those who may not see personal data."""

    id = serializers.IntegerField(source="identifier")
    value = serializers.CharField()
    accounts = serializers.IntegerField(help_text="Distinct accounts seen with it.")


class LinkEvidenceSerializer(serializers.Serializer):
    """One thing two accounts share; 0 bits where it is crowded or public."""

    kind = serializers.ChoiceField(choices=KINDS)
    identifier = EvidenceIdentifierSerializer(source="*")
    bits = serializers.FloatField()
    note = serializers.CharField()


class RelatedAccountSerializer(serializers.Serializer):
    """A pair of accounts, seen from one of them."""

    id = serializers.IntegerField(source="pair.id")
    user = AccountBriefSerializer(source="other")
    strength = serializers.IntegerField(source="pair.strength")
    probability = serializers.FloatField(source="pair.probability")
    bits = serializers.FloatField(source="pair.bits")
    status = serializers.ChoiceField(choices=LinkStatus.choices, source="pair.status")
    note = serializers.CharField(source="pair.note")
    decided_by = serializers.CharField(
        source="pair.decided_by.username", default=None, allow_null=True
    )
    decided_at = serializers.DateTimeField(source="pair.decided_at", allow_null=True)
    expires_at = serializers.DateTimeField(source="pair.expires_at", allow_null=True)
    version = serializers.IntegerField(source="pair.version")
    evidence = LinkEvidenceSerializer(many=True)


class JudgedPairSerializer(serializers.ModelSerializer):
    """A pair after a verdict."""

    users = serializers.SerializerMethodField()
    decided_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True)

    class Meta:
        model = RelatedAccount
        fields = (
            "id",
            "users",
            "strength",
            "probability",
            "status",
            "note",
            "decided_by",
            "decided_at",
            "expires_at",
            "version",
        )

    def get_users(self, pair: RelatedAccount) -> list[int]:
        return [pair.low_id, pair.high_id]


class PairVerdictInput(StrictSerializer):
    """Input of a verdict on a pair: the reason, and until when it holds."""

    note = serializers.CharField(max_length=1000, required=False, allow_blank=True)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class DecisionNoteInput(StrictSerializer):
    """Input of a decision on a link: a note with the reason."""

    note = serializers.CharField(max_length=1000, required=False, allow_blank=True)


class DecisionReasonInput(StrictSerializer):
    """Why; it must be said."""

    reason = serializers.CharField(max_length=200)


class GraphNodeSerializer(serializers.Serializer):
    """An account in the graph."""

    id = serializers.IntegerField()
    label: Any = serializers.CharField()
    depth = serializers.IntegerField()
    score = serializers.IntegerField(allow_null=True)
    level = serializers.CharField(allow_null=True)
    suspended = serializers.BooleanField()


class GraphEdgeSerializer(serializers.Serializer):
    """A link in the graph."""

    id = serializers.IntegerField()
    source: Any = serializers.IntegerField()
    target = serializers.IntegerField()
    strength = serializers.IntegerField()
    status = serializers.ChoiceField(choices=LinkStatus.choices)
    kinds = serializers.ListField(child=serializers.CharField())


class GraphSerializer(serializers.Serializer):
    """A neighbourhood; `truncated` says that hubs were cut short."""

    nodes = GraphNodeSerializer(many=True)
    edges = GraphEdgeSerializer(many=True)
    truncated = serializers.BooleanField()


class SeenAccountSerializer(serializers.Serializer):
    """An account behind an identifier."""

    user = AccountBriefSerializer(source="account")
    first_seen = serializers.DateTimeField()
    last_seen = serializers.DateTimeField()
    hits = serializers.IntegerField()


class IdentifierSerializer(serializers.Serializer):
    """An identifier and the accounts last seen with it."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=IdentifierKind.choices)
    value = serializers.CharField(source="shown_value")
    accounts = serializers.IntegerField()
    dealers = serializers.IntegerField()
    first_seen = serializers.DateTimeField(allow_null=True)
    last_seen = serializers.DateTimeField(allow_null=True)
    listing = serializers.CharField(allow_blank=True)
    is_shared = serializers.BooleanField()
    shared_reason = serializers.CharField(allow_blank=True)
    seen = SeenAccountSerializer(many=True, source="latest_sightings")


class ClusterSerializer(serializers.ModelSerializer):
    """A cluster of accounts."""

    decided_by = serializers.SlugRelatedField("username", read_only=True, allow_null=True)
    bridges = serializers.SerializerMethodField()
    ring = serializers.SerializerMethodField(help_text="What makes it a ring; empty for others.")

    class Meta:
        model = AccountCluster
        fields = (
            "id",
            "status",
            "size",
            "strength",
            "note",
            "decided_by",
            "decided_at",
            "bridges",
            "ring",
            "version",
        )

    def get_ring(self, cluster: AccountCluster) -> str:
        return ring_text(cluster)

    def get_bridges(self, cluster: AccountCluster) -> list[dict[str, Any]]:
        names = ("account", "other", "strength", "reason")
        return [dict(zip(names, bridge, strict=True)) for bridge in cluster.bridges]


class ClusterDetailSerializer(ClusterSerializer):
    """A cluster with its accounts."""

    members = serializers.SerializerMethodField()

    class Meta(ClusterSerializer.Meta):
        fields: Any = (*ClusterSerializer.Meta.fields, "members")

    @extend_schema_field(AccountBriefSerializer(many=True))
    def get_members(self, cluster: AccountCluster) -> list[dict[str, Any]]:
        people = User.objects.filter(cluster_membership__cluster=cluster).order_by("pk")
        return AccountBriefSerializer(people, many=True).data  # type: ignore[return-value]


class SuspendedAccountsSerializer(serializers.Serializer):
    """The accounts that were suspended."""

    suspended = serializers.ListField(child=serializers.IntegerField())


class RangeSerializer(serializers.Serializer):
    """A range of listed addresses."""

    id = serializers.IntegerField()
    cidr = serializers.CharField()
    category = serializers.ChoiceField(choices=IpCategory.choices)
    source: Any = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
