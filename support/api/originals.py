"""A mail as it came: its text, its HTML, and the pictures that it shows in place."""

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from support.originals import original_html, picture_response
from systemadmin.foundation.api.routing import ID_REGEX
from systemadmin.foundation.errors import NotFound

ATTACHMENT_ID = OpenApiParameter("attachment_id", int, OpenApiParameter.PATH)
REPLY_ID = OpenApiParameter("reply_id", int, OpenApiParameter.PATH)


class OriginalSerializer(serializers.Serializer):
    """Every word of a reply, and safe HTML where its mail had some."""

    text = serializers.CharField()
    html = serializers.CharField()


class OriginalActions:
    """Mixed into the views of tickets; `replies_of` and `files_of` say what the caller may read."""

    get_object: Any

    def replies_of(self, ticket: Any) -> Any:
        """Return the replies of this ticket that the caller may read."""
        raise NotImplementedError

    def files_of(self, ticket: Any) -> Any:
        """Return files of this ticket that the caller may fetch."""
        raise NotImplementedError

    @extend_schema(parameters=[REPLY_ID], responses=OriginalSerializer)
    @action(detail=True, methods=["get"], url_path=rf"replies/(?P<reply_id>{ID_REGEX})/original")
    def original(self, request: Request, pk: str, reply_id: str) -> Response:
        """Return the mail of a reply as it looked; nothing in it is fetched from elsewhere."""
        ticket = self.get_object()
        reply = self.replies_of(ticket).filter(pk=int(reply_id)).first()
        if reply is None:
            raise NotFound
        base = request.path.partition("/replies/")[0]
        html = original_html(
            reply.original_html,
            reply.attachments.all(),
            lambda picture: f"{base}/attachments/{picture.pk}/inline",
        )
        text = reply.original_text or reply.body
        return Response(OriginalSerializer({"text": text, "html": html}).data)

    @extend_schema(parameters=[ATTACHMENT_ID], responses={(200, "image/*"): OpenApiTypes.BINARY})
    @action(
        detail=True, methods=["get"], url_path=rf"attachments/(?P<attachment_id>{ID_REGEX})/inline"
    )
    def inline(self, request: Request, pk: str, attachment_id: str) -> FileResponse:
        """Return a picture that a mail shows in place."""
        return picture_response(self.files_of(self.get_object()), int(attachment_id))
