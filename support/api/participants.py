"""Who takes part in a ticket, and the links to files that went to them."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from support.api import inputs, serializers
from support.models import FileLink
from support.services.file_links import revoke_link
from support.services.participants import add_participant, remove_participant
from systemadmin.foundation.api import CursorList
from systemadmin.foundation.api.routing import ID_REGEX
from systemadmin.foundation.errors import NotFound

PARTICIPANT_ID = OpenApiParameter("participant_id", int, OpenApiParameter.PATH)
LINK_ID = OpenApiParameter("link_id", int, OpenApiParameter.PATH)


class ParticipantActions:
    """Mixed into the staff's view of tickets."""

    get_object: Any
    answer: Any
    parse: Any
    caller: Any
    paginate_queryset: Any
    get_paginated_response: Any

    @extend_schema(
        request=inputs.ParticipantInput, responses={201: serializers.ParticipantSerializer}
    )
    @action(detail=True, methods=["post"])
    def participants(self, request: Request, pk: str) -> Response:
        """Let somebody take part; they read what they are sent from now on."""
        data = self.parse(inputs.ParticipantInput)
        person = add_participant(actor=self.caller, ticket=self.get_object(), **data)
        return self.answer(person, 201, serializers.ParticipantSerializer)

    @extend_schema(parameters=[PARTICIPANT_ID], responses={204: None})
    @action(
        detail=True, methods=["delete"], url_path=rf"participants/(?P<participant_id>{ID_REGEX})"
    )
    def remove_participant(self, request: Request, pk: str, participant_id: str) -> Response:
        """End somebody's part: they get nothing more, and their mail joins no more."""
        remove_participant(
            actor=self.caller, ticket=self.get_object(), participant=int(participant_id)
        )
        return Response(status=204)

    @extend_schema(responses=serializers.FileLinkSerializer(many=True))
    @action(
        detail=True,
        methods=["get"],
        url_path="file-links",
        pagination_class=CursorList,
        filterset_class=None,
        ordering_fields=[],
    )
    def file_links(self, request: Request, pk: str) -> Response:
        """Return files of answers that went as links, newest first."""
        rows = FileLink.objects.filter(message__ticket=self.get_object())
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(serializers.FileLinkSerializer(page, many=True).data)

    @extend_schema(parameters=[LINK_ID], request=None, responses=serializers.FileLinkSerializer)
    @action(detail=True, methods=["post"], url_path=rf"file-links/(?P<link_id>{ID_REGEX})/revoke")
    def revoke_file_link(self, request: Request, pk: str, link_id: str) -> Response:
        """End a link at once."""
        rows = FileLink.objects.filter(message__ticket=self.get_object())
        found = rows.filter(pk=int(link_id)).first()
        if found is None:
            raise NotFound
        link = revoke_link(actor=self.caller, link=found)
        return self.answer(link, 200, serializers.FileLinkSerializer)
