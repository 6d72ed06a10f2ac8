"""The member's blocks and preferences."""

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
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
from systemadmin.foundation.errors import InvalidInput
from systemadmin.models import User


class BlockViewSet(OwnViewSet):
    """Members the caller has blocked."""

    serializer_class = BlockSerializer
    pagination_class = PagedList
    queryset = Block.objects.none()
    allowed_while_suspended = {"create", "destroy"}

    def get_queryset(self) -> QuerySet:
        mine = Block.objects.filter(blocker=self.viewer)
        return mine.select_related("blocked").order_by("-created_at", "-id")

    @extend_schema(operation_id="messages_blocks")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Whom the caller has blocked, latest first."""
        return self.list_page(self.get_queryset())

    @extend_schema(
        operation_id="messages_block", request=BlockInput, responses={201: BlockSerializer}
    )
    def create(self, request: Request) -> Response:
        """Block a member; blocking again changes nothing."""
        user = User.objects.filter(pk=self.parse(BlockInput)["user"]).first()
        if user is None:
            raise InvalidInput("user", _("There is no such member."), code="user_not_found")
        return self.answer(services.block_member(actor=self.viewer, user=user), status=201)

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
        """The choices in force."""
        return self.answer(services.preferences_of(self.viewer))

    @extend_schema(operation_id="messages_preferences_change", request=PreferencesInput)
    def update(self, request: Request) -> Response:
        """Change the given choices."""
        changes = self.parse(PreferencesInput)
        return self.answer(services.change_preferences(actor=self.viewer, changes=changes))
