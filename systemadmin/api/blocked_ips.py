"""`/api/admin/blocked-ips`: keep networks out and let them in again."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from systemadmin.foundation.api import (
    CursorList,
    ListAction,
    RetrieveAction,
    StaffViewSet,
    StrictFilterSet,
    StrictSerializer,
)
from systemadmin.foundation.context import current
from systemadmin.models import BlockedNetwork
from systemadmin.services.blocked_networks import block_network, lift_block


class BlockedNetworkSerializer(serializers.ModelSerializer):
    """One block."""

    class Meta:
        model = BlockedNetwork
        fields = [
            "id",
            "network",
            "reason",
            "expires_at",
            "is_automatic",
            "created_by",
            "created_at",
            "lifted_at",
        ]
        read_only_fields = fields


class BlockNetworkInput(StrictSerializer):
    """What to keep out, why and until when."""

    network = serializers.CharField(max_length=50)
    reason = serializers.CharField(max_length=300)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class BlockFilter(StrictFilterSet):
    """Filters of the list of blocked networks."""

    class Meta:
        model = BlockedNetwork
        fields = ["is_automatic", "network"]


class BlockedIpViewSet(ListAction, RetrieveAction, StaffViewSet):
    """Blocks, newest first; lifted ones stay as history."""

    access = {
        "list": "systemadmin.view_blockednetwork",
        "retrieve": "systemadmin.view_blockednetwork",
        "create": "systemadmin.add_blockednetwork",
        "destroy": "systemadmin.delete_blockednetwork",
    }
    needs_second_person = {"create"}
    queryset = BlockedNetwork.objects.all()
    serializer_class = BlockedNetworkSerializer
    filterset_class = BlockFilter
    pagination_class = CursorList

    @extend_schema(
        request=BlockNetworkInput, responses={201: BlockedNetworkSerializer}, summary="Block"
    )
    def create(self, request: Request) -> Response:
        """Keep a network out; your own is refused. An IPv6 address stands for its /64."""
        data = self.parse(BlockNetworkInput)
        block = block_network(actor=self.caller, own_ip=current().ip or "", **data)
        return self.answer(block, 201)

    @extend_schema(responses={204: None}, summary="Lift")
    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Let a network in again."""
        lift_block(actor=self.caller, block=self.get_object())
        return Response(status=204)
