"""Routes of this desk, below `/api/`."""

from django.urls import path

from messaging.api.messages import ConversationViewSet, MessageViewSet
from messaging.api.settings import BlockViewSet, PreferencesViewSet
from messaging.api.stream import StreamViewSet

_KEY = "messages/<key:id>"

urlpatterns = [
    path("messages", MessageViewSet.as_view({"post": "create"})),
    path("messages/conversations", ConversationViewSet.as_view({"get": "list"})),
    path(
        "messages/conversations/<account:user_id>/mute",
        ConversationViewSet.as_view({"post": "mute", "delete": "unmute"}),
    ),
    path("messages/search", MessageViewSet.as_view({"get": "search"}, pagination_class=None)),
    path("messages/unread-count", MessageViewSet.as_view({"get": "unread_count"})),
    path("messages/stream", StreamViewSet.as_view({"get": "stream"})),
    path("messages/export", MessageViewSet.as_view({"get": "export"})),
    path("messages/preferences", PreferencesViewSet.as_view({"get": "retrieve", "put": "update"})),
    path("messages/blocks", BlockViewSet.as_view({"get": "list", "post": "create"})),
    path("messages/blocks/<account:user_id>", BlockViewSet.as_view({"delete": "destroy"})),
    path("messages/<account:user_id>", MessageViewSet.as_view({"get": "list"})),
    path(f"{_KEY}/read", MessageViewSet.as_view({"post": "read"})),
    path(f"{_KEY}/unread", MessageViewSet.as_view({"post": "unread"})),
    path(f"{_KEY}/unsend", MessageViewSet.as_view({"post": "unsend"})),
    path(f"{_KEY}/hide", MessageViewSet.as_view({"post": "hide"})),
    path(f"{_KEY}/edit", MessageViewSet.as_view({"post": "edit"})),
    path(f"{_KEY}/revisions", MessageViewSet.as_view({"get": "revisions"}, pagination_class=None)),
    path(f"{_KEY}/report", MessageViewSet.as_view({"post": "report"})),
    path(f"{_KEY}/attachment", MessageViewSet.as_view({"get": "attachment"})),
]
