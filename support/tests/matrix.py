"""Who may call the routes of the desk (superusers may always)."""

from systemadmin.tests.matrix import EVERYONE, MEMBERS

AGENT = {"support_agent"}
KEEPERS = {"operator"}
ONLOOKERS = {"support_agent", "auditor"}
ALL = {"support_agent", "operator", "auditor"}


def crud(path, *, see, keep):
    return {
        f"GET /api/admin/{path}": see,
        f"POST /api/admin/{path}": keep,
        f"GET /api/admin/{path}/{{pk}}": see,
        f"PUT /api/admin/{path}/{{pk}}": keep,
        f"PATCH /api/admin/{path}/{{pk}}": keep,
        f"DELETE /api/admin/{path}/{{pk}}": keep,
    }


MATRIX = {
    "GET /api/admin/tickets": ONLOOKERS,
    "POST /api/admin/tickets": AGENT,
    "GET /api/admin/tickets/{pk}": ONLOOKERS,
    "PUT /api/admin/tickets/{pk}": AGENT,
    "PATCH /api/admin/tickets/{pk}": AGENT,
    "POST /api/admin/tickets/{pk}/reply": AGENT,
    "PATCH /api/admin/tickets/{pk}/replies/{reply_id}": AGENT,
    "POST /api/admin/tickets/{pk}/merge": AGENT,
    "POST /api/admin/tickets/{pk}/join": AGENT,
    "POST /api/admin/tickets/{pk}/split": AGENT,
    "POST /api/admin/tickets/{pk}/link": AGENT,
    "POST /api/admin/tickets/{pk}/unlink": AGENT,
    "POST /api/admin/tickets/{pk}/macro": AGENT,
    "POST /api/admin/tickets/{pk}/presence": AGENT,
    "GET /api/admin/tickets/{pk}/drafts": AGENT,
    "PUT /api/admin/tickets/{pk}/draft": AGENT,
    "POST /api/admin/tickets/{pk}/snooze": AGENT,
    **crud("ticket-views", see=ONLOOKERS, keep=ONLOOKERS),
    "GET /api/admin/tickets/{pk}/events": ONLOOKERS,
    "GET /api/admin/tickets/{pk}/replies": ONLOOKERS,
    "GET /api/admin/tickets/{pk}/attachments/{attachment_id}": ONLOOKERS,
    "GET /api/admin/tickets/{pk}/attachments/{attachment_id}/inline": ONLOOKERS,
    "GET /api/admin/tickets/{pk}/replies/{reply_id}/original": ONLOOKERS,
    "POST /api/admin/tickets/{pk}/participants": AGENT,
    "DELETE /api/admin/tickets/{pk}/participants/{participant_id}": AGENT,
    "GET /api/admin/tickets/{pk}/file-links": ONLOOKERS,
    "POST /api/admin/tickets/{pk}/spam": AGENT,
    "POST /api/admin/tickets/{pk}/not-spam": AGENT,
    "GET /api/admin/blocked-senders": ALL,
    "POST /api/admin/blocked-senders": {"support_agent", "operator"},
    "DELETE /api/admin/blocked-senders/{pk}": {"support_agent", "operator"},
    "GET /api/admin/support/notices": AGENT,
    "POST /api/admin/support/notices/seen": AGENT,
    "GET /api/admin/support/preferences": ALL,
    "PUT /api/admin/support/preferences": ALL,
    "POST /api/admin/tickets/{pk}/file-links/{link_id}/revoke": AGENT,
    **crud("reply-templates", see=ALL, keep=AGENT),
    **crud("macros", see=ONLOOKERS, keep=AGENT),
    **crud("faqs", see=ALL, keep=AGENT),
    **crud("ticket-categories", see=ALL, keep=KEEPERS),
    **crud("sla-policies", see=ALL, keep=KEEPERS),
    "POST /api/admin/sla-policies/{pk}/apply": KEEPERS,
    **crud("business-calendars", see=ALL, keep=KEEPERS),
    "GET /api/admin/inbound-mail": ALL,
    "GET /api/admin/inbound-mail/{pk}": ALL,
    "GET /api/admin/inbound-mail/{pk}/raw": ALL,
    "POST /api/admin/inbound-mail/{pk}/process": {"support_agent", "operator"},
    "GET /api/admin/outbound-mail": ALL,
    "GET /api/admin/outbound-mail/{pk}": ALL,
    "POST /api/admin/outbound-mail/{pk}/retry": {"support_agent", "operator"},
    "GET /api/admin/support/reports": ALL,
    "GET /api/admin/support/reports/csv": ALL,
    "GET /api/tickets": MEMBERS,
    "POST /api/tickets": MEMBERS,
    "GET /api/tickets/{pk}": MEMBERS,
    "GET /api/tickets/{pk}/replies": MEMBERS,
    "POST /api/tickets/{pk}/reply": MEMBERS,
    "POST /api/tickets/{pk}/rating": MEMBERS,
    "GET /api/tickets/{pk}/attachments/{attachment_id}": MEMBERS,
    "GET /api/tickets/{pk}/attachments/{attachment_id}/inline": MEMBERS,
    "GET /api/tickets/{pk}/replies/{reply_id}/original": MEMBERS,
    "GET /api/ticket-categories": MEMBERS,
    "GET /api/ticket-categories/{pk}": MEMBERS,
    "GET /api/faqs": EVERYONE,
    "GET /api/faqs/{pk}": EVERYONE,
    "POST /api/faqs/{pk}/vote": MEMBERS,
}
