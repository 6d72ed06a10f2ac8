"""The member's blocks and preferences."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from messaging import services
from messaging.api.base import OwnViewSet
from messaging.api.serializers import (
    BlockInput,
    BlockSerializer,
    PreferencesInput,
    PreferencesSerializer,
)
from messaging.models import Block
from systemadmin.foundation.api import PagedList


class BlockViewSet(OwnViewSet):
    """Members the caller has blocked."""

    serializer_class = BlockSerializer
    pagination_class = PagedList
    queryset = Block.objects.none()
    allowed_while_suspended = {"create", "destroy"}

    def get_queryset(self) -> QuerySet:
        return Block.objects.filter(blocker=self.viewer).order_by("-created_at", "-id")

    @extend_schema(operation_id="messages_blocks")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return whom the caller has blocked, latest first."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self._shown(page or []))

    @extend_schema(
        operation_id="messages_block", request=BlockInput, responses={201: BlockSerializer}
    )
    def create(self, request: Request) -> Response:
        """Block a member; blocking again changes nothing.

        The name is empty for an account that the caller has not met, which looks like one that
        does not exist.
        """
        user_id = self.parse(BlockInput)["user"]
        block = services.block_member(actor=self.viewer, user_id=user_id)
        return Response(self._shown([block])[0], status=201)

    def _shown(self, blocks: Sequence[Block]) -> Any:
        people = services.people(self.viewer.pk, [block.blocked_id for block in blocks])
        context = {**self.get_serializer_context(), "people": people}
        return BlockSerializer(blocks, many=True, context=context).data

    @extend_schema(operation_id="messages_unblock", responses={204: None})
    def destroy(self, request: Request, user_id: str) -> Response:
        """Remove a block."""
        services.unblock_member(actor=self.viewer, user_id=int(user_id))
        return Response(status=204)


class PreferencesViewSet(OwnViewSet):
    """Who may write to the caller, and how they hear of it."""

    serializer_class = PreferencesSerializer

    @extend_schema(operation_id="messages_preferences")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the choices in force."""
        return self.answer(services.preferences_of(self.viewer))

    @extend_schema(operation_id="messages_preferences_change", request=PreferencesInput)
    def update(self, request: Request) -> Response:
        """Change the given choices."""
        changes = self.parse(PreferencesInput)
        return self.answer(services.change_preferences(actor=self.viewer, changes=changes))
