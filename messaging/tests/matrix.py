"""Who may call the desk's routes: every signed-in account, for its own messages."""

from systemadmin.tests.matrix import MEMBERS

MATRIX = {
    "POST /api/messages": MEMBERS,
    "GET /api/messages/conversations": MEMBERS,
    "POST /api/messages/conversations/{user_id}/mute": MEMBERS,
    "DELETE /api/messages/conversations/{user_id}/mute": MEMBERS,
    "GET /api/messages/search": MEMBERS,
    "GET /api/messages/unread-count": MEMBERS,
    "GET /api/messages/stream": MEMBERS,
    "GET /api/messages/export": MEMBERS,
    "GET /api/messages/preferences": MEMBERS,
    "PUT /api/messages/preferences": MEMBERS,
    "GET /api/messages/blocks": MEMBERS,
    "POST /api/messages/blocks": MEMBERS,
    "DELETE /api/messages/blocks/{user_id}": MEMBERS,
    "GET /api/messages/{user_id}": MEMBERS,
    "POST /api/messages/{id}/read": MEMBERS,
    "POST /api/messages/{id}/unread": MEMBERS,
    "POST /api/messages/{id}/unsend": MEMBERS,
    "POST /api/messages/{id}/hide": MEMBERS,
    "POST /api/messages/{id}/edit": MEMBERS,
    "GET /api/messages/{id}/revisions": MEMBERS,
    "POST /api/messages/{id}/report": MEMBERS,
    "GET /api/messages/{id}/attachment": MEMBERS,
}
