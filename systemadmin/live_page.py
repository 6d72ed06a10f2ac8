"""`/admin/live/`: the event stream of an open page of the admin."""

from collections.abc import AsyncIterator
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from systemadmin.foundation.parsing import is_whole_number
from systemadmin.foundation.plugins import collect
from systemadmin.foundation.streams import CONTENT_TYPE, release_thread
from systemadmin.live_hub import MOST_PAGES, Page, brief, live_hub, open_pages, parse_marks


def live_page(request: HttpRequest) -> HttpResponseBase:
    """Notify a page when what it shows has changed: `?topics=tickets,work&shown=12`.

    503 when the process tells as many pages as it may; the page asks by itself then.
    """
    user: Any = request.user
    wanted = request.GET.get("topics", "").split(",")
    topics = {
        topic.code: topic
        for topic in collect("live", "TOPICS")
        if topic.code in wanted and (not topic.permission or user.has_perm(topic.permission))
    }
    if not topics:
        return HttpResponse(status=400)  # an EventSource that gets it does not come back
    shown = request.GET.get("shown", "")
    page = Page(
        user_id=user.pk,
        session_key=request.session.session_key,
        topics=topics,
        watched=int(shown) if is_whole_number(shown) else None,
        marks=parse_marks(request.headers.get("Last-Event-ID", "")),
    )
    if isinstance(request, ASGIRequest):
        if open_pages() >= MOST_PAGES:
            return HttpResponse(status=503, headers={"Retry-After": "60"})
        frames: Any = _live(page)
    else:
        frames = brief(page)
    response = StreamingHttpResponse(frames, content_type=CONTENT_TYPE)
    response["Cache-Control"] = "no-cache, no-transform"
    response["X-Accel-Buffering"] = "no"
    return response


async def _live(page: Page) -> AsyncIterator[bytes]:
    await release_thread()
    async for frame in live_hub().serve(page):
        yield frame
