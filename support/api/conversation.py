"""One page of a conversation as the API answers it, its markup bounded as a whole."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from support.markdown import render_markdown, render_page
from support.models import Reply
from systemadmin.foundation.api import CursorList


class ReplyPages(CursorList):
    """The conversation, newest first."""

    ordering = ("-said_at", "-id")


def reply_rows(
    serializer: type[serializers.BaseSerializer], replies: Sequence[Reply]
) -> list[dict[str, Any]]:
    """Return the rows of these replies, which are in the order they were written."""
    html = render_page([reply.body for reply in replies])
    context = {"html": {reply.pk: text for reply, text in zip(replies, html, strict=True)}}
    return serializer(replies, many=True, context=context).data


def html_of(serializer: serializers.BaseSerializer, reply: Reply) -> str:
    """Return a reply as HTML: as its page was rendered, or by itself."""
    page = serializer.context.get("html")
    return render_markdown(reply.body) if page is None else page[reply.pk]
