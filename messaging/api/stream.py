"""`GET /api/messages/stream`: server-sent events, resumed by `Last-Event-ID`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from messaging import stream_format
from messaging.api.base import OwnViewSet
from messaging.errors import TooManyStreams
from messaging.streaming.hub import RETRY_MS, Stream, hub, open_streams
from messaging.streaming.journal import Asked, read_news
from systemadmin.foundation.api.access import InsufficientScope
from systemadmin.foundation.configuration import setting
from systemadmin.foundation.errors import InvalidInput
from systemadmin.foundation.scopes import Grant
from systemadmin.foundation.streams import release_thread
from systemadmin.models import ApiToken


class StreamViewSet(OwnViewSet):
    """The caller's event stream."""

    closed_to_keys = {"stream"}

    @extend_schema(
        operation_id="messages_stream",
        parameters=[
            OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER),
            OpenApiParameter(
                "last_event_id",
                str,
                OpenApiParameter.QUERY,
                description="The same, for clients that cannot set headers.",
            ),
        ],
        responses={(200, stream_format.CONTENT_TYPE): OpenApiTypes.STR},
        filters=False,
    )
    def stream(self, request: Request) -> StreamingHttpResponse:
        """Return what happens to the caller's messages, as it happens.

        A member's oldest stream ends when they open more than `messaging.streams_per_member` in
        one process; 429 `too_many_streams` when the process holds as many as it may.
        """
        after = _cursor(request)
        if isinstance(request._request, ASGIRequest):
            if open_streams() >= setting("messaging.streams_per_process"):
                raise TooManyStreams(headers={"Retry-After": "10"})
            frames: Any = _live(self._open(request, after))
        else:
            frames = _brief(self.viewer.pk, after)
        response = StreamingHttpResponse(frames, content_type=stream_format.CONTENT_TYPE)
        response["Cache-Control"] = "no-cache, no-transform"
        response["X-Accel-Buffering"] = "no"
        return response

    def _open(self, request: Request, after: int | None) -> Stream:
        grant = request.auth if isinstance(request.auth, Grant) else None
        auth = grant.source if grant else request.auth
        token = auth if isinstance(auth, ApiToken) else None
        if grant and token is None:
            # Nothing would end the stream when the key or the foreign token ends.
            raise InsufficientScope(_("A stream needs a sign-in or a token of the member's own."))
        lasts = 60.0 * setting("messaging.stream_minutes")
        if token is not None and token.expiry is not None:
            lasts = min(lasts, (token.expiry - timezone.now()).total_seconds())
        return Stream(
            user_id=self.viewer.pk,
            token_id=token.pk if token else None,
            session_key=None if token else request._request.session.session_key,
            position=after,
            expires=time.monotonic() + lasts,
        )


def _cursor(request: Request) -> int | None:
    raw = request.headers.get("Last-Event-ID") or request.query_params.get("last_event_id")
    try:
        return stream_format.parse_position(raw)
    except ValueError as error:
        raise InvalidInput(
            "Last-Event-ID", _("Send the id of the last event you received.")
        ) from error


def _brief(user_id: int, after: int | None) -> Iterator[bytes]:
    """Without ASGI: what is new, and when to come back. No thread waits for a message."""
    yield stream_format.retry(RETRY_MS)
    while True:
        asked = Asked(user_id, after)
        news = read_news([asked])[asked]
        yield b"".join(news.frames)
        if not news.has_more:
            return
        after = news.position


async def _live(stream: Stream) -> AsyncIterator[bytes]:
    await release_thread()
    async for frame in hub().serve(stream):
        yield frame
